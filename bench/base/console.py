"""Consoles that strangers' text cannot command, and ways to discard what their code prints."""

import contextlib
import io
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from bench.base.text import printable

T = TypeVar("T")


class Terminal(Console):
    """
    A console that prints nothing but plain text and its own styles.

    Args:
        lines_end: False for a file or pipe, of which a line may be as long as it is.
    """

    def __init__(self, *, lines_end: bool = True, **of_console: Any) -> None:
        super().__init__(**of_console)
        self.lines_end = lines_end

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


class Sentence:
    """A line of text, broken where the console's lines end, if they do."""

    def __init__(self, text: str, style: str = "") -> None:
        self.text, self.style = text, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = isinstance(console, Terminal) and not console.lines_end
        overflow = "ignore" if whole else None
        yield Text(self.text, style=self.style, no_wrap=whole or None, overflow=overflow)


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
