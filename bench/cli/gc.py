"""The command that lists what a results folder no longer needs: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.asked_form import TableForm, reading, write_form
from bench.cli.options import Results, refuse_if
from bench.cli.streams import out


@reading
def gc(
    results: Results = Path("results"),
    move: Annotated[
        bool, typer.Option("--move", help="Move all of it to the attic of the results folder.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Move nothing, which is so without --move, too.")
    ] = False,
    form: TableForm = "rich",
) -> None:
    """List what no kept plan wants: orphans, stale and damaged records, cut writes.

    Nothing is deleted: `--move` puts it into ROOT/attic. As in `bench gc --move`.
    """
    from bench.results.garbage import find_leftovers, report_garbage

    refuse_if(move and form != "rich", f"--format {form} lists, --move moves; ask for one of them")
    refuse_if(move and dry_run, "--dry-run lists, --move moves; ask for one of them")
    if form != "rich":
        left = find_leftovers(results)
        write_form(
            form,
            [
                {"path": str(one.path), "reason": one.reason, "size": one.size, "held": one.held}
                for one in left
            ],
        )
        return
    for line in report_garbage(results, move=move):
        print_text(out, line)
