"""The pairs of a board's rows that their seeds cannot tell apart, and how many seeds would."""

from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from bench.leaderboard.board import Board, MeasuredRow, Section
from bench.leaderboard.stats.pairwise import apart
from bench.leaderboard.stats.power import POWER, needed


@dataclass(frozen=True)
class RowPair:
    """Two rows of one section that lost no seed; `a` has the greater mean."""

    backbone: str
    wa: str
    tuned: bool
    a: MeasuredRow
    b: MeasuredRow
    needed: int | None  # seeds of each; None: no number that can be had, or one row has one seed

    @property
    def difference(self) -> float:
        """Of the means, as a fraction."""
        return fmean(self.a.scores.by_seed.values()) - fmean(self.b.scores.by_seed.values())

    @property
    def more(self) -> int | None:
        """Seeds that the row with fewer of them lacks."""
        return self.needed and max(self.needed - min(self.a.seeds.ended, self.b.seeds.ended), 1)


def comparable(section: Section) -> list[MeasuredRow]:
    """The rows that are compared with each other."""
    return [row for row in section.measured if row.comparison.rank and not row.seeds.lost]


def undecided(board: Board, goal: float = POWER) -> list[RowPair]:
    """
    Every such pair, those that need fewest seeds first.

    Args:
        goal: the chance to tell a pair apart that `needed` is for, if it differs as it seems to.
            Its level is the board's over the number of the section's pairs, Holm's first step.
    """
    unsettled: list[RowPair] = []
    for section in board.sections:
        rows = comparable(section)
        samples = [[*row.scores.by_seed.values()] for row in rows]
        known = apart(samples, board.correction, board.alpha)
        pairs = [*combinations(range(len(rows)), 2)]
        for i, j in pairs:
            if known.isdisjoint({(i, j), (j, i)}):
                seeds = needed(samples[i], samples[j], board.alpha / len(pairs), goal)
                place = section.backbone, section.wa, section.tuned
                unsettled.append(RowPair(*place, rows[i], rows[j], seeds))
    return sorted(unsettled, key=lambda pair: (pair.needed is None, pair.needed, -pair.difference))


def number(board: Board) -> int:
    """Of all pairs that are compared."""
    sizes = (len(comparable(section)) for section in board.sections)
    return sum(n * (n - 1) // 2 for n in sizes)
