"""
How far a run and its cells are, from the events that tell of them.

Nothing here is shown: `bench.execution.display` draws it, and `bench.execution.status` takes it
from journals.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.base.duration import clock
from bench.execution.events import (
    CellEvent,
    Compiling,
    Elsewhere,
    Ended,
    Event,
    Progressed,
    Queued,
    Retrying,
    Started,
    Stopping,
)
from bench.results import store
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus
from bench.spec.plan import Plan, Row

LEFT_FROM = 0.05  # of the epochs must be done before a cell's time left is worth saying
LOST = tuple(s for s in CellStatus if s.over and s is not CellStatus.OK)
OVER = tuple(s for s in CellStatus if s.over)
ACTIVE = tuple(s for s in CellStatus if s.active)
TO_COME = (CellStatus.QUEUED, CellStatus.WAITING)


@dataclass
class CellProgress:
    """How far one cell is. Times are those of the clock that dates its events."""

    name: str
    epochs: int
    log: Path | None = None
    status: CellStatus = CellStatus.WAITING
    epoch: int = 0
    fraction: float = 0.0
    acc: float | None = None
    curve: list[float] = field(default_factory=list[float])  # accuracy, epoch by epoch
    images_per_s: float | None = None
    reason: str = ""
    place: str = ""  # where it trains, or what its job waits for
    since: tuple[float, float] | None = None  # when it was first heard of, and how far it was
    updated_at: float = 0.0
    printed_at: float = 0.0

    def update(self, event: CellEvent, now: float) -> None:
        """Take what an event of this cell says."""
        self.updated_at = now
        match event:
            case Queued():
                self._wait(event)
            case Started():
                self.place = ""
                self.status, self.since, self.reason = CellStatus.STARTING, None, ""
                self.curve = []
            case Retrying():
                self.status, self.reason = CellStatus.RETRYING, event.reason
            case Elsewhere():
                self.status, self.reason = CellStatus.ELSEWHERE, event.reason
            case Ended():
                self._end(event)
            case Compiling():
                self.status = CellStatus.COMPILING
                self._advance(event, now)
            case Progressed():
                self.status = CellStatus.RUNNING
                self._advance(event, now)
                self._take_numbers(event)
            case _:
                pass

    def _advance(self, event: Compiling | Progressed, now: float) -> None:
        self.epoch, self.fraction = event.epoch, event.fraction
        self.since = self.since or (now, self.progress)

    def _take_numbers(self, event: Progressed) -> None:
        if event.acc is not None:
            self.acc = event.acc
            self.curve.append(event.acc)
        self.images_per_s = event.images_per_s or self.images_per_s

    def _wait(self, event: Queued) -> None:
        """Take that its job waits; of a cell that is at work, or has ended, it says nothing."""
        if self.open and not self.status.active:
            self.status, self.place = CellStatus.QUEUED, event.reason

    def _end(self, event: Ended) -> None:
        self.status, self.reason = event.status, event.reason
        self.acc = self.acc if event.acc is None else event.acc
        if event.status is CellStatus.OK:
            self.epoch, self.fraction = self.epochs, 0.0

    @property
    def open(self) -> bool:
        """May there be more to hear of it?"""
        return not self.status.final

    @property
    def progress(self) -> float:
        """Epochs done, a fraction of the present one included."""
        return self.epoch + self.fraction

    @property
    def gained(self) -> float:
        """Epochs done since it was first heard of: one that goes on did not do the others now."""
        return self.progress - self.since[1] if self.since else 0.0

    def seconds(self, now: float) -> float | None:
        """Time left of a running cell, from its own speed; None before there is one."""
        if (
            self.status is not CellStatus.RUNNING
            or not self.since
            or self.gained < LEFT_FROM * self.epochs
        ):
            return None
        return (now - self.since[0]) * (self.epochs - self.progress) / self.gained

    def left(self, now: float) -> str:
        """The same in words, or nothing."""
        seconds = self.seconds(now)
        return "" if seconds is None else clock(seconds)


class RunProgress:
    """How far all cells of one run are, by their id, and the time they take."""

    def __init__(
        self, suite: str, cells: dict[str, CellProgress], now: float | None = None
    ) -> None:
        self.suite, self.cells = suite, cells
        self._counts = Counter(cell.status for cell in cells.values())
        self.started = time.monotonic() if now is None else now
        self.ended: float | None = None
        self.note = ""  # why it stops

    def update(self, event: Event, now: float | None = None) -> None:
        """Take what an event says, which is of `now` where it is not new."""
        if isinstance(event, Stopping):
            self.note = f"stopping: {event.reason}"
        elif cell := self.cells.get(event.cell_id):
            before = cell.status
            cell.update(event, time.monotonic() if now is None else now)
            self._counts[before] -= 1
            self._counts[cell.status] += 1

    def interrupt(self, why: str) -> None:
        """Nothing is at work any more."""
        for i, cell in self.cells.items():
            if cell.status.active:
                self.update(Ended(i, CellStatus.INTERRUPTED, why), cell.updated_at)

    @property
    def names(self) -> dict[str, str]:
        return {cell_id: cell.name for cell_id, cell in self.cells.items()}

    def count(self, *statuses: CellStatus) -> int:
        """How many cells are in one of these states; not by looking at each."""
        return sum(self._counts[status] for status in statuses)

    @property
    def left(self) -> str:
        """
        Time left, from the measured speed of this run; blank before one, and once it stops.

        No less than the slowest of the cells that run has left.
        """
        if self.note or self.ended:
            return ""
        ours = [c for c in self.cells.values() if c.status is not CellStatus.ELSEWHERE]
        done = sum(cell.gained for cell in ours)
        rest = sum(cell.epochs - cell.progress for cell in ours if cell.open)
        now = time.monotonic()
        spent = now - min((cell.since[0] for cell in ours if cell.since), default=math.inf)
        if done < 1 or spent < 1:
            return ""
        return clock(max(spent * rest / done, *(cell.seconds(now) or 0 for cell in ours)))

    @property
    def elapsed(self) -> float:
        return (self.ended or time.monotonic()) - self.started

    @property
    def headline(self) -> str:
        """One line for the whole run."""
        noun = "cell" if len(self.cells) == 1 else "cells"
        words = [f"{self.count(*OVER)}/{len(self.cells)} {noun} done"]
        named = (*LOST, CellStatus.BLOCKED, CellStatus.INTERRUPTED, CellStatus.RETRYING)
        named += (CellStatus.ELSEWHERE,)
        words += [f"{n} {status}" for status in named if (n := self.count(status))]
        words.append(f"{clock(self.elapsed)} gone")
        if self.note and self.count(*ACTIVE):
            words.append("stopping")
        elif self.count(*ACTIVE, *TO_COME, CellStatus.RETRYING) and (left := self.left):
            words.append(f"about {left} left")
        return f"{self.suite}: {', '.join(words)}"


def run_progress(plan: Plan, ids: Iterable[str], root: Path) -> RunProgress:
    """Those cells of a plan, none of them begun."""
    cells = {
        cell.id: CellProgress(
            _name(plan, row, cell, part),
            cell.recipe.epochs,
            store.cell_path(root, cell) / "log.txt",
        )
        for row, part, cell in reversed([*plan.walk_cells()])  # a row's own name goes first
    }
    return RunProgress(plan.suite, {cell_id: cells[cell_id] for cell_id in ids})


def _name(plan: Plan, row: Row, cell: Cell, part: str) -> str:
    """A cell's name, less what all cells of the plan have in common."""
    words = [row.shown]
    words += [row.backbone] if len({r.backbone for r in plan.rows}) > 1 else []
    words += [row.wa] if len({r.wa for r in plan.rows if r.label != "none"}) > 1 else []
    words += [row.schedule] if row.schedule != "default" else []
    words += [f"({part})"] if part else []
    return " ".join([*words, "seed", str(cell.seed)])
