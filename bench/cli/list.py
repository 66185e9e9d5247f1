"""The command that lists plugins, data sets, schedules and suites: parse, call, print."""

from typing import Annotated, Literal

import typer

from bench.cli.catalogue_text import show_entries

Kind = Literal["estimators", "backbones", "data", "schedules", "suites"]


def list_(kind: Annotated[Kind, typer.Argument(help="What to list.")]) -> None:
    """Name what there is, broken plugins with the reason.

    As in `bench list estimators`.
    """
    from bench.cli import catalogue

    show_entries(catalogue.entries(kind))
