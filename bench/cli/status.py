"""The command that shows what runs: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.options import AsJson, Results, refuse_if
from bench.cli.streams import out


def status(
    results: Results = Path("results"),
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until all runs have ended, or Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What runs on a results folder: each cell's state, epoch, accuracy and time left.

    Cells of all jobs of a `bench run --on` stand together, from any machine that sees the folder.

    As in `bench status --watch`.
    """
    from bench.execution.status import boards_as_json, show_boards, watch_boards
    from bench.fleet.board import find_boards

    refuse_if(watch and as_json, "--watch is for people, --json for programs; ask for one of them")
    if as_json:
        print_text(out, boards_as_json(results, find_boards))
    elif watch:
        watch_boards(results, out, find_boards)
    else:
        show_boards(results, out, find_boards)
