"""The command that writes a suite to start from: parse, call, print."""

from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.streams import out


def init(
    name: Annotated[str, typer.Argument(help="The suite's name, or its file.")] = "suite",
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> None:
    """Write a suite to start from: it runs as it stands, in a minute, and explains itself.

    As in `bench init mine`.
    """
    from bench.cli.new_suite import write_suite

    path = write_suite(name, force=force)
    print_text(out, f"wrote {path}\nnext: edit it, `bench plan {path}`, `bench run {path}`")
