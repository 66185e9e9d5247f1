"""The command that sets suites or results folders side by side: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.collector import held_back
from bench.base.console import print_text
from bench.base.files import real_path
from bench.cli import completion
from bench.cli.asked_form import reading
from bench.cli.completion import offering
from bench.cli.options import AllowStale, Correction, Equilibrium, Format, Style
from bench.cli.streams import err, out
from bench.errors import UsageError
from bench.leaderboard.tables.formats import TableFormat


@reading
@held_back()
def compare(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUITE|RESULTS",
            help="Suites that ran, or results folders.",
            autocompletion=offering(completion.ran),
        ),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(help="A results folder, or two.", envvar="BENCH_RESULTS", show_envvar=True),
    ] = None,
    form: Format = TableFormat.TERMINAL,
    style: Style = "",
    equilibrium: Equilibrium = None,
    correction: Correction = "holm",
    allow_stale: AllowStale = False,
) -> None:
    """Set suites side by side, or what two results folders hold of one suite.

    As in `bench compare table3 mine.yaml`, which ranks the rows of both together where nothing but
    the estimator differs, and names what else differs where it does.
    `bench compare table3 --results A --results B`, or `bench compare --results A B`, shows each row
    of both folders, their difference by seed, and whether their bits are equal.
    """
    from bench.leaderboard import saved
    from bench.leaderboard.tables import render
    from bench.leaderboard.tables.choice import TableChoice
    from bench.results import diff

    folders = [word for word in words or [] if diff.is_results_folder(word)]
    roots = [*(results or []), *map(Path, folders)] or [Path("results")]
    suites = [word for word in words or [] if word not in folders]
    _check_sides(roots, suites)
    names = list(dict.fromkeys(saved.ran(roots[0], word) for word in suites))
    if len(roots) == 1:
        board = saved.joined(roots[0], names, equilibrium, correction, stale=allow_stale)
    else:
        suite = names[0] if names else saved.shared(roots)
        board = saved.side_by_side(roots[0], roots[1], suite, equilibrium, stale=allow_stale)
    render.render(board, form, out, TableChoice(style))
    if form is TableFormat.CSV:  # which has no place for them
        for note in board.notes:
            print_text(err, f"note: {note}")


def _check_sides(roots: list[Path], suites: list[str]) -> None:
    """Refuse what is neither several suites of one folder nor one suite of two."""
    if len(roots) == 1 and len(set(suites)) < 2:
        message = (
            "name two suites that ran, as in `bench compare table3 mine.yaml`, or two folders, as "
            "in `bench compare table3 --results A --results B`"
        )
        raise UsageError(message)
    if len(roots) > 1 and (len(suites) > 1 or len({real_path(root) for root in roots}) != 2):
        message = f"two folders and one suite, not {len(roots)} folders and {len(suites)} suites"
        raise UsageError(message)
