"""
How many seeds a difference needs: the power of Welch's t test.

The variances of n values are themselves guessed from these n, and few seeds guess badly: a test of
two rows of two seeds finds a difference of six standard deviations every other time, where known
variances would find it in five of six. So chances are means over what the variances may be seen as.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, variance
from typing import TYPE_CHECKING

from bench.leaderboard.stats.pairwise import freedom

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POWER = 0.8
MOST = 10_000  # seeds; a difference that needs more is none that anybody will measure
POINTS = 24  # of each variance that may be seen


def power(difference: float, variances: tuple[float, float], n: int, alpha: float) -> float:
    """
    Chance that two rows of n seeds each, whose means differ so, are told apart at level alpha.

    Args:
        variances: of one run of each row, in the square of the difference's unit.
    """
    from scipy.special import ndtr

    spread = math.sqrt(sum(variances) / n)  # of the difference of the two means
    if spread <= 0:
        return 0.0 if difference == 0 else 1.0
    limits, weights = critical_differences(variances, n, alpha / 2)
    shift = abs(difference)
    found = ndtr((shift - limits) / spread) + ndtr((-shift - limits) / spread)
    return float((weights * found).sum())


def critical_differences(
    variances: tuple[float, float], n: int, tail: float
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """
    How far apart two means of n values each must be seen to be, and how likely that limit is.

        t_{1-tail, ν} √((s_a² + s_b²)/n),    (n-1) s²/σ² ~ χ²_{n-1}

    Gauss and Legendre's points of both chances Pr(s² below). `variances` are the σ², one above 0.
    """
    import numpy as np
    from scipy.special import chdtri, stdtrit

    points, weights = np.polynomial.legendre.leggauss(POINTS)
    seen = chdtri(n - 1, (1 - points) / 2) / (n - 1)
    a, b = variances[0] * seen[:, None] / n, variances[1] * seen[None, :] / n
    limits = stdtrit(freedom((a, b), (n, n)), 1 - tail) * np.sqrt(a + b)
    return limits, weights[:, None] * weights[None, :] / 4


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
