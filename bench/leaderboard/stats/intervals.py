"""Means with Student's t intervals: with three to ten seeds the bootstrap is no help."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from bench.base.finite import LARGEST, mean
from bench.leaderboard.stats.exact import stdev

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean of `n` values and its two-sided 95 % t interval; no interval below n = 2."""

    mean: float
    half_width: float | None
    n: int


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean and interval of independent values; None of none."""
    if not values:
        return None
    n = len(values)
    if n < 2:
        return Estimate(mean(values), None, n)
    t = float(stdtrit(n - 1, (1 + LEVEL) / 2))  # pyright: ignore[reportUnknownArgumentType]
    try:
        half_width = t * stdev(values) / math.sqrt(n)
    except OverflowError:
        half_width = LARGEST
    return Estimate(mean(values), min(half_width, LARGEST), n)


def spread(found: Estimate) -> float | None:
    """Half width of the 95 % prediction interval for one run more; None below n = 2."""
    return None if found.half_width is None else found.half_width * math.sqrt(found.n + 1)


def paired(ours: dict[int, float], theirs: dict[int, float]) -> Estimate | None:
    """Mean of ours - theirs over the seeds that both have, with the interval of the differences."""
    return estimate([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])
