"""
Which rows of a section can be told apart: every pair by Welch's t test, corrected for their number.

A row's *rank interval* runs from one more than the rows that are surely better than it to as many
as are not surely worse. A *tier* is a run of rows, in order of their means, no two of which can be
told apart; two rows of neighbouring tiers may be alike still, which their intervals say.
"""

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from bench.leaderboard.stats.corrections import adjusted
from bench.leaderboard.stats.exact import variance
from bench.leaderboard.stats.kept import computed
from bench.spec.choices import Correction

if TYPE_CHECKING:  # a board whose tests are kept needs neither numpy nor scipy
    import numpy as np
    from numpy.typing import NDArray

ALPHA = 0.05
Samples: TypeAlias = Sequence[Sequence[float]]
Numbers = TypeVar("Numbers", float, "NDArray[np.float64]")


@dataclass(frozen=True)
class RankInterval:
    """Where a row stands: its rank is from `first` to `last`; tiers are numbered from 1."""

    first: int
    last: int
    tier: int


def welch(samples: Samples) -> list[float]:
    """
    Two-sided p of Welch's t test (1947) that two samples have one mean, of every pair.

    The pairs are in the order of `itertools.combinations`. 1 where nothing can be said: a sample
    of one value, or two that have no spread at all.
    """
    import numpy as np
    from scipy.special import stdtr

    n = np.array([len(sample) for sample in samples], dtype=float)
    means = np.array([fmean(sample) for sample in samples])
    parts = np.array([variance(s) / len(s) if len(s) > 1 else math.nan for s in samples])
    i, j = np.triu_indices(len(samples), 1)
    said = np.flatnonzero(parts[i] + parts[j] > 0)  # which nan is not
    p = np.ones(len(i))
    i, j = i[said], j[said]
    t = (means[i] - means[j]) / np.sqrt(parts[i] + parts[j])
    p[said] = 2 * stdtr(freedom((parts[i], parts[j]), (n[i], n[j])), -abs(t))
    return p.tolist()


def freedom(parts: tuple[Numbers, Numbers], n: tuple[Numbers, Numbers]) -> Numbers:
    """Welch and Satterthwaite's degrees of freedom; `parts` are the variances of the two means."""
    (a, b), (n_a, n_b) = parts, n
    return (a + b) ** 2 / (a**2 / (n_a - 1) + b**2 / (n_b - 1))


def apart(
    samples: Samples, correction: Correction = "holm", alpha: float = ALPHA
) -> set[tuple[int, int]]:
    """Pairs (better, worse) of samples, by index, whose means differ surely."""
    return _apart(samples, welch(samples), correction, alpha)


def apart_each(
    board: str, sections: Sequence[Samples], correction: Correction = "holm", alpha: float = ALPHA
) -> list[set[tuple[int, int]]]:
    """The same of each section of a board; p values computed before are not computed again."""
    found = computed(f"welch {board}", [(samples, partial(welch, samples)) for samples in sections])
    return [
        _apart(samples, p, correction, alpha) for samples, p in zip(sections, found, strict=True)
    ]


def _apart(
    samples: Samples, p: Sequence[float], correction: Correction, alpha: float
) -> set[tuple[int, int]]:
    means = [fmean(sample) for sample in samples]
    pairs = zip(combinations(range(len(samples)), 2), adjusted(p, correction), strict=True)
    return {(a, b) if means[a] > means[b] else (b, a) for (a, b), value in pairs if value < alpha}


def rank_intervals(n: int, better: set[tuple[int, int]]) -> list[RankInterval]:
    """
    The rank interval of each of n samples, which are in order of their means, best first.

    Args:
        better: pairs (better, worse), as `apart` finds them.
    """
    above, below = Counter(worse for _, worse in better), Counter(one for one, _ in better)
    found: list[RankInterval] = []
    tier = [0]
    number = 1
    for i in range(n):
        if any((member, i) in better for member in tier):
            tier, number = [], number + 1
        tier.append(i)
        found.append(RankInterval(above[i] + 1, n - below[i], number))
    return found


def dunnett(samples: Sequence[Sequence[float]], control: Sequence[float]) -> list[float]:
    """
    Two-sided p of each sample against the control, by Dunnett (1955).

    The chance that any of them is below alpha, where none differs, is alpha. The variance is
    pooled over all samples. nan of all where fewer than two values or no spread leave none.
    """
    every = [*samples, control]
    if (
        not samples
        or min(map(len, every)) < 1
        or not any(len(s) > 1 and variance(s) > 0 for s in every)
    ):
        return [math.nan] * len(samples)
    return _dunnett(samples, control)


def dunnett_each(board: str, tests: Sequence[tuple[Samples, Sequence[float]]]) -> list[list[float]]:
    """The same of each section of a board; what was computed before is not computed again."""
    asked = [
        ([*samples, control], partial(dunnett, samples, control)) for samples, control in tests
    ]
    return computed(f"dunnett {board}", asked)


def _dunnett(samples: Sequence[Sequence[float]], control: Sequence[float]) -> list[float]:
    from scipy import stats

    with warnings.catch_warnings():  # of a row whose values agree; the variance is pooled
        warnings.simplefilter("ignore", RuntimeWarning)
        found = stats.dunnett(*samples, control=control, rng=0)  # pyright: ignore
    return [float(p) for p in found.pvalue]  # pyright: ignore[reportUnknownVariableType]
