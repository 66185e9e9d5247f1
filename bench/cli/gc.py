"""The command that lists what a results folder no longer needs: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.options import AsJson, Results, refuse_if
from bench.cli.streams import out, write_json


def gc(
    results: Results = Path("results"),
    move: Annotated[
        bool, typer.Option("--move", help="Move all of it to the attic of the results folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what no kept plan wants: orphans, stale and damaged records, cut writes.

    Nothing is deleted: `--move` puts it into ROOT/attic. As in `bench gc --move`.
    """
    from bench.results.garbage import find_leftovers, report_garbage

    refuse_if(move and as_json, "--json lists, --move moves; ask for one of them")
    if as_json:
        left = find_leftovers(results)
        write_json(
            [
                {"path": str(one.path), "reason": one.reason, "size": one.size, "held": one.held}
                for one in left
            ]
        )
        return
    for line in report_garbage(results, move=move):
        print_text(out, line)
