"""Consoles that strangers' text cannot command, and ways to discard what their code prints."""

import contextlib
import io
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from bench.base.text import printable

T = TypeVar("T")


class Terminal(Console):
    """A console that prints nothing but plain text and its own styles."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


def print_text(console: Console, text: str) -> None:
    """Print text as it stands: nothing in it is markup, and lines are not broken."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def discard_output() -> Generator[None, None, None]:
    """Within, what a stranger's code prints is lost: it might command the terminal."""
    lost = io.StringIO()
    with contextlib.redirect_stdout(lost), contextlib.redirect_stderr(lost):
        yield


def iterate_silently(items: Iterable[T]) -> Iterator[T]:
    """Yield the items; what is printed while one is made is lost."""
    left = iter(items)
    while True:
        with discard_output():
            found = list(islice(left, 1))
        if not found:
            return
        yield found[0]
