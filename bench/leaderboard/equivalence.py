"""Which rows of a board are equivalent: to themselves in another section, or to one of theirs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from bench.base.text import suggest
from bench.errors import UsageError
from bench.leaderboard.board import Board, MeasuredRow, Section
from bench.leaderboard.stats.equivalence import (
    Equivalence,
    needed_for_equivalence,
    tost,
    tost_of_differences,
)
from bench.leaderboard.undecided_pairs import comparable
from bench.spec.label import label_values, without_value


@dataclass(frozen=True)
class ComparedRows:
    """Two rows of one network, and what their seeds say of the second less the first."""

    backbone: str  # without what they differ in
    wa: str
    tuned: bool
    first: MeasuredRow
    second: MeasuredRow
    differ: tuple[str, str]  # in what: two values, or two names
    found: Equivalence
    needed: int | None  # seeds of each that show it, if they are equal


@dataclass(frozen=True)
class TwoOrders:
    """
    The rows of two sections by mean accuracy, best first, Kendall's τ between the two orders, and
    the mean difference of all rows.
    """

    backbone: str
    wa: str
    tuned: bool
    differ: tuple[str, str]
    first: list[str]
    second: list[str]
    tau: float | None  # τ-b; None: fewer than two rows, or all of a section are equal
    together: Equivalence | None  # None: fewer than two rows, or seeds in all


@dataclass(frozen=True)
class EquivalenceReport:
    """Every comparison that was asked for."""

    rows: list[ComparedRows]
    # their mean difference; None: fewer than two, of one row, of three tables or more, or fewer
    # than two seeds are in all of them
    together: Equivalence | None
    orders: list[TwoOrders]  # of whole sections, where these are compared


def compare_along(board: Board, key: str, margin: float) -> EquivalenceReport:
    """
    Compare each row with itself at the other values of what a suite crosses, or a matrix.

    Of several values every pair is compared, the earlier in the suite with the later.

    Args:
        key: as labels of networks have it, as in `resnet20(gradients=bfloat16)`; empty: the only
            one that there is.
        margin: a fraction.

    Raises:
        UsageError: no label has such a key.
    """
    key = key or _only_key(board)
    groups: dict[tuple[str, str, bool], list[tuple[str, Section]]] = {}
    for section in board.sections:
        if (value := label_values(section.backbone).get(key)) is not None:
            place = without_value(section.backbone, key), section.wa, section.tuned
            groups.setdefault(place, []).append((value, section))
    if not any(len(several) > 1 for several in groups.values()):
        keys = sorted({key for section in board.sections for key in label_values(section.backbone)})
        hint = suggest(key, keys) if keys else "; `--to ROW` compares rows of one table"
        message = f"no two tables differ in `{key}`{hint}"
        raise UsageError(message)
    rows: list[ComparedRows] = []
    orders: list[TwoOrders] = []
    for place, several in groups.items():
        for (value, first), (other, second) in combinations(several, 2):
            differ = value, other
            both = [_compare(place, a, b, differ, margin) for a, b in _both(first, second)]
            names = _order(both, 0), _order(both, 1)
            if both:
                together = _together(both, margin)
                orders.append(TwoOrders(*place, differ, *names, _tau(both), together))
            rows += both
    once = max(map(len, groups.values())) == 2  # else they are differences of several kinds
    return EquivalenceReport(rows, _together(rows, margin) if once else None, orders)


def compare_to(board: Board, name: str, margin: float) -> EquivalenceReport:
    """
    Compare all rows of each section with one of them.

    Raises:
        UsageError: no section has a row of that name.
    """
    rows: list[ComparedRows] = []
    names = dict.fromkeys(row.name for section in board.sections for row in comparable(section))
    if name not in names:
        raise UsageError(f"no row `{name}` that came to its end{suggest(name, names)}")
    for section in board.sections:
        place = section.backbone, section.wa, section.tuned
        there = {row.name: row for row in comparable(section)}
        one = there.pop(name, None)
        rows += [_compare(place, one, b, (name, b.name), margin) for b in there.values() if one]
    return EquivalenceReport(rows, None, [])


def _compare(
    place: tuple[str, str, bool],
    first: MeasuredRow,
    second: MeasuredRow,
    differ: tuple[str, str],
    margin: float,
) -> ComparedRows:
    samples = _samples(first, second)
    found = tost(*samples, margin)
    needed = needed_for_equivalence(*samples, margin)
    return ComparedRows(*place, first, second, differ, found, needed)


def _together(rows: list[ComparedRows], margin: float) -> Equivalence | None:
    """
    Test the mean difference of several rows, which each seed has one of.

    Rows of a seed share its images' order and random numbers, so that rows are no independent
    samples; seeds are.
    """
    if len(rows) < 2:
        return None
    pairs = [(row.first.scores.by_seed, row.second.scores.by_seed) for row in rows]
    seeds = set(pairs[0][0]).intersection(*(side for pair in pairs for side in pair))
    differences = [fmean(second[s] - first[s] for first, second in pairs) for s in sorted(seeds)]
    return tost_of_differences(differences, margin) if len(differences) > 1 else None


def _samples(first: MeasuredRow, second: MeasuredRow) -> tuple[list[float], list[float]]:
    return [*first.scores.by_seed.values()], [*second.scores.by_seed.values()]


def _both(first: Section, second: Section) -> Iterator[tuple[MeasuredRow, MeasuredRow]]:
    """Yield the rows that both sections have, best first in the first."""
    others = {(row.label, row.schedule): row for row in comparable(second)}
    for row in comparable(first):
        if (row.label, row.schedule) in others:
            yield row, others[row.label, row.schedule]


def _means(rows: list[ComparedRows], side: int) -> list[float]:
    return [fmean(_samples(row.first, row.second)[side]) for row in rows]


def _order(rows: list[ComparedRows], side: int) -> list[str]:
    """Name the rows by mean accuracy on one side, best first."""
    means = zip(_means(rows, side), (row.second.name for row in rows), strict=True)
    return [name for _, name in sorted(means, key=lambda found: -found[0])]


def _tau(rows: list[ComparedRows]) -> float | None:
    """Kendall's τ-b of both sides' mean accuracies."""
    from scipy import stats

    if len(rows) < 2:
        return None
    tau = float(stats.kendalltau(_means(rows, 0), _means(rows, 1))[0])  # pyright: ignore
    return None if math.isnan(tau) else tau


def _only_key(board: Board) -> str:
    keys = {
        key
        for section in board.sections
        for key in label_values(section.backbone)
        if len({label_values(other.backbone).get(key) for other in board.sections}) > 1
    }
    if len(keys) != 1:
        found = f"several: {', '.join(sorted(keys))}" if keys else "none"
        message = f"in what do tables differ? Their networks' labels say {found}"
        raise UsageError(f"{message}; name one, or a row: `--to ROW`")
    return keys.pop()
