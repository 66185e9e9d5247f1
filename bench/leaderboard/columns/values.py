"""What columns take of a row or of a seed, where that is more than an attribute."""

from collections.abc import Callable
from typing import Any

from bench.leaderboard.board import REAL, AnyRow, MeasuredRow, PublishedRow, Section
from bench.leaderboard.columns.column import SeedRecords, estimate_text, percent
from bench.results.equilibrium import indicators


def of_measured(
    value: Callable[[MeasuredRow], Any], otherwise: Any = None
) -> Callable[[AnyRow], Any]:
    """What a measured row has; rows that are published only have `otherwise`."""
    return lambda row: value(row) if isinstance(row, MeasuredRow) else otherwise


def of_interval(name: str) -> Callable[[AnyRow], Any]:
    return of_measured(
        lambda row: getattr(row.comparison.interval, name) if row.comparison.interval else None
    )


def reasons(counts: dict[str, int]) -> str:
    return "; ".join(counts)


def total(counts: dict[str, int]) -> int:
    return sum(counts.values())


def is_binary(section: Section) -> bool:
    return section.wa != REAL


def of_tuning(section: Section) -> bool:
    return section.tuned


def has_error(section: Section) -> bool:
    return any(row.scores.e is not None for row in section.measured)


def has_instability(section: Section) -> bool:
    return any(row.scores.s is not None for row in section.measured)


def error_text(row: AnyRow) -> str:
    """The estimating error in words; `no f` of a method that has none to err."""
    found = row.scores.e if isinstance(row, MeasuredRow) else None
    if found is not None:
        return f"{found:.4g}"
    return "-" if row.estimator.has_f else "no f"


def accuracy_text(row: AnyRow) -> str:
    """Ours, or why there is none."""
    if isinstance(row, PublishedRow):
        return row.reason
    if row.seeds.unused and not row.seeds.ended:
        return "stale"
    return estimate_text(row.scores.last, percent)


def ranks_text(row: AnyRow) -> str:
    interval = row.comparison.interval if isinstance(row, MeasuredRow) else None
    if interval is None:
        return "-"
    first, last = interval.first, interval.last
    return str(first) if first == last else f"{first}–{last}"


def seeds_text(row: AnyRow) -> str:
    if isinstance(row, PublishedRow):
        return "0"
    planned = len(row.cells)
    complete = row.seeds.ended + total(row.seeds.lost) == planned
    return str(row.seeds.ended) if complete else f"{row.seeds.ended} of {planned}"


def published_text(row: AnyRow) -> str:
    if row.claim is None:
        return "-"
    top5 = "" if row.claim.top5 is None else f" / {row.claim.top5:.2f}"
    return f"{row.claim.acc:.2f}{top5}"


def difference_of_seed(seed: SeedRecords) -> float | None:
    ours, theirs = seed.record.last_acc, seed.baseline.last_acc if seed.baseline else None
    return None if ours is None or theirs is None else ours - theirs


def indicator_of_seed(index: int) -> Callable[[SeedRecords], float | None]:
    def of_seed(seed: SeedRecords) -> float | None:
        pair = indicators(seed.record, seed.definition)
        return pair[index] if pair else None

    return of_seed
