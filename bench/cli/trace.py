"""The command that goes from a number to what made it: parse, call, print."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.base.collector import held_back
from bench.cli import completion
from bench.cli.asked_form import TextForm, reading, write_form
from bench.cli.completion import offering
from bench.cli.options import AllowStale, Equilibrium, Results
from bench.cli.streams import out


@reading
@held_back()
def trace(
    target: Annotated[
        str,
        typer.Argument(
            metavar="SUITE|CELL",
            help="A suite that ran, or a cell: id or part of it.",
            autocompletion=offering(completion.ran, completion.cells),
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD",
            help="Of a suite: its overrides, and what the row is called, in any order: estimator, "
            "backbone, W/A, schedule, `tuned` or `untuned`. All rows, if nothing is said.",
        ),
    ] = None,
    results: Results = Path("results"),
    equilibrium: Equilibrium = None,
    form: TextForm = "rich",
    allow_stale: AllowStale = False,
) -> None:
    """Go from a number of a leaderboard to the cells, files, commands and machines that made it.

    As in `bench trace quickstart reste 1/1`, or `bench trace 2a8236e84cec`.
    A row's numbers are shown with the values by seed that they are means of, then every cell.
    """
    from bench.leaderboard.tables import trace_text
    from bench.leaderboard.tables.json import trace_fields
    from bench.leaderboard.trace import trace_target

    found = trace_target(target, words or [], results, equilibrium, stale=allow_stale)
    if form == "json":
        fields = [trace_fields(row) for row in found] if isinstance(found, list) else asdict(found)
        write_form(form, fields, default=_model_fields)
    elif isinstance(found, list):
        for row in found:
            trace_text.print_row(row, out)
    else:
        trace_text.print_cell(found, out)


def _model_fields(value: Any) -> Any:
    """Turn a claim, which is a model, into what JSON holds."""
    return value.model_dump(mode="json", exclude_defaults=True)
