"""
Fair tuning: for each row the trial that does best on held-out training images.

Every row has the same number of trials. They are judged by last-epoch accuracy on the part of
the training images that they did not train on; the test images are not looked at. The values
chosen then train on all training images, and their row stands beside the untuned one.
"""

from collections.abc import Mapping
from statistics import fmean

from bench.results.record import Record
from bench.spec.plan import Plan, Row, Trial


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
