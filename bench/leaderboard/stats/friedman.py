"""
Estimators over several sections: average ranks, Friedman's test, Nemenyi's critical difference.

Within each block, a backbone at one W/A, the rows are ranked by mean accuracy, 1 the best, ties
sharing their ranks, as Demšar (2006) ranks classifiers over data sets. There are few blocks here,
of which chi-square is no guide: Friedman's p is a permutation's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from bench.leaderboard.stats.kept import computed

ALPHA = 0.05
DRAWS = 100_000  # of ranks, for p: known to 0.0007 where it is 0.05


@dataclass(frozen=True)
class AverageRanks:
    """Average ranks of k rows over N blocks, best first."""

    ranks: dict[str, float]
    blocks: list[str]  # their names
    p: float | None  # Friedman's: that all rows are alike; None below three, and where all tie
    critical: float  # average ranks that differ by more are told apart, at 5 %
    without: list[str]  # rows that some block lacks

    @property
    def groups(self) -> list[list[str]]:
        """The longest runs of rows that cannot be told apart, of two rows or more."""
        names, found = list(self.ranks), list[list[str]]()
        for i, name in enumerate(names):
            near = [n for n in names[i:] if self.ranks[n] - self.ranks[name] <= self.critical]
            if len(near) > 1 and not (found and found[-1][-1] == near[-1]):
                found.append(near)
        return found


def average_ranks(
    blocks: Mapping[str, Mapping[str, float]], board: str = ""
) -> AverageRanks | None:
    """
    Compare rows over blocks, by the rows that every block has.

    Args:
        blocks: block → row → mean accuracy.
        board: whose rows they are, under which the test's numbers are kept.

    Returns None below two blocks or two rows.
    """
    every = dict.fromkeys(row for block in blocks.values() for row in block)
    shared = [row for row in every if all(row in block for block in blocks.values())]
    if len(blocks) < 2 or len(shared) < 2:
        return None
    table = [[block[row] for row in shared] for block in blocks.values()]
    ((*averages, p, critical),) = computed(
        f"permuted ranks {board}", [(table, partial(_tests, table))]
    )
    average = dict(zip(shared, averages, strict=True))
    without = [row for row in every if row not in shared]
    ordered = dict(sorted(average.items(), key=lambda item: item[1]))
    known = None if math.isnan(p) else p
    return AverageRanks(ordered, list(blocks), known, critical, without)


def _tests(table: Sequence[Sequence[float]]) -> list[float]:
    """
    The average ranks of the columns, Friedman's p and Nemenyi's critical difference.

    Args:
        table: of every block the rows' accuracies.
    """
    from scipy import stats

    ranked = [[float(r) for r in stats.rankdata([-x for x in line])] for line in table]
    averages = [fmean(line[i] for line in ranked) for i in range(len(table[0]))]
    p = _chance(ranked) if len(averages) > 2 else math.nan
    return [*averages, p, critical_difference(len(averages), len(table))]


def _chance(ranked: Sequence[Sequence[float]]) -> float:
    """
    The chance that average ranks lie so far apart, or farther, if all orders are as likely.

    Over random orders within each block, always the same ones. nan where all rows of all blocks
    share one rank.
    """
    import numpy as np

    table = np.array(ranked)
    if (table == table[0, 0]).all():
        return math.nan
    rng = np.random.default_rng(0)
    sums = np.zeros((DRAWS, table.shape[1]))
    for line in table:
        sums += rng.permuted(np.tile(line, (DRAWS, 1)), axis=1)
    apart, seen = (sums**2).sum(1), (table.sum(0) ** 2).sum()
    return float(1 + (apart >= seen - 1e-6).sum()) / (1 + DRAWS)


def critical_difference(rows: int, blocks: int, alpha: float = ALPHA) -> float:
    """Nemenyi's (1963): q √(k (k + 1) / 6N), q of the studentized range over √2."""
    from scipy import stats

    q = float(stats.studentized_range.isf(alpha, rows, math.inf)) / math.sqrt(2)
    return q * math.sqrt(rows * (rows + 1) / (6 * blocks))
