"""The commands that read leaderboards: parse, call, print."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from bench.base.console import print_text
from bench.cli import completion
from bench.cli.completion import offering
from bench.cli.options import (
    AllowStale,
    Correction,
    Equilibrium,
    Layout,
    Ran,
    RanWith,
    Results,
    Style,
)
from bench.cli.streams import err, out
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.leaderboard.undecided_pairs import Pair

table_app = typer.Typer()

Form = Annotated[Literal["rich", "json"], typer.Option("--format", help="How to print it.")]
HEADS = ("backbone", "W/A", "better", "worse", "Δ, points", "n", "seeds needed", "more")


@table_app.command()
def power(
    suite: Ran,
    overrides: RanWith = None,
    results: Results = Path("results"),
    chance: Annotated[
        float, typer.Option("--power", min=0.05, max=0.999, help="The chance to see a difference.")
    ] = 0.8,
    form: Form = "rich",
    allow_stale: AllowStale = False,
) -> None:
    """Say how many seeds each pair of rows needs before it can be told apart.

    As in `bench power quickstart`. If a pair differs as it seems to, that many seeds of both rows
    tell it apart with a chance of 80 %: Welch's t test at 5 % over the number of pairs.
    """
    from bench.leaderboard import saved, undecided_pairs
    from bench.spec.plan import name_of

    _, board, notes = saved.board(results, name_of(suite, overrides or []), stale=allow_stale)
    for note in notes:
        print_text(err, f"note: {note}")
    found = undecided_pairs.undecided(board, chance)
    if form == "json":
        out.file.write(json.dumps([_fields(p) for p in found], ensure_ascii=False) + "\n")
        return
    if found:
        out.print(_table(found))
    pairs = undecided_pairs.number(board)
    level = f"{100 * board.alpha:.3g} %"
    print_text(
        out, f"{len(found)} of {pairs} pairs of rows cannot be told apart (Welch, Holm, {level})."
    )


@table_app.command()
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
    form: Layout = "rich",
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
    from bench.results import diff

    folders = [word for word in words or [] if diff.is_results(word)]
    roots = [*(results or []), *map(Path, folders)] or [Path("results")]
    suites = [word for word in words or [] if word not in folders]
    _refuse_odd(roots, suites)
    names = list(dict.fromkeys(saved.ran(roots[0], word) for word in suites))
    if len(roots) == 1:
        board = saved.joined(roots[0], names, equilibrium, correction, stale=allow_stale)
    else:
        suite = names[0] if names else saved.shared(roots)
        board = saved.sides(roots[0], roots[1], suite, equilibrium, stale=allow_stale)
    render.render(board, form, out, style)
    if form == "csv":  # which has no place for them
        for note in board.notes:
            print_text(err, f"note: {note}")


def _refuse_odd(roots: list[Path], suites: list[str]) -> None:
    """What is neither suites of one folder nor one suite of two."""
    if len(roots) == 1 and len(set(suites)) < 2:
        message = (
            "name two suites that ran, as in `bench compare table3 mine.yaml`, or two folders, as "
            "in `bench compare table3 --results A --results B`"
        )
        raise UsageError(message)
    if len(roots) > 1 and (len(suites) > 1 or len({root.resolve() for root in roots}) != 2):
        message = f"two folders and one suite, not {len(roots)} folders and {len(suites)} suites"
        raise UsageError(message)


def _table(pairs: "list[Pair]") -> Table:
    from bench.leaderboard.stats.power import MOST

    table = Table(box=box.SIMPLE_HEAD)
    for head in HEADS:
        text = head in HEADS[:4]
        table.add_column(head, justify="left" if text else "right", overflow="fold")
    for p in pairs:
        place = p.backbone, p.wa + ", tuned" * p.tuned, p.a.title, p.b.title
        sizes = f"{100 * p.difference:+.2f}", f"{p.a.n} and {p.b.n}" if p.a.n != p.b.n else p.a.n
        alike = max(len({*x.accs.values()}) for x in (p.a, p.b)) < 2
        unknown = "unknown" if alike or min(p.a.n, p.b.n) < 2 else f"above {MOST:,}"
        more = (unknown, "") if p.needed is None else (f"{p.needed:,}", f"{p.more:,}")
        table.add_row(*(Text(str(word)) for word in (*place, *sizes, *more)))
    return table


def _fields(pair: "Pair") -> dict[str, Any]:
    rows = {"better": pair.a.name, "worse": pair.b.name}
    place = {"backbone": pair.backbone, "wa": pair.wa, "tuned": pair.tuned}
    sizes = {"difference": pair.difference, "n": [pair.a.n, pair.b.n]}
    return rows | place | sizes | {"needed": pair.needed, "more": pair.more}
