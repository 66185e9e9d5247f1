"""The command that lists plugins, data sets, schedules, suites and presets: parse, call, print."""

from typing import Annotated

import typer

from bench.cli import completion
from bench.cli.asked_form import TableForm, reading
from bench.cli.catalogue_text import print_entries
from bench.cli.completion import offering


@reading
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="estimators, backbones, data, schedules, suites, presets or ledgers.",
            autocompletion=offering(completion.kinds),
        ),
    ],
    form: TableForm = "rich",
) -> None:
    """Name what there is, broken plugins with the reason.

    As in `bench list estimators`.
    """
    from bench.cli import catalogue

    print_entries(catalogue.list_entries(catalogue.read_kind(kind)), form)
