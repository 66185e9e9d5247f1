"""The command that prints the log of a cell: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import CellName, Results
from bench.cli.streams import write


def logs(
    cell: CellName,
    results: Results = Path("results"),
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the cell has ended, or Ctrl-C.")
    ] = False,
) -> None:
    """Print the log of a cell, recorded or running.

    As in `bench logs ste-resnet20-w1a1-s0 --follow`.
    """
    from bench.execution import log_reader

    path = log_reader.find(results, cell)
    if follow:
        log_reader.follow(results, path, write)
    else:
        log_reader.show(path, write)
