"""The command that writes a suite's page: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.options import AllowStale, Equilibrium, Ran, RanWith, Results
from bench.cli.streams import out


def report(
    suite: Ran,
    overrides: RanWith = None,
    results: Results = Path("results"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file; SUITE.html if not given.")
    ] = None,
    equilibrium: Equilibrium = None,
    allow_stale: AllowStale = False,
    figures: Annotated[bool, typer.Option(help="Draw figures.")] = True,
    records_only: Annotated[
        bool,
        typer.Option(
            "--records-only", help="No certificates and origins of values, which need the code."
        ),
    ] = False,
) -> None:
    """Write one HTML file of all that a suite measured; it opens without a network.

    As in `bench report quickstart`.
    Leaderboard, figures, properties with witnesses and certificates, published numbers, failures
    with logs, recipe; each number opens what it is made of. The same records give the same bytes.
    """
    from bench.leaderboard import saved
    from bench.report.page import write

    name = saved.name_of(results, suite, overrides or [])
    request = write.ReportRequest(
        name, results, equilibrium, allow_stale, figures=figures, code=not records_only
    )
    path, size = write.write(request, output or Path(f"{name}.html"))
    print_text(out, f"wrote {path} ({size / 1e6:.2f} MB)")
