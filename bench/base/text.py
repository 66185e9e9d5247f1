"""
Text of strangers made plain: control characters are shown, and command no terminal.

Labels, formulas, reasons, paths and logs come from suites, plugins, records and file names. What
goes to a terminal passes a `Terminal`, what goes into a file or a pipe `plain`.
"""

import contextlib
import io
import re
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

T = TypeVar("T")
# All but tab and newline, what reorders a line, and halves of surrogate pairs.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """`text` with every control character but tab and newline as a picture: ESC is `␛`."""
    return CONTROLS.sub(_picture, text)


def count(n: int, noun: str) -> str:
    """`1 cell`, `2 cells`, `3,000 cells`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


@contextlib.contextmanager
def hushed() -> Generator[None, None, None]:
    """Within, what a stranger's code prints is lost: it might command the terminal."""
    lost = io.StringIO()
    with contextlib.redirect_stdout(lost), contextlib.redirect_stderr(lost):
        yield


def quietly(items: Iterable[T]) -> Iterator[T]:
    """The items, hushed while each is made."""
    left = iter(items)
    while True:
        with hushed():
            found = list(islice(left, 1))
        if not found:
            return
        yield found[0]


def say(console: Console, text: str) -> None:
    """Print text as it stands: nothing in it is markup, and lines are not broken."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


class Terminal(Console):
    """A console that prints nothing but plain text and its own styles."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else plain(text), style, control)


def _picture(found: "re.Match[str]") -> str:
    code = ord(found[0])
    return (
        chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"
    )
