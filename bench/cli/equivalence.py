"""The command that says which rows are as good as each other: parse, call, print."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.base.console import print_text
from bench.cli.asked_form import TableForm, reading, write_form
from bench.cli.options import AllowStale, Equilibrium, Ran, Results, refuse_if
from bench.cli.streams import err, out

if TYPE_CHECKING:
    from bench.leaderboard.board import MeasuredRow
    from bench.leaderboard.equivalence import ComparedRows, EquivalenceReport, TwoOrders
    from bench.leaderboard.stats.equivalence import Equivalence
    from bench.leaderboard.tables import layout

TEXT = ("row", "verdict")
HEADS = ("Δ, 90 %", "p", "n", "seeds needed", "verdict", "e of both", "s of both")


@reading
def equivalence(
    suite: Ran,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY] [KEY.PATH=VALUE]...",
            help="In what tables differ, as their networks' labels say: gradients, epochs; and "
            "overrides that the suite ran with.",
        ),
    ] = None,
    results: Results = Path("results"),
    to: Annotated[
        str, typer.Option(metavar="ROW", help="Compare the rows of each table with this one.")
    ] = "",
    margin: Annotated[
        float, typer.Option(min=0.001, max=100, help="Points of accuracy that do not matter.")
    ] = 0.5,
    equilibrium: Equilibrium = None,
    form: TableForm = "rich",
    allow_stale: AllowStale = False,
) -> None:
    """Say which rows are as good as each other, within a margin.

    As in `bench equivalence bfloat16 gradients`, every row against itself in the other table, or
    `bench equivalence quickstart --to ste`. Two one-sided Welch tests at 5 % (TOST): equivalent
    means that the 90 % interval of the difference lies within the margin.
    """
    from bench.leaderboard import saved
    from bench.leaderboard.equivalence import compare_along, compare_to

    keys = [word for word in words or [] if "=" not in word]
    along = keys[0] if keys else ""
    refuse_if(len(keys) > 1, f"`{', '.join(keys)}`: name one key in which tables differ")
    message = f"`{along}` compares tables, and `--to {to}` rows of one; say one of them"
    refuse_if(bool(along and to), message)
    overrides = [word for word in words or [] if "=" in word]
    name = saved.name_of(results, suite, overrides)
    _, board, notes = saved.board(results, name, equilibrium, stale=allow_stale)
    for note in notes:
        print_text(err, f"note: {note}")
    found = compare_to(board, to, margin / 100) if to else compare_along(board, along, margin / 100)
    if form != "rich":
        fields = _fields(found)
        write_form(form, fields, fields["rows"])
        return
    if not found.rows:
        print_text(out, "Nothing to compare yet: no row has ended in both tables.")
        return
    _tell(found, to=to, margin=margin)


def _tell(found: "EquivalenceReport", *, to: str, margin: float) -> None:
    """Print the tables, the orders, and what all rows say together."""
    from bench.leaderboard.tables import terminal

    for title, table in _tables(found, to=to):
        for own in terminal.stack(title, table.split(out.width)):
            out.print(own)
    for order in found.orders:
        _tell_order(order)
    if found.together and len(found.orders) > 1:
        print_text(out, f"All {len(found.rows)} together: {_told(found.together)}")
    print_text(
        out, f"{_count(found)} of {len(found.rows)} are equivalent within {margin:g} points."
    )


def _tables(found: "EquivalenceReport", *, to: str) -> "Iterator[tuple[str, layout.Table]]":
    """A table for each network and pair of values, with its title."""
    from bench.leaderboard.tables import layout

    for title, rows in _groups(found, to=to).items():
        first, second = rows[0].differ
        scores = ("acc, %", f"{to}: acc, %") if to else (f"{second}: acc, %", f"{first}: acc, %")
        heads = ("row", *scores, *HEADS)
        columns = [layout.Heading(head, "text" if head in TEXT else "number") for head in heads]
        words = [layout.TextRow(_words(one), [one.second]) for one in rows]
        yield title, layout.Table(columns, words)


def _groups(found: "EquivalenceReport", *, to: str) -> dict[str, list["ComparedRows"]]:
    groups: dict[str, list[ComparedRows]] = {}
    for one in found.rows:
        place = f"{one.backbone}, W/A {one.wa}{', tuned' if one.tuned else ''}"
        pair = f"against {to}" if to else f"{one.differ[1]} against {one.differ[0]}"
        groups.setdefault(f"{place}: {pair}", []).append(one)
    return groups


def _words(one: "ComparedRows") -> list[str]:
    from bench.leaderboard.stats.power import MOST

    sizes = [row.seeds.ended for row in (one.second, one.first)]
    fewest = min(sizes) < 2 or one.found.half_width is None
    needed = "unknown" if fewest else f"{one.needed:,}" if one.needed else f"above {MOST:,}"
    return [
        one.second.title,
        *(_percent(row) for row in (one.second, one.first)),
        _difference(one.found),
        _chance(one.found),
        str(sizes[0]) if sizes[0] == sizes[1] else f"{sizes[0]} and {sizes[1]}",
        needed,
        one.found.verdict,
        _both(one.second.scores.e, one.first.scores.e, ".1f"),
        _both(one.second.scores.s, one.first.scores.s, ".1e"),
    ]


def _percent(row: "MeasuredRow") -> str:
    return f"{100 * row.scores.last.mean:.2f}" if row.scores.last else ""


def _both(first: float | None, second: float | None, form: str) -> str:
    """An indicator of both rows, where both have it."""
    if first is None or second is None:
        return ""
    return f"{first:{form}}, {second:{form}}"


def _difference(found: "Equivalence") -> str:
    """Points, with the 90 % interval."""
    if found.half_width is None:
        return f"{100 * found.difference:+.2f}"
    return f"{100 * found.difference:+.2f} ± {100 * found.half_width:.2f}"


def _chance(found: "Equivalence") -> str:
    """The larger p of both tests; none where nothing is known of the spread."""
    return "-" if found.half_width is None else f"{found.p:.3f}"


def _told(found: "Equivalence") -> str:
    return f"Δ {_difference(found)} points (90 %), p {_chance(found)}, {found.verdict}"


def _tell_order(order: "TwoOrders") -> None:
    """The rows by mean accuracy at both values, and their mean difference."""
    place = f"{order.backbone} {order.wa}"
    for value, names in zip(order.differ, (order.first, order.second), strict=True):
        print_text(out, f"{place}, {value}: {' > '.join(names)}")
    if order.tau is not None:
        print_text(out, f"{place}: Kendall's τ of the two orders {order.tau:.2f}")
    if order.together is not None:
        print_text(out, f"{place}: all {len(order.first)} together: {_told(order.together)}")


def _count(found: "EquivalenceReport") -> int:
    return sum(one.found.verdict == "equivalent" for one in found.rows)


def _fields(found: "EquivalenceReport") -> dict[str, Any]:
    return {
        "rows": [_row_fields(one) for one in found.rows],
        "together": found.together and _test_fields(found.together),
        "orders": [
            asdict(order) | {"together": order.together and _test_fields(order.together)}
            for order in found.orders
        ],
    }


def _row_fields(one: "ComparedRows") -> dict[str, Any]:
    return {
        "backbone": one.backbone,
        "wa": one.wa,
        "tuned": one.tuned,
        "row": one.second.name,
        "differ": one.differ,
        "n": [one.first.seeds.ended, one.second.seeds.ended],
        "acc": [row.scores.last and row.scores.last.mean for row in (one.first, one.second)],
        "e": [one.first.scores.e, one.second.scores.e],
        "s": [one.first.scores.s, one.second.scores.s],
        **_test_fields(one.found),
        "needed": one.needed,
    }


def _test_fields(found: "Equivalence") -> dict[str, Any]:
    return asdict(found) | {"verdict": found.verdict}
