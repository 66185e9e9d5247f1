"""The commands about profiles of machines.yaml: parse, call, print."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.base.console import print_text
from bench.base.duration import read_seconds
from bench.cli import completion
from bench.cli.asked_form import TableForm, reading, write_form
from bench.cli.completion import offering
from bench.cli.options import Data, Results
from bench.cli.streams import err, out
from bench.errors import EnvironmentProblem

machines_app = typer.Typer(no_args_is_help=True, help="Where suites run: profiles of machines.")

Beside = Annotated[
    Path | None,
    typer.Option(
        "--suite",
        metavar="SUITE",
        help="Look beside it first.",
        autocompletion=offering(completion.suites),
    ),
]


@machines_app.command("list")
@reading
def list_machines(
    suite: Beside = None,
    form: TableForm = "rich",
) -> None:
    """Name the profiles that `--on` takes: their engine, where they stand, what they ask for.

    As in `bench machines list`.
    """
    from bench.cli import machines_text
    from bench.fleet import machines_file

    found = machines_file.profiles(suite)
    if form != "rich":
        write_form(form, machines_text.document(found))
    elif found:
        out.print(machines_text.table(found))
    else:
        print_text(out, f"no {machines_file.FILE} found; `bench machines init` writes one")


@machines_app.command("init")
def init_machines(
    engine: Annotated[
        Literal["slurm", "ray"] | None,
        typer.Option(
            help="What runs jobs; the one that is here, if not given.", show_default=False
        ),
    ] = None,
) -> None:
    """Write a machines.yaml to start from: what is found here, and every common key explained.

    As in `bench machines init --engine slurm`.
    """
    from bench.cli.new_machines import write_machines

    path, name = write_machines(engine)
    print_text(out, f"wrote {path}\nnext: edit it, `bench machines check {name}`")


@machines_app.command("check")
@reading
def check_machines(
    profile: Annotated[
        str,
        typer.Argument(help="As `--on` takes it.", autocompletion=offering(completion.profiles)),
    ],
    suite: Beside = None,
    results: Results = Path("results"),
    data: Data = None,
    wait: Annotated[
        str,
        typer.Option(metavar="TIME", help="The longest that a job may wait in the queue."),
    ] = "10m",
    form: TableForm = "rich",
) -> None:
    """Try a profile by two short jobs: is the queue there, do nodes see the folder, are they alike?

    As in `bench machines check cluster`, or `bench machines check slurm:partition=gpu`.
    """
    from bench.cli.health.machines import examine_profile
    from bench.cli.health.text import show
    from bench.data.source import data_folder
    from bench.fleet import machines_file

    wait_s = read_seconds("--wait", wait)
    found = machines_file.load(profile, suite)
    folder = (data or data_folder()).absolute()
    findings = examine_profile(found, results, folder, wait_s, partial(print_text, err))
    if not show(findings, form):
        raise typer.Exit(EnvironmentProblem.exit_code)
