"""The command that lists what a results folder no longer needs: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.options import Results
from bench.cli.streams import out


def gc(
    results: Results = Path("results"),
    move: Annotated[
        bool, typer.Option("--move", help="Move all of it to the attic of the results folder.")
    ] = False,
) -> None:
    """List what no kept plan wants: orphans, stale and damaged records, cut writes.

    Nothing is deleted: `--move` puts it into ROOT/attic. As in `bench gc --move`.
    """
    from bench.results.garbage import report_garbage

    for line in report_garbage(results, move=move):
        print_text(out, line)
