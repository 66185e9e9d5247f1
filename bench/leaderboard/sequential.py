"""
Seeds where they are needed: a plan grows by the rows that are not told apart yet.

The board is looked at when rows have n seeds, 2n, 4n, ... up to the most; a look that finds a pair
apart ends its growth. Looking K times at level α/K each bounds the chance of any false difference
at any look by α (Bonferroni). So the plan keeps every number of seeds at which it was or may be
looked at, and its board is tested at α/K. The bound is that of a race planned once: who raises the
most later pays for the looks to come, not for having known the earlier ones.
"""

from collections.abc import Iterable

from bench.errors import UsageError
from bench.leaderboard.board import REAL, Board, Key
from bench.leaderboard.measured_rows import key
from bench.leaderboard.undecided_pairs import undecided
from bench.spec.cell import Cell
from bench.spec.plan import Plan, Row


def looks(plan: Plan, most: int) -> list[int]:
    """
    Seeds of a row at each look: the suite's own number first, `most` last.

    Raises:
        UsageError: the suite tunes, so that its rows are not cells that differ in the seed alone.
    """
    if any(row.trials for row in plan.rows):
        message = "--until-separated adds seeds to rows as they stand; this suite tunes them"
        raise UsageError(message)
    sizes = [min((len(row.cells) for row in plan.rows if row.wa != REAL), default=most)]
    while sizes[-1] < most:
        sizes.append(min(2 * sizes[-1], most))
    return sizes


def wanting(board: Board) -> set[Key]:
    """The rows of pairs that are not told apart."""
    return {row.key for pair in undecided(board) for row in (pair.a, pair.b)}


def grown(plan: Plan, names: Iterable[Key], n: int) -> Plan:
    """The plan in which those rows have n seeds, the least that they have not added."""
    wanted = set(names)
    rows = [_with_seeds(row, n) if key(row) in wanted else row for row in plan.rows]
    return plan.model_copy(update={"rows": rows})


def adopted(plan: Plan, kept: Plan) -> Plan:
    """The plan with the seeds that earlier runs added to its rows, where these are as they were."""
    if not kept.looked:
        return plan
    known = {key(row): row.cells for row in kept.rows}
    rows = [_with_cells(row, known.get(key(row), [])) for row in plan.rows]
    if not any(row.cells[0].sibling(c) for row in rows for c in known.get(key(row), [])[:1]):
        return plan
    looked = sorted({*plan.looked, *kept.looked})
    return plan.model_copy(update={"rows": rows, "looked": looked})


def _with_cells(row: Row, more: list[Cell]) -> Row:
    """The row with those cells of another plan that are its own at other seeds."""
    taken = {cell.seed for cell in row.cells}
    own = [c for c in more if c.seed not in taken and c.sibling(row.cells[0])]
    return row.model_copy(update={"cells": [*row.cells, *own]})


def _with_seeds(row: Row, n: int) -> Row:
    cells = list(row.cells)
    taken = {cell.seed for cell in cells}
    free = (seed for seed in range(n + len(cells)) if seed not in taken)
    while len(cells) < n:
        cells.append(cells[0].at_seed(next(free)))
    return row.model_copy(update={"cells": cells})
