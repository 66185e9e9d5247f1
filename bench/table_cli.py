"""The commands that read leaderboards: parse, call, print."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from bench import completion
from bench.completion import offering
from bench.plain import say
from bench.terminal import AllowStale, Results, out

if TYPE_CHECKING:
    from bench.undecided import Pair

table_app = typer.Typer()

Form = Annotated[Literal["rich", "json"], typer.Option("--format", help="How to print it.")]
HEADS = ("backbone", "W/A", "better", "worse", "Δ, points", "n", "seeds needed", "more")


@table_app.command()
def power(
    suite: Annotated[
        Path,
        typer.Argument(
            metavar="SUITE", help="A suite that ran.", autocompletion=offering(completion.ran)
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Overrides that it ran with."),
    ] = None,
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
    from bench import kept, undecided
    from bench.suite import name_of

    _, board, _ = kept.board(results, name_of(suite, overrides or []), stale=allow_stale)
    found = undecided.undecided(board, chance)
    if form == "json":
        out.file.write(json.dumps([_fields(p) for p in found], ensure_ascii=False) + "\n")
        return
    if found:
        out.print(_table(found))
    pairs = undecided.number(board)
    say(out, f"{len(found)} of {pairs} pairs of rows cannot be told apart (Welch, Holm, 5 %).")


def _table(pairs: "list[Pair]") -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for head in HEADS:
        table.add_column(head, justify="left" if head in HEADS[:4] else "right")
    for p in pairs:
        place = p.backbone, p.wa + ", tuned" * p.tuned, p.a.title, p.b.title
        sizes = f"{100 * p.difference:+.2f}", f"{p.a.n} and {p.b.n}" if p.a.n != p.b.n else p.a.n
        more = ("beyond all", "") if p.needed is None else (f"{p.needed:,}", f"{p.more:,}")
        table.add_row(*(Text(str(word)) for word in (*place, *sizes, *more)))
    return table


def _fields(pair: "Pair") -> dict[str, Any]:
    rows = {"better": pair.a.name, "worse": pair.b.name}
    place = {"backbone": pair.backbone, "wa": pair.wa, "tuned": pair.tuned}
    sizes = {"difference": pair.difference, "n": [pair.a.n, pair.b.n]}
    return rows | place | sizes | {"needed": pair.needed, "more": pair.more}
