"""Means with Student's t intervals: with three to ten seeds the bootstrap is no help."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.base.finite import LARGEST, mean
from bench.leaderboard.stats.exact import stdev

LEVEL = 0.95
# Student's t by degrees of freedom from 1, of the two-sided interval at `LEVEL`.
QUANTILES = (
    12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934,
    2.5705818356363146, 2.4469118511449786, 2.364624251592784, 2.306004135204166,
    2.262157162798205, 2.228138851986274, 2.200985160091639, 2.1788128296672284,
    2.1603686564627913, 2.144786687917804, 2.131449545559776, 2.1199052992212546,
    2.1098155778333156, 2.1009220402410382, 2.0930240544083087, 2.085963447265864,
    2.0796138447276795, 2.0738730679040254, 2.0686576104190486, 2.0638985616280245,
    2.0595385527532972, 2.0555294386428735, 2.0518305164802846, 2.0484071417952454,
    2.045229642132703, 2.0422724563012378,
)  # fmt: skip


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
    try:
        half_width = quantile(n - 1) * stdev(values) / math.sqrt(n)
    except OverflowError:
        half_width = LARGEST
    return Estimate(mean(values), min(half_width, LARGEST), n)


def quantile(freedom: int) -> float:
    """Give Student's t at `LEVEL`, two-sided; scipy is imported for more than 30 degrees."""
    if freedom <= len(QUANTILES):
        return QUANTILES[freedom - 1]
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))  # pyright: ignore[reportUnknownArgumentType]


def spread(found: Estimate) -> float | None:
    """Half width of the 95 % prediction interval for one run more; None below n = 2."""
    return None if found.half_width is None else found.half_width * math.sqrt(found.n + 1)


def paired(ours: dict[int, float], theirs: dict[int, float]) -> Estimate | None:
    """Mean of ours - theirs over the seeds that both have, with the interval of the differences."""
    return estimate([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])
