"""
How cells stand: measured, failed, to run, or measured by other code or on other data than now.

The last is *stale*: its record is told with its reasons, and neither used nor replaced unasked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from bench import identity, store
from bench.cell import Cell
from bench.plan import Plan
from bench.record import Record
from bench.registry import add_folders

State: TypeAlias = Literal["recorded", "failed", "stale", "to run"]


@dataclass(frozen=True)
class Standing:
    """A cell and its record; if that was made for what the cell was before, what changed since."""

    cell: Cell
    record: Record | None = None
    stale: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        if self.record is None:
            return "to run"
        measured = "recorded" if self.record.measured else "failed"
        return "stale" if self.stale else measured

    @property
    def note(self) -> str:
        """Why it is stale, failed or diverged."""
        if self.stale or self.record is None:
            return ", ".join(self.stale)
        return f"{self.record.status}: {self.record.reason}" if self.record.reason else ""


def drift(plan: Plan) -> list[str]:
    """What must be said of a table that is printed from a plan kept earlier, if anything."""
    add_folders(map(Path, plan.plugins))
    reasons = ", ".join(identity.drift(plan.possible))
    return [f"these numbers may not be of the code as it is now: {reasons}"] if reasons else []


class Standings:
    """How each of some cells stands under a results folder, by the cell's id."""

    def __init__(self, root: Path, cells: Iterable[Cell]) -> None:
        self.root = root
        self.alike: dict[str, list[Record]] = {}  # measured, by their cell's name
        self.of = {cell.id: self._standing(cell) for cell in cells}

    @property
    def stale(self) -> dict[str, tuple[str, ...]]:
        """What changed since, of every cell that has only a stale record."""
        return {name: s.stale for name, s in self.of.items() if s.stale}

    def records(self, *, stale: bool) -> list[Record]:
        """Every cell's own record; if asked for, the stale one where there is none."""
        return [
            s.record.model_copy(update={"cell": s.cell})
            for s in self.of.values()
            if s.record and (stale or not s.stale)
        ]

    def _standing(self, cell: Cell) -> Standing:
        if record := store.find(self.root, cell):
            return Standing(cell, record)
        if cell.name not in self.alike:
            found = (record for _, record in store.alike(self.root, cell))
            self.alike[cell.name] = [record for record in found if record.measured]
        key = cell.key
        older = [record for record in self.alike[cell.name] if record.cell.key == key]
        own = [record for record in older if record.cell == cell]  # an older version's folder
        if own or not older:
            return Standing(cell, own[0] if own else None)
        newest = max(older, key=lambda record: record.provenance.started)
        return Standing(cell, newest, tuple(identity.changes(newest.cell, cell)))
