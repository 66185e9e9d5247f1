"""
What two records measured, set against each other to the bit.

Times, throughput, memory and machines are no part of it: they differ between two runs of one cell
that computed the same.
"""

from dataclasses import dataclass
from itertools import zip_longest

from bench.results.record import Record
from bench.spec.cell import ParentRole

VOLATILE = frozenset({"provenance", "earlier", "receipt", "images_per_s", "peak_mib", "seal"})


@dataclass(frozen=True)
class FieldDifference:
    """One thing that two records do not agree on, as people read it."""

    name: str
    a: str
    b: str

    def __str__(self) -> str:
        return f"{self.name} {self.a} / {self.b}"


def diff_records(a: Record, b: Record) -> list[FieldDifference]:
    """
    Where the outcomes part; empty if they are the same to the bit.

    What one of them does not hold, since it is of an older version, is not compared.
    """
    differences = [
        FieldDifference(name, str(x), str(y))
        for name, x, y in (
            ("status", a.status, b.status),
            ("reason", a.reason or "-", b.reason or "-"),
            ("best epoch", _epoch(a.best_epoch), _epoch(b.best_epoch)),
            ("weights of the start", *_taken("start", a, b)),
            ("weights of the teacher", *_taken("teacher", a, b)),
            ("last weights", a.weights_digest[:12], b.weights_digest[:12]),
            ("best weights", a.best_digest[:12], b.best_digest[:12]),
        )
        if x != y and (x and y)
    ]
    if a.curves_digest == b.curves_digest:  # which an index tells
        return differences
    for name in [n for n in a.curves if n in b.curves]:
        differences += _parting(name, a.curves[name], b.curves[name])
    if a.indicators and b.indicators and a.indicators != b.indicators:
        differences.append(FieldDifference("indicators", "differ", "differ"))
    return differences


def _taken(role: ParentRole, a: Record, b: Record) -> tuple[str, str]:
    """The digests of the weights that two records took from a parent."""
    return a.parents.get(role, "")[:12], b.parents.get(role, "")[:12]


def _epoch(index: int | None) -> str:
    return "" if index is None else str(index + 1)


def _parting(name: str, a: list[float], b: list[float]) -> list[FieldDifference]:
    """The first epoch, counted from 1, at which two curves differ."""
    for epoch, (x, y) in enumerate(zip(a, b, strict=False), start=1):
        if x != y:
            return [FieldDifference(f"{name} from epoch {epoch}", repr(x), repr(y))]
    if len(a) != len(b):
        return [FieldDifference(f"{name}, epochs", str(len(a)), str(len(b)))]
    return []


def first_differing_step(steps: list[str], others: list[str]) -> int | None:
    """The first step, from 1, at which two trainings' weights differ; None: they never do."""
    pairs = enumerate(zip_longest(steps, others), start=1)
    return next((step for step, (one, other) in pairs if one != other), None)


def describe_result(record: Record) -> str:
    """Accuracy after the last epoch, or what became of the cell."""
    if record.last_acc is None:
        return f"{record.status}: {record.reason}" if record.reason else record.status
    return f"{100 * record.last_acc:.2f} %"
