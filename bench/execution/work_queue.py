"""
What a run has still to see ended: cells that wait for a worker of ours, cells that others have.

A cell is given out under a lease, and only if no record of it appeared since the run began. What is
in the way of its new record is moved then, and not before: a run that stops has moved no more. One
that rests on others waits until these have left their weights, and ends if they never will.
"""

import time
from collections.abc import Collection, Iterable
from pathlib import Path

from bench.execution.events import Elsewhere, Ended, Listener, Moved, TakenOver
from bench.execution.parents import Parents
from bench.results import attic, store
from bench.results.cell_state import CellStates
from bench.results.lease import Leases
from bench.results.record import Record
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus

CHECK_S = 2.0  # between two checks of what other runs do


class WorkQueue:
    """
    The cells of one run that have not ended; `emit` is called with what other runs did to them.

    Args:
        remeasure: cells that are measured are measured again, what they were goes to the attic.
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        root: Path,
        leases: Leases,
        emit: Listener,
        *,
        remeasure: bool = False,
    ) -> None:
        self.waiting = list(cells)
        self.elsewhere: dict[str, Cell] = {}
        self.root, self.leases, self.emit, self.remeasure = root, leases, emit, remeasure
        self._before = {cell.id: store.find_record(root, cell) for cell in self.waiting}
        self._tried_at = self._checked_at = 0.0
        self._parents = Parents(root, self.waiting)
        self._stirred = True  # has anything happened since all that wait were looked at?

    def next(self) -> Cell | None:
        """
        A cell that is ours to run; others' cells last, as soon as they are free.

        Raises:
            EnvironmentProblem: the results folder cannot be written or locked.
        """
        if self._stirred and (cell := self._next_waiting()):
            return cell
        now = time.monotonic()
        if now - self._tried_at > CHECK_S:
            self._tried_at = now
            return next((cell for cell in [*self.elsewhere.values()] if self._ours(cell)), None)
        return None

    def _next_waiting(self) -> Cell | None:
        """The first of the waiting cells that may train and is ours; what never can ends."""
        self._stirred = False
        place = 0
        while place < len(self.waiting):
            cell = self.waiting[place]
            obstacle = self._parents.obstacle(cell)
            if not obstacle and self._parents.wait(cell):
                place += 1
                continue
            ours = self._ours(cell) if not obstacle else self._give_up(cell, obstacle)
            del self.waiting[place]
            if ours:
                self._stirred = True
                return cell
        return None

    def _give_up(self, cell: Cell, obstacle: str) -> bool:
        """End a cell that cannot train; another run may have measured it before."""
        record = self.record(cell)
        if record is not None and record.measured:
            self._ended(cell, record)
        else:
            self.emit(Ended(cell.id, CellStatus.BLOCKED, obstacle))
        return False

    def note_end(self, event: Ended) -> None:
        """Take note that a cell came to its end: others may wait for it."""
        self._parents.end(event)
        self._stirred = True

    def check_other_runs(self) -> None:
        """See what other runs have measured, where all of ours are busy."""
        now = time.monotonic()
        if now - self._checked_at > CHECK_S:
            self._checked_at = now
            for cell in list(self.elsewhere.values()):
                record = self.record(cell)
                if record is not None and record.measured:
                    self._ended(cell, record)

    def put_back(self, cell: Cell) -> None:
        """Put back a cell that is to be tried once more; it stays ours."""
        self._before[cell.id] = store.find_record(self.root, cell)
        self.waiting.append(cell)
        self._stirred = True

    def lose(self, cell: Cell) -> None:
        """Leave a cell to the run that took it over."""
        self.elsewhere[cell.id] = cell
        self.emit(Elsewhere(cell.id, "another run took it over"))

    def withdraw(self, ids: Collection[str]) -> list[Cell]:
        """Let cells go that have not begun here; returns them."""
        gone = [cell for cell in [*self.waiting, *self.elsewhere.values()] if cell.id in ids]
        if gone:
            self.waiting = [cell for cell in self.waiting if cell.id not in ids]
            self.elsewhere = {i: cell for i, cell in self.elsewhere.items() if i not in ids}
        return gone

    def record(self, cell: Cell) -> Record | None:
        """The cell's record: a measurement, or what the run did not begin with."""
        record = store.find_record(self.root, cell)
        if record is None or (record.measured and not self.remeasure):
            return record
        return record if record != self._before[cell.id] else None

    def _ours(self, cell: Cell) -> bool:
        answer = self.leases.take(cell)
        if not answer.ours:
            if cell.id not in self.elsewhere:
                self.elsewhere[cell.id] = cell
                where = str(answer.other) if answer.other else "a lease that cannot be read"
                self.emit(Elsewhere(cell.id, where))
            return False
        if answer.other:
            self.emit(TakenOver(cell.id, str(answer.other)))
        if record := self.record(cell):
            self.leases.release(cell)
            self._ended(cell, record)
            return False
        self.elsewhere.pop(cell.id, None)
        self._make_room(cell)
        return True

    def _make_room(self, cell: Cell) -> None:
        """Move away what the cell's record would replace."""
        moved = store.set_record_aside(self.root, cell)
        if self.remeasure and CellStates(self.root, [cell]).by_id[cell.id].state == "recorded":
            moved = attic.move_cell(self.root, cell, self.leases.owner)
        if moved:
            self.emit(Moved(cell.id, str(moved)))

    def _ended(self, cell: Cell, record: Record) -> None:
        """Another run ended it, well or badly; in this run it is not tried again."""
        self.elsewhere.pop(cell.id, None)
        reason = record.reason or "by another run"
        self.emit(Ended(cell.id, record.status, reason, record.last_acc))
