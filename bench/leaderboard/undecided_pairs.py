"""The pairs of a board's rows that their seeds cannot tell apart, and how many seeds would."""

from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from bench.leaderboard.board import Board, Line, Section
from bench.leaderboard.stats.pairwise import apart
from bench.leaderboard.stats.power import POWER, needed


@dataclass(frozen=True)
class Pair:
    """Two rows of one section that lost no seed; `a` has the greater mean."""

    backbone: str
    wa: str
    tuned: bool
    a: Line
    b: Line
    needed: int | None  # seeds of each; None: no number that can be had, or one row has one seed

    @property
    def difference(self) -> float:
        """Of the means, as a fraction."""
        return fmean(self.a.accs.values()) - fmean(self.b.accs.values())

    @property
    def more(self) -> int | None:
        """Seeds that the row with fewer of them lacks."""
        return self.needed and max(self.needed - min(self.a.n, self.b.n), 1)


def comparable(section: Section) -> list[Line]:
    """The rows that are compared with each other."""
    return [line for line in section.lines if line.rank and not line.lost]


def undecided(board: Board, goal: float = POWER) -> list[Pair]:
    """
    Every such pair, those that need fewest seeds first.

    Args:
        goal: the chance to tell a pair apart that `needed` is for, if it differs as it seems to.
            Its level is the board's over the number of the section's pairs, Holm's first step.
    """
    found: list[Pair] = []
    for section in board.sections:
        lines = comparable(section)
        known = apart([[*line.accs.values()] for line in lines], board.correction, board.alpha)
        pairs = [*combinations(range(len(lines)), 2)]
        for i, j in pairs:
            if known.isdisjoint({(i, j), (j, i)}):
                values = [*lines[i].accs.values()], [*lines[j].accs.values()]
                seeds = needed(*values, board.alpha / len(pairs), goal)
                place = section.backbone, section.wa, section.tuned
                found.append(Pair(*place, lines[i], lines[j], seeds))
    return sorted(found, key=lambda pair: (pair.needed is None, pair.needed, -pair.difference))


def number(board: Board) -> int:
    """Of all pairs that are compared."""
    sizes = (len(comparable(section)) for section in board.sections)
    return sum(n * (n - 1) // 2 for n in sizes)
