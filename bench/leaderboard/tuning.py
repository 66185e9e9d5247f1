"""
Fair tuning: for each row the trial that does best on held-out training images.

Every row has the same number of trials. They are judged by last-epoch accuracy on the part of
the training images that they did not train on; the test images are not looked at. The values
chosen then train on all training images, and their row stands beside the untuned one.
"""

import math
import random
from collections.abc import Mapping
from statistics import fmean
from typing import Any, TypeAlias

from bench.results.record import Record
from bench.spec.plan import Plan, Row, Trial

Grid: TypeAlias = dict[tuple[str, ...], list[Any]]  # where a value goes → its candidates
Values: TypeAlias = dict[tuple[str, ...], Any]


def draw(own: Values, grid: Grid, count: int) -> list[Values]:
    """`count` points of the grid in its order, without `own`: the same sample for ever."""
    total, at = _total(grid), _place(own, grid)
    others = total if at is None else total - 1
    places = sorted(random.Random(0).sample(range(others), count))
    return [_point(grid, i if at is None or i < at else i + 1) for i in places]


def size(own: Values, grid: Grid) -> int:
    """How many settings a row can try: its grid's, and its own if that is none of them."""
    return _total(grid) + (_place(own, grid) is None)


def _total(grid: Grid) -> int:
    return math.prod(len(values) for values in grid.values())


def _place(own: Values, grid: Grid) -> int | None:
    """Where `own` stands in the grid."""
    place = 0
    for key, values in grid.items():
        if own[key] not in values:
            return None
        place = place * len(values) + values.index(own[key])
    return place


def _point(grid: Grid, place: int) -> Values:
    chosen: Values = {}
    for key, values in reversed(grid.items()):
        place, index = divmod(place, len(values))
        chosen[key] = values[index]
    return {key: chosen[key] for key in grid}


def chosen(row: Row, known: Mapping[str, Record]) -> Trial | None:
    """The row's best trial, the first of equals; None while one of them has not been measured."""
    scores = [_score(trial, known) for trial in row.trials]
    measured = [score for score in scores if score is not None]
    if not scores or len(measured) < len(scores):
        return None
    return row.trials[measured.index(max(measured))]


def _score(trial: Trial, known: Mapping[str, Record]) -> float | None:
    """Mean held-out accuracy; -1 if a seed diverged, None if one has no measurement."""
    records = [known.get(cell.id) for cell in trial.held_out]
    if any(record is None or not record.measured for record in records):
        return None
    accs = [record.last_acc for record in records if record]
    return fmean(-1.0 if acc is None else acc for acc in accs)


def tuned(plan: Plan, known: Mapping[str, Record]) -> list[Trial]:
    """The chosen trial of each row that has one; rows may share cells and yet choose apart."""
    return [trial for row in plan.rows if (trial := chosen(row, known))]
