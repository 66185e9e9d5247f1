"""The command that lists plugins, data sets, schedules, suites and presets: parse, call, print."""

from typing import Annotated

import typer

from bench.cli.asked_form import TableForm, reading
from bench.cli.catalogue_text import print_entries
from bench.spec.choices import ListedKind


@reading
def list_(
    kind: Annotated[ListedKind, typer.Argument(help="What to list.")], form: TableForm = "rich"
) -> None:
    """Name what there is, broken plugins with the reason.

    As in `bench list estimators`.
    """
    from bench.cli import catalogue

    print_entries(catalogue.list_entries(kind), form)
