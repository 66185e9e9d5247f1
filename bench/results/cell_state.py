"""
How cells stand: measured, failed, to run, or measured by other code or on other data than now.

The last is *stale*: its record is told with its reasons, and neither used nor replaced unasked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from bench.base.collector import held_back
from bench.errors import UsageError
from bench.results import cell_folders, source_digest, store
from bench.results.record import Record
from bench.results.record_index import RecordIndex
from bench.spec.cell import Cell
from bench.spec.plan import Plan

State: TypeAlias = Literal["recorded", "failed", "stale", "to run"]


@dataclass(frozen=True)
class CellState:
    """A cell and its record; if that was made for what the cell was before, what changed since."""

    cell: Cell
    record: Record | None = None
    stale: tuple[str, ...] = ()
    damage: str = ""  # of what lies in the place of its record and cannot be used
    failed: Record | None = None  # what other code or data last made of it: it failed

    @property
    def id(self) -> str:
        """The id that its record has on disk; the cell's own where there is none."""
        return (self.record.cell if self.record else self.cell).id

    @property
    def state(self) -> State:
        if self.record is None:
            return "to run"
        measured = "recorded" if self.record.measured else "failed"
        return "stale" if self.stale else measured

    @property
    def failed_before(self) -> bool:
        """Did it fail when it was last tried, as it is now or as it was before a change?"""
        return self.state == "failed" or self.failed is not None

    @property
    def note(self) -> str:
        """Why it is stale, failed or diverged, or has no record that can be used."""
        if self.stale or self.record is None:
            return ", ".join(self.stale) or self.damage
        return f"{self.record.status}: {self.record.reason}" if self.record.reason else ""


def read_saved_states(
    root: Path, plan: Plan, known: "CellStates | None" = None
) -> tuple["CellStates", list[str]]:
    """
    The states of a saved plan's cells, by code and data as they are now; notes for its table.

    Args:
        known: what was read of the folder for other plans; what is read now is added to it.
    """
    cell_folders.add_plugins(root, [plan])
    cells = plan.possible
    states = CellStates(root, cells) if known is None else known.select(cells)
    notes: list[str] = []
    if reasons := ", ".join(source_digest.drift(cells)):
        notes.append(f"these numbers may not be of the code as it is now: {reasons}")
    return states, [*notes, *states.damaged]


class CellStates:
    """The states of some cells under a results folder, by id; each record is read once."""

    def __init__(self, root: Path, cells: Iterable[Cell]) -> None:
        self.root = root
        self._index = RecordIndex(root)
        self._listed: dict[str, list[Path]] | None = None  # folders, by their cell's name
        self._namesakes: dict[str, list[Record]] = {}  # by their cell's name
        self.by_id: dict[str, CellState] = {}
        self.refresh(cells)

    def refresh(self, cells: Iterable[Cell]) -> None:
        """Look at the records of these cells, whether they are known already or not."""
        with held_back():
            self.by_id |= {cell.id: self._state(cell) for cell in cells}
        self._index.keep()

    def select(self, cells: Iterable[Cell]) -> "CellStates":
        """Those of the given cells, in their order; only what is not known yet is read."""
        cells = list(cells)
        self.refresh(cell for cell in cells if cell.id not in self.by_id)
        selected = CellStates(self.root, ())
        selected.by_id = {cell.id: self.by_id[cell.id] for cell in cells}
        return selected

    def refresh_unmeasured(self) -> None:
        """Look again at cells that had no measurement: other runs may have made one meanwhile."""
        self.refresh([state.cell for state in self.by_id.values() if state.state != "recorded"])

    @property
    def stale(self) -> dict[str, CellState]:
        """Every cell that has only a stale record."""
        return {name: s for name, s in self.by_id.items() if s.stale}

    @property
    def damaged(self) -> list[str]:
        """What is said of each record that cannot be used."""
        hint = "`bench run` measures its cell again and keeps the file, `bench merge` brings a copy"
        return [f"{s.damage}; {hint}" for s in self.by_id.values() if s.damage]

    def records(self, *, stale: bool) -> list[Record]:
        """Every cell's own record; if asked for, the stale one where there is none."""
        return [
            s.record if s.record.cell is s.cell else s.record.model_copy(update={"cell": s.cell})
            for s in self.by_id.values()
            if s.record and (stale or not s.stale)
        ]

    def _state(self, cell: Cell) -> CellState:
        if record := self._index.find_record(cell):
            return CellState(cell, record)
        damage = self._damage(cell)
        namesakes = self._read_namesakes(cell.name)
        key = cell.key if namesakes else ""
        tried = [record for record in namesakes if record.cell.key == key]
        tried.sort(key=lambda record: record.provenance.started)
        failed = tried[-1] if tried and not tried[-1].measured else None
        older = [record for record in tried if record.measured]
        own = [record for record in older if record.cell == cell]  # an older version's folder
        if own or not older:
            return CellState(cell, own[0] if own else None, damage=damage, failed=failed)
        newest = older[-1]
        stale = tuple(source_digest.changes(newest.cell, cell))
        return CellState(cell, newest, stale, damage, failed)

    def _read_namesakes(self, name: str) -> list[Record]:
        """The records of all cells of a name; their folders are listed once for all names."""
        if self._listed is None:
            self._listed = store.list_by_name(self.root)
        if name not in self._namesakes:
            homes = self._listed.get(name, [])
            self._namesakes[name] = [record for _, record in store.read_homes(homes)]
        return self._namesakes[name]

    def _damage(self, cell: Cell) -> str:
        """Why the file in the place of a cell's record is none, if there is one."""
        path = store.cell_path(self.root, cell) / "record.json"
        try:
            return f"`{path}` is the record of `{store.read_record(path).cell.slug}`"
        except FileNotFoundError:
            return ""
        except UsageError as error:
            return str(error)
