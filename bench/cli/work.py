"""The hidden command that jobs of engines run: parse and call."""

import os
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import lasting_output
from bench.cli.streams import out


def work(
    batch: Annotated[Path, typer.Argument(help="A file that `bench run --on` wrote.")],
) -> None:
    """Train the cells of a batch: what a job of `bench run --on` runs.

    As in `bench work results/batches/5ddde489cc43.json`.
    """
    from bench.fleet.allocation import find_allocation
    from bench.fleet.work import run_job

    lasting_output.outlast()
    path = batch.absolute()
    os.chdir(path.parent)  # no `./estimators` but those that the batch names
    raise typer.Exit(run_job(path, find_allocation(), out))
