"""
What has become of the cells that others rest on: may a cell train, has it to wait, or never can it?

It may train when each of its parents is measured, came to its end and left its weights.
"""

from collections.abc import Iterable
from pathlib import Path

from bench.execution.events import Ended
from bench.results import store
from bench.results.cell_state import CellStates
from bench.results.record import Record
from bench.spec.cell import Cell, Parent
from bench.spec.cell_status import CellStatus

WORDS = {
    CellStatus.DIVERGED: "which diverged",
    CellStatus.FAILED: "which failed",
    CellStatus.TIMEOUT: "which took too long",
    CellStatus.OUT_OF_MEMORY: "which ran out of memory",
}


class Parents:
    """The parents of one run's cells; `cells` are those of the run that have not ended."""

    def __init__(self, root: Path, cells: Iterable[Cell]) -> None:
        self.root = root
        self._open = {cell.id for cell in cells}
        self._ended: dict[str, Ended] = {}
        self._known: dict[str, str] = {}  # of parents that the run does not train: the obstacle

    def end(self, event: Ended) -> None:
        """Take note that a cell of the run came to its end."""
        if event.status is not CellStatus.INTERRUPTED:
            self._open.discard(event.cell_id)
            self._ended[event.cell_id] = event

    def wait(self, cell: Cell) -> bool:
        """Has the cell to wait for one that this run, or another, has still to train?"""
        return any(parent.cell.id in self._open for parent in cell.parents.values())

    def obstacle(self, cell: Cell) -> str:
        """Say why the cell can never train in this run; empty if it can."""
        ended = [p for p in cell.parents.values() if p.cell.id not in self._open]
        return next((why for parent in ended if (why := self._obstacle(parent))), "")

    def _obstacle(self, parent: Parent) -> str:
        """Say why this parent gives no weights."""
        event = self._ended.get(parent.cell.id)
        if event and event.status is CellStatus.BLOCKED:
            return event.reason  # of the one that all of them wait for
        if event and event.status is not CellStatus.OK:
            return f"waiting for {parent.cell.slug}, {WORDS[event.status]}"
        key = f"{parent.cell.id} {parent.which}"
        if key not in self._known:
            self._known[key] = find_obstacle(self.root, parent)
        return self._known[key]


def find_obstacle(root: Path, parent: Parent) -> str:
    """Say why the results folder has no weights of a parent; empty if it has."""
    cell = parent.cell
    record = store.find_record(root, cell)
    if record is None:
        state = CellStates(root, [cell]).by_id[cell.id]
        why = f"which is stale: {state.note}" if state.stale else "which has no record"
        return f"waiting for {cell.slug}, {why}; --rerun {cell.id} measures it"
    return _lack(root, parent, record)


def _lack(root: Path, parent: Parent, record: Record) -> str:
    slug = parent.cell.slug
    if record.status is not CellStatus.OK:
        return f"waiting for {slug}, {WORDS[record.status]}"
    if not store.weights_path(root, parent.cell, parent.which).is_file():
        hint = f"run it again with --rerun {parent.cell.id}"
        return f"waiting for {slug}: its weights are not there; {hint}"
    return ""
