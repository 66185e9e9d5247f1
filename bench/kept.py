"""The board of a suite that ran, from what the results folder holds of it."""

from pathlib import Path

from bench import leaderboard, standing, store
from bench.cell import Definition
from bench.leaderboard import Board
from bench.pairwise import Correction
from bench.plan import Plan


def board(
    root: Path,
    suite: str,
    definition: Definition | None = None,
    correction: Correction = "holm",
    *,
    stale: bool,
) -> tuple[Plan, Board, list[str]]:
    """
    The kept plan, its board, and those of the board's notes that are of the folder's state.

    Args:
        stale: use stale records where there are no others.

    Raises:
        UsageError: the suite never ran here, or its plan cannot be read.
    """
    plan = store.find_plan(root, suite)
    found, notes = standing.of_kept(root, plan)
    records = found.records(stale=stale)
    ranked = leaderboard.rank(plan, records, definition, found.stale, notes, correction)
    return plan, ranked, notes
