"""The command that examines this machine: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.asked_form import TableForm, reading
from bench.cli.options import Data, Results
from bench.errors import EnvironmentProblem


@reading
def doctor(
    results: Results = Path("results"),
    data: Data = None,
    device: Annotated[
        list[str] | None, typer.Option(help="cpu, cuda, cuda:N or mps; every one if not given.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads per cell.")] = 1,
    form: TableForm = "rich",
) -> None:
    """Is this machine fit to run suites, and does it compute the same thing twice?

    As in `bench doctor --device cpu`.
    """
    from bench.cli.health.checks import examine
    from bench.cli.health.finding import Setup
    from bench.cli.health.text import show

    setup = Setup(results, data, tuple(device or ()), threads)
    if not show(examine(setup), form):
        raise typer.Exit(EnvironmentProblem.exit_code)
