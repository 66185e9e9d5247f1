"""Where commands print, and the options that several of them share."""

import os
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer

from bench.plain import Terminal

UNBOUND = 200  # columns of a file or pipe, which has none of its own


def _width(stream: TextIO) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else UNBOUND


out = Terminal(emoji=False, width=_width(sys.stdout))
err = Terminal(stderr=True, emoji=False, width=_width(sys.stderr))

Results = Annotated[
    Path, typer.Option(help="The results folder.", envvar="BENCH_RESULTS", show_envvar=True)
]
AllowStale = Annotated[
    bool, typer.Option("--allow-stale", help="Show stale records in the table, marked.")
]
Data = Annotated[
    Path | None,
    typer.Option(help="The data folder; ./data if not given.", envvar="BENCH_DATA"),
]
