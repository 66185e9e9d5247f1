"""
Whether two rows are as good as each other: equivalence, not the absence of a difference.

That two rows cannot be told apart says nothing if they have few seeds. Two one-sided tests
(Schuirmann, 1987) ask the other way round: with Welch's t they refuse that the means differ by a
margin or more, up and down. Both do at 5 % just where the 90 % interval of the difference lies
within the margin.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, TypeAlias

from scipy.special import ndtr, stdtr, stdtrit

from bench.leaderboard.stats.exact import variance
from bench.leaderboard.stats.pairwise import freedom
from bench.leaderboard.stats.power import MOST, POWER, critical_differences

ALPHA = 0.05  # of each of the two tests
Verdict: TypeAlias = Literal["equivalent", "not equivalent", "not settled"]


@dataclass(frozen=True)
class Equivalence:
    """What seeds say of the difference of two means, or of a mean difference."""

    difference: float  # of the second less the first
    half_width: float | None  # of its 90 % interval; None: nothing is known of its spread
    p: float  # the larger of the two tests'
    margin: float

    @property
    def verdict(self) -> Verdict:
        """Is the interval within the margin, wholly outside of it, or neither?"""
        if self.half_width is None:
            return "not settled"
        if abs(self.difference) + self.half_width < self.margin:
            return "equivalent"
        outside = abs(self.difference) - self.half_width > self.margin
        return "not equivalent" if outside else "not settled"


def tost(first: Sequence[float], second: Sequence[float], margin: float) -> Equivalence:
    """
    Test how far the mean of the second sample lies above that of the first, by Welch's t.

    Args:
        margin: in the unit of the samples, above 0.
    """
    difference = fmean(second) - fmean(first)
    if min(len(first), len(second)) < 2:
        return Equivalence(difference, None, 1.0, margin)
    sizes = len(first), len(second)
    parts = variance(first) / sizes[0], variance(second) / sizes[1]
    nu = freedom(parts, sizes) if sum(parts) > 0 else math.nan
    return _two_sides(difference, math.sqrt(sum(parts)), nu, margin)


def tost_of_differences(differences: Sequence[float], margin: float) -> Equivalence:
    """
    Test how far the mean of independent differences lies from 0, by Student's t.

    Args:
        differences: one for each seed, at least one.
        margin: in their unit, above 0.
    """
    n = len(differences)
    if n < 2:
        return Equivalence(fmean(differences), None, 1.0, margin)
    error = math.sqrt(variance(differences) / n)
    return _two_sides(fmean(differences), error, n - 1, margin)


def _two_sides(difference: float, error: float, nu: float, margin: float) -> Equivalence:
    """Make both tests of a difference whose standard error has nu degrees of freedom."""
    if error <= 0:
        return Equivalence(difference, None, 1.0, margin)
    half_width = float(stdtrit(nu, 1 - ALPHA)) * error
    p = float(stdtr(nu, (abs(difference) - margin) / error))
    return Equivalence(difference, half_width, p, margin)


def needed_for_equivalence(
    a: Sequence[float], b: Sequence[float], margin: float, goal: float = POWER
) -> int | None:
    """
    The least n of both rows at which they are shown equivalent with that chance, if they are equal.

        P = E[2 Φ((margin - L) / √((σ_a² + σ_b²)/n)) - 1]_+,    L = t_{0.95, ν} √((s_a² + s_b²)/n)

    over the variances s² that n values of variance σ² may show; σ² are those of the samples.
    None: a row has less than two values, neither spreads, or no n up to `MOST` is enough.
    """
    if min(len(a), len(b)) < 2 or variance(a) + variance(b) <= 0:
        return None
    variances = variance(a), variance(b)

    def enough(n: int) -> bool:
        limits, weights = critical_differences(variances, n, ALPHA)
        reach = (margin - limits) / math.sqrt(sum(variances) / n)
        return float((weights * (2 * ndtr(reach) - 1).clip(0)).sum()) >= goal

    n = 2 + bisect_left(range(2, MOST + 1), True, key=enough)
    return n if n <= MOST else None
