"""The command that prints the table of a suite that ran: parse, call, print."""

from pathlib import Path
from typing import TYPE_CHECKING

from bench.base.collector import held_back
from bench.base.console import print_text
from bench.base.files import real_path
from bench.cli.asked_form import reading
from bench.cli.options import (
    AllowStale,
    Columns,
    Correction,
    Equilibrium,
    Format,
    Part,
    Ran,
    RanWith,
    Results,
    Style,
)
from bench.cli.streams import err, out
from bench.errors import BenchError
from bench.leaderboard.tables.formats import TableFormat

if TYPE_CHECKING:
    from bench.spec.plan import Plan


@reading
@held_back()
def leaderboard(
    suite: Ran,
    overrides: RanWith = None,
    results: Results = Path("results"),
    form: Format = TableFormat.TERMINAL,
    style: Style = "",
    columns: Columns = "",
    part: Part = None,
    equilibrium: Equilibrium = None,
    correction: Correction = "holm",
    allow_stale: AllowStale = False,
) -> None:
    """Rebuild SUITE's table from what `bench run` left in the results folder; no torch needed.

    As in `bench leaderboard quickstart`, `bench leaderboard table3 --style paper:table3`, or
    `bench leaderboard table1 --format tex --part table --columns acc,n > table.tex`.
    """
    from bench.api import suite_board
    from bench.leaderboard.tables import render
    from bench.leaderboard.tables.choice import TableChoice

    found = suite_board.board(
        suite,
        overrides or [],
        results=results,
        equilibrium=equilibrium,
        correction=correction,
        allow_stale=allow_stale,
    )
    _warn_if_changed(found.plan, suite, overrides or [])
    chosen = tuple(key for key in columns.replace(",", " ").split())
    render.render(found.board, form, out, TableChoice(style, chosen, part or ""))
    if form is TableFormat.CSV:  # which has no place for them
        for note in found.warnings:
            print_text(err, f"note: {note}")


def _warn_if_changed(plan: "Plan", suite: Path, overrides: list[str]) -> None:
    """Say so if the suite no longer says what it said when it ran."""
    from bench.spec.composition import compose, digest

    try:
        document = compose(suite, overrides)
    except BenchError:
        return  # its results can be read without it
    if digest(document) != plan.source_digest:
        text = f"{document.source} changed since it ran; this is the table of that run"
        if real_path(Path(document.source)) != real_path(Path(plan.source)):
            text = f"this is the table of {plan.source}; {document.source} says otherwise"
        print_text(err, f"note: {text}")
