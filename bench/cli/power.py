"""The command that says how many seeds a difference needs: parse, call, print."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from bench.base.console import print_text
from bench.cli.asked_form import TableForm, reading, write_form
from bench.cli.options import AllowStale, Ran, RanWith, Results
from bench.cli.streams import err, out

if TYPE_CHECKING:
    from bench.leaderboard.undecided_pairs import RowPair

HEADS = ("backbone", "W/A", "better", "worse", "Δ, points", "n", "seeds needed", "more")


@reading
def power(
    suite: Ran,
    overrides: RanWith = None,
    results: Results = Path("results"),
    chance: Annotated[
        float, typer.Option("--power", min=0.05, max=0.999, help="The chance to see a difference.")
    ] = 0.8,
    form: TableForm = "rich",
    allow_stale: AllowStale = False,
) -> None:
    """Say how many seeds each pair of rows needs before it can be told apart.

    As in `bench power quickstart`. If a pair differs as it seems to, that many seeds of both rows
    tell it apart with a chance of 80 %: Welch's t test at 5 % over the number of pairs.
    """
    from bench.leaderboard import saved, undecided_pairs

    _, board, notes = saved.board(
        results, saved.name_of(results, suite, overrides or []), stale=allow_stale
    )
    for note in notes:
        print_text(err, f"note: {note}")
    undecided = undecided_pairs.undecided(board, chance)
    if form != "rich":
        write_form(form, [_fields(pair) for pair in undecided])
        return
    if undecided:
        out.print(_table(undecided))
    pairs = undecided_pairs.number(board)
    level = f"{100 * board.alpha:.3g} %"
    number = f"{len(undecided)} of {pairs} pairs of rows"
    print_text(out, f"{number} cannot be told apart (Welch, Holm, {level}).")


def _table(pairs: "list[RowPair]") -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for head in HEADS:
        text = head in HEADS[:4]
        table.add_column(head, justify="left" if text else "right", overflow="fold")
    for p in pairs:
        wa = f"{p.wa}, tuned" if p.tuned else p.wa
        a, b = p.a.seeds.ended, p.b.seeds.ended
        seeds = str(a) if a == b else f"{a} and {b}"
        difference = f"{100 * p.difference:+.2f}"
        words = p.backbone, wa, p.a.title, p.b.title, difference, seeds, *_seeds_needed(p)
        table.add_row(*map(Text, words))
    return table


def _seeds_needed(pair: "RowPair") -> tuple[str, str]:
    """How many seeds tell a pair apart, and how many more than there are; or why not."""
    from bench.leaderboard.stats.power import MOST

    if pair.needed is not None:
        return f"{pair.needed:,}", f"{pair.more:,}"
    alike = max(len({*row.scores.by_seed.values()}) for row in (pair.a, pair.b)) < 2
    fewest = min(pair.a.seeds.ended, pair.b.seeds.ended)
    return "unknown" if alike or fewest < 2 else f"above {MOST:,}", ""


def _fields(pair: "RowPair") -> dict[str, Any]:
    rows = {"better": pair.a.name, "worse": pair.b.name}
    place = {"backbone": pair.backbone, "wa": pair.wa, "tuned": pair.tuned}
    sizes = {"difference": pair.difference, "n": [pair.a.seeds.ended, pair.b.seeds.ended]}
    return rows | place | sizes | {"needed": pair.needed, "more": pair.more}
