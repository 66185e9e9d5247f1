"""How many seeds a difference needs: the power of Welch's t test, by the noncentral t."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, variance

from bench.leaderboard.stats.pairwise import freedom

POWER = 0.8
MOST = 10_000  # seeds; a difference that needs more is none that anybody will measure


def power(difference: float, variances: tuple[float, float], n: int, alpha: float) -> float:
    """
    Chance that two rows of n seeds each, whose means differ so, are told apart at level alpha.

    Args:
        variances: of one run of each row, in the square of the difference's unit.
    """
    from scipy import stats

    parts = variances[0] / n, variances[1] / n
    if sum(parts) <= 0:
        return 0.0 if difference == 0 else 1.0
    nu = freedom(parts, (n, n))
    limit = float(stats.t.isf(alpha / 2, nu))
    shift = abs(difference) / math.sqrt(sum(parts))
    above = float(stats.nct.sf(limit, nu, shift))
    below = float(stats.nct.cdf(-limit, nu, shift))
    return above + (0.0 if math.isnan(below) else below)  # too small to be computed


def needed(a: Sequence[float], b: Sequence[float], alpha: float, goal: float = POWER) -> int | None:
    """
    The least n of both rows at which the chance reaches `goal`, if the difference is as seen.

    None where there is no such n up to `MOST`, a row has less than two values, or neither spreads.
    """
    if min(len(a), len(b)) < 2 or variance(a) + variance(b) <= 0:
        return None
    difference, spread = fmean(a) - fmean(b), (variance(a), variance(b))
    low, high = 1, MOST + 1  # too few, and enough or beyond what is asked
    at, step = _about(difference, sum(spread), alpha, goal), 1
    while high - low > 1:
        if power(difference, spread, at, alpha) < goal:
            low, at = at, at + step
        else:
            high, at = at, at - step
        step *= 2
        if not low < at < high:
            at = (low + high) // 2
    return high if high <= MOST else None


def _about(difference: float, spread: float, alpha: float, goal: float) -> int:
    """What the normal distribution says of `needed`: near it, so that few chances are computed."""
    normal = NormalDist()
    ways = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(goal)
    root = ways * math.sqrt(spread) / abs(difference) if difference else MOST
    return min(max(math.ceil(min(root, MOST) ** 2), 2), MOST)
