"""The command that lists plugins, data sets, schedules, suites and presets: parse, call, print."""

from typing import Annotated

import typer

from bench.cli.catalogue_text import print_entries
from bench.cli.options import AsJson
from bench.spec.choices import ListedKind


def list_(
    kind: Annotated[ListedKind, typer.Argument(help="What to list.")], as_json: AsJson = False
) -> None:
    """Name what there is, broken plugins with the reason.

    As in `bench list estimators`.
    """
    from bench.cli import catalogue

    print_entries(catalogue.list_entries(kind), as_json=as_json)
