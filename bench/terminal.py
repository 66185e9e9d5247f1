"""Where commands print, and the options that several of them share."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

UNBOUND = 200  # columns of a file or pipe, which has none of its own
out = Console(
    emoji=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else UNBOUND
)
err = Console(stderr=True, emoji=False)

Results = Annotated[
    Path, typer.Option(help="The results folder.", envvar="BENCH_RESULTS", show_envvar=True)
]
Data = Annotated[
    Path | None,
    typer.Option(help="The data folder; ./data if not given.", envvar="BENCH_DATA"),
]


def printable(text: str) -> str:
    """Text that came from a file, without what could command a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
