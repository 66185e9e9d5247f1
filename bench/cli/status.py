"""The command that shows what runs: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.asked_form import TableForm, reading, write_form
from bench.cli.options import Results, refuse_if
from bench.cli.streams import out


@reading
def status(
    results: Results = Path("results"),
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", "--follow", "-f", help="Go on until all runs have ended, or Ctrl-C."
        ),
    ] = False,
    form: TableForm = "rich",
) -> None:
    """What runs on a results folder: each cell's state, epoch, accuracy and time left.

    Cells of all jobs of a `bench run --on` stand together, from any machine that sees the folder.

    As in `bench status --watch`.
    """
    from bench.execution.status import list_boards, show_boards, watch_boards
    from bench.fleet.board import find_boards

    refuse_if(
        watch and form != "rich", f"--watch is for people, {form} for programs; ask for one of them"
    )
    if form != "rich":
        runs = list_boards(results, find_boards)
        lines = [
            {"suite": run.get("suite"), "run": run["state"], **cell}
            for run in runs
            for cell in run["cells"]
        ]
        write_form(form, runs, lines)
    elif watch:
        watch_boards(results, out, find_boards)
    else:
        show_boards(results, out, find_boards)
