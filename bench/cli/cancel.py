"""The command that cancels what was submitted: parse, call, print."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli import completion
from bench.cli.completion import offering
from bench.cli.options import Results, TrustJobs
from bench.cli.streams import out


def cancel(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="SUITE|CELL",
            help="Suites by name, and cells, by id, name or a part of the folder's name.",
            autocompletion=offering(completion.ran, completion.cells),
        ),
    ],
    results: Results = Path("results"),
    trust_jobs: TrustJobs = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be cancelled, and cancel nothing.")
    ] = False,
) -> None:
    """Cancel cells that `bench run --on` submitted; those that run leave a checkpoint.

    Run the suite again to submit them anew: they go on from there.

    As in `bench cancel quickstart`, or `bench cancel ste-resnet20-w1a1-s0`.
    """
    from bench.fleet.cancellation import cancel_cells
    from bench.fleet.engines import Engines

    root = results.absolute()
    with closing(Engines(root)) as engines:
        for line in cancel_cells(root, names, engines, trusting=trust_jobs, dry=dry_run):
            print_text(out, line)
