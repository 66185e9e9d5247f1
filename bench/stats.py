"""Means with Student's t intervals: with three to ten seeds the bootstrap is no help."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.special import stdtrit

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
        return Estimate(fmean(values), None, n)
    t = float(stdtrit(n - 1, (1 + LEVEL) / 2))  # pyright: ignore[reportUnknownArgumentType]
    return Estimate(fmean(values), t * stdev(values) / math.sqrt(n), n)


def paired(ours: dict[int, float], theirs: dict[int, float]) -> Estimate | None:
    """Mean of ours - theirs over the seeds that both have, with the interval of the differences."""
    return estimate([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])
