"""The commands about profiles of machines.yaml: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli import completion
from bench.cli.completion import offering
from bench.cli.streams import out, write_json

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
def list_machines(
    suite: Beside = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Name the profiles that `--on` takes: their engine, where they stand, what they ask for.

    As in `bench machines list`.
    """
    from bench.cli import machines_text
    from bench.fleet import machines_file

    found = machines_file.profiles(suite)
    if as_json:
        write_json(machines_text.document(found))
    elif found:
        out.print(machines_text.table(found))
    else:
        print_text(out, f"no {machines_file.FILE} found; `bench machines init` writes one")
