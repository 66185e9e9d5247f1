"""
Which rows of a section can be told apart: every pair by Welch's t test, corrected for their number.

A row's *rank interval* runs from one more than the rows that are surely better than it to as many
as are not surely worse. A *tier* is a run of rows, in order of their means, no two of which can be
told apart; two rows of neighbouring tiers may be alike still, which their intervals say.
"""

import hashlib
import json
import math
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from statistics import fmean, variance

from scipy.special import stdtr

from bench.base.answer_cache import Question, keep, recall
from bench.leaderboard.stats.corrections import adjusted
from bench.spec.choices import Correction

ALPHA = 0.05


@dataclass(frozen=True)
class RankInterval:
    """Where a row stands: its rank is from `first` to `last`; tiers are numbered from 1."""

    first: int
    last: int
    tier: int


def welch(a: Sequence[float], b: Sequence[float]) -> float:
    """
    Two-sided p of Welch's t test (1947) that two samples have one mean.

    1 where nothing can be said: a sample of one value, or two that have no spread at all.
    """
    if min(len(a), len(b)) < 2:
        return 1.0
    parts = variance(a) / len(a), variance(b) / len(b)
    if sum(parts) <= 0:
        return 1.0
    t = (fmean(a) - fmean(b)) / math.sqrt(sum(parts))
    return float(2 * stdtr(freedom(parts, (len(a), len(b))), -abs(t)))  # pyright: ignore


def freedom(parts: tuple[float, float], n: tuple[int, int]) -> float:
    """Welch and Satterthwaite's degrees of freedom; `parts` are the variances of the two means."""
    return sum(parts) ** 2 / sum(part**2 / (size - 1) for part, size in zip(parts, n, strict=True))


def apart(
    samples: Sequence[Sequence[float]], correction: Correction = "holm", alpha: float = ALPHA
) -> set[tuple[int, int]]:
    """Pairs (better, worse) of samples, by index, whose means differ surely."""
    pairs = [*combinations(range(len(samples)), 2)]
    p = adjusted([welch(samples[i], samples[j]) for i, j in pairs], correction)
    return {
        (i, j) if fmean(samples[i]) > fmean(samples[j]) else (j, i)
        for (i, j), value in zip(pairs, p, strict=True)
        if value < alpha
    }


def rank_intervals(n: int, better: set[tuple[int, int]]) -> list[RankInterval]:
    """
    The rank interval of each of n samples, which are in order of their means, best first.

    Args:
        better: pairs (better, worse), as `apart` finds them.
    """
    found: list[RankInterval] = []
    tier = [0]
    number = 1
    for i in range(n):
        if any((member, i) in better for member in tier):
            tier, number = [], number + 1
        tier.append(i)
        above = sum((other, i) in better for other in range(n))
        below = sum((i, other) in better for other in range(n))
        found.append(RankInterval(above + 1, n - below, number))
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
    if not _is_import_due():
        return _dunnett(samples, control)
    values = json.dumps([[*map(float, sample)] for sample in every])
    question = Question(("dunnett", hashlib.sha256(values.encode()).hexdigest()), ())
    kept = recall(question, _read_floats)
    if kept is None:
        kept = _dunnett(samples, control)
        keep(question, json.dumps(kept))
    return kept


@cache
def _is_import_due() -> bool:
    """
    Tell whether nobody has imported scipy.stats before the first test.

    The import takes more time than all the rest of `bench leaderboard`, and the test none: p is
    kept to save the import alone. p that is kept is p that was computed, to the bit, from the same
    values by the same scipy: these name the answer, and the answer's seal shows any damage. It is
    as safe as the user's own cache folder, from which every other answer comes.
    """
    return "scipy.stats" not in sys.modules


def _read_floats(text: str) -> list[float]:
    return [*map(float, json.loads(text))]


def _dunnett(samples: Sequence[Sequence[float]], control: Sequence[float]) -> list[float]:
    from scipy import stats

    with warnings.catch_warnings():  # of a row whose values agree; the variance is pooled
        warnings.simplefilter("ignore", RuntimeWarning)
        found = stats.dunnett(*samples, control=control, rng=0)  # pyright: ignore
    return [float(p) for p in found.pvalue]  # pyright: ignore[reportUnknownVariableType]
