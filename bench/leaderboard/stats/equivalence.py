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

from scipy.special import stdtr, stdtrit

from bench.leaderboard.stats.exact import variance
from bench.leaderboard.stats.pairwise import freedom
from bench.leaderboard.stats.power import MOST, POWER

ALPHA = 0.05  # of each of the two tests
Verdict: TypeAlias = Literal["equivalent", "not equivalent", "not settled"]
Pair: TypeAlias = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class Equivalence:
    """What seeds say of the difference of two means, or of the mean of several differences."""

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


def tost(pairs: Sequence[Pair], margin: float) -> Equivalence:
    """
    Test the mean over `pairs` of samples of how far the second's mean lies above the first's.

    One pair is the test of two rows; of k pairs the variances of the differences add up to k² times
    that of their mean, with Welch and Satterthwaite's degrees of freedom.

    Args:
        pairs: independent samples, at least one pair.
        margin: in the unit of the samples, above 0.
    """
    difference = fmean(fmean(b) - fmean(a) for a, b in pairs)
    samples = [sample for pair in pairs for sample in pair]
    if min(map(len, samples)) < 2:
        return Equivalence(difference, None, 1.0, margin)
    parts = [variance(sample) / len(sample) for sample in samples]
    if sum(parts) <= 0:
        return Equivalence(difference, None, 1.0, margin)
    nu = sum(parts) ** 2 / sum(
        part**2 / (len(sample) - 1) for part, sample in zip(parts, samples, strict=True)
    )
    error = math.sqrt(sum(parts)) / len(pairs)
    half_width = float(stdtrit(nu, 1 - ALPHA)) * error
    p = float(stdtr(nu, (abs(difference) - margin) / error))
    return Equivalence(difference, half_width, p, margin)


def needed_for_equivalence(
    a: Sequence[float], b: Sequence[float], margin: float, goal: float = POWER
) -> int | None:
    """
    The least n of both rows at which they are shown equivalent with that chance, if they are equal.

        P = 2 Pr(T_ν < margin / √((s_a² + s_b²)/n) - t_{0.95, ν}) - 1

    (Phillips, 1990, of equal means). None: a row has less than two values, neither spreads, or no n
    up to `MOST` is enough.
    """
    if min(len(a), len(b)) < 2 or variance(a) + variance(b) <= 0:
        return None

    def enough(n: int) -> bool:
        parts = variance(a) / n, variance(b) / n
        nu = freedom(parts, (n, n))
        reach = margin / math.sqrt(sum(parts)) - float(stdtrit(nu, 1 - ALPHA))
        return 2 * float(stdtr(nu, reach)) - 1 >= goal

    n = 2 + bisect_left(range(2, MOST + 1), True, key=enough)
    return n if n <= MOST else None
