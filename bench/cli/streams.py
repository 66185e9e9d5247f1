"""Where commands print."""

import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console

from bench.base.console import Terminal
from bench.base.text import printable
from bench.cli.lasting_output import open_missing
from bench.leaderboard import frame_files

if TYPE_CHECKING:  # most commands start without it
    import pandas as pd

open_missing()
UNBOUND = 200  # columns of a file or pipe, which has none of its own


def _width(stream: TextIO) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else UNBOUND


def _open(stream: TextIO, *, stderr: bool = False) -> Terminal:
    width = _width(stream)
    return Terminal(lines_end=width is None, stderr=stderr, emoji=False, width=width)


out = _open(sys.stdout)
err = _open(sys.stderr, stderr=True)


def write(text: str) -> None:
    """Write text to stdout as a pipe wants it: no line is broken or styled."""
    out.file.write(printable(text))
    out.file.flush()


def write_json(
    value: Any, *, indent: int | None = 1, default: Callable[[Any], Any] | None = None
) -> None:
    """Write a value to stdout as JSON; `default` turns what JSON lacks into what it has."""
    write(json.dumps(value, ensure_ascii=False, indent=indent, default=default) + "\n")


def write_csv(frame: "pd.DataFrame") -> None:
    """Write a table to stdout as CSV, no text of which is a formula to a spreadsheet."""
    write(frame_files.write_csv(frame))


def write_rows(frame: "pd.DataFrame") -> None:
    """Write a table to stdout as JSON, an object for each row."""
    write(f"{frame.to_json(orient='records', indent=1)}\n")  # pyright: ignore - of pandas


@contextmanager
def decoding_progress(console: Console) -> Generator[Callable[[int, int], None], None, None]:
    """Yield what prints how many files are decoded: one line on a terminal, else one per tenth."""
    tenths = 0

    def print_tenth(n: int, total: int) -> None:
        nonlocal tenths
        if 10 * n // total > tenths:
            tenths = 10 * n // total
            console.print(f"{n:,} of {total:,} files decoded", highlight=False)

    if not console.is_terminal:
        yield print_tenth
        return
    with console.status("reading") as status:
        yield lambda n, total: status.update(f"{n:,} of {total:,} files decoded")
