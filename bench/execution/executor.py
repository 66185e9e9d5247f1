"""
Cells in, records out: one cell per slot, what fails fails alone, what stops can go on.

The loop takes the events of workers, asks the work queue what is next, and decides what becomes
of a cell that ended: its end is emitted, or it is tried again, or it is left to another run.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import wait
from typing import Protocol

from bench.base import signals
from bench.base.text import count, printable
from bench.errors import BenchError, EnvironmentProblem
from bench.execution.cell_log import Log
from bench.execution.events import Ended, Event, Listener, Retrying, Stopping
from bench.execution.job import Slot
from bench.execution.link import never
from bench.execution.settings import Settings
from bench.execution.shutdown import Phase, Shutdown
from bench.execution.work_queue import WorkQueue
from bench.execution.worker import JobEnd, Worker
from bench.execution.worker_process import WorkerProcess
from bench.results import store
from bench.results.lease import Leases
from bench.results.owner import Owner, myself
from bench.results.provenance import make_provenance
from bench.results.record import Record
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus
from bench.spec.plan import Plan

POLL_S = 0.1  # at most so long for the first event of a round
TIMEOUT, TAKEN, UNSAVED = "timeout", "taken over", "stopped before it could checkpoint"
WITHDRAWN = "cancelled"


@dataclass(frozen=True)
class RunResult:
    """What became of the cells of one run."""

    ended: dict[str, Ended] = field(default_factory=dict[str, Ended])

    @property
    def failed(self) -> list[Ended]:
        return [event for event in self.ended.values() if event.status.failed]

    @property
    def interrupted(self) -> list[Ended]:
        """Cells without a record, which go on from their checkpoints when the suite runs again."""
        return [e for e in self.ended.values() if e.status is CellStatus.INTERRUPTED]

    @property
    def blocked(self) -> list[Ended]:
        """Cells that never began, for what they rest on came to nothing."""
        return [e for e in self.ended.values() if e.status is CellStatus.BLOCKED]


class Executor(Protocol):
    """Sees the cells of a plan ended, wherever they train; arguments are those of `execute`."""

    def __call__(
        self,
        plan: Plan,
        cells: list[Cell],
        settings: Settings,
        listener: Listener,
        owner: Owner,
        *,
        remeasure: bool,
    ) -> RunResult: ...


def execute_here(
    plan: Plan,
    cells: list[Cell],
    settings: Settings,
    listener: Listener,
    owner: Owner,
    *,
    remeasure: bool,
) -> RunResult:
    """Train cells in workers of this machine: the executor of a run that is told of no other."""
    return execute(cells, settings, listener, owner, remeasure=remeasure)


def execute(
    cells: Iterable[Cell],
    settings: Settings,
    listener: Listener,
    owner: Owner | None = None,
    *,
    remeasure: bool = False,
    patience_s: float | None = None,
    is_late: Callable[[], bool] = never,
    withdrawn: Callable[[], Collection[str]] = tuple,
) -> RunResult:
    """
    See every cell ended, here or by another run that has it, and recorded the moment it ends.

    Args:
        listener: called with what the workers emit, and what the run does to cells.
        owner: whom leases name, as the run's journal does; None: this process.
        remeasure: cells that are measured are measured again; what they were goes to the attic.
        patience_s: how long to wait for cells of other runs with none to train, seconds; those
            that have not ended then are left to them, and are not in the result. None: for ever.
            Less than `lease.DEAD_S` takes over no cell of a run that died on another machine.
        is_late: once it says so no cell begins; those that run come to their end, and those that
            never began are not in the result.
        withdrawn: cells, by id, that nobody wants any more; one that runs leaves a checkpoint.

    Raises:
        Stopped: by a signal; running cells had time to checkpoint, until a second signal.
        EnvironmentProblem: the results folder cannot be written or locked; what ran has ended.
        NodeLost: another node that trained a cell is gone; the cell has no record.
        BenchError: so many cells failed that the run was to stop.
    """
    cells = list(cells)
    with signals.requests() as requests:
        shutdown = Shutdown(requests, is_late)
        execution = _Execution(
            cells, settings, listener, shutdown, owner or myself(), remeasure=remeasure
        )
        try:
            while execution.busy and not execution.waited_longer_than(patience_s):
                execution.handle_signals()
                execution.assign()
                execution.forward_events()
                execution.collect()
                execution.supervise()
                execution.withdraw(withdrawn())
        finally:
            execution.close()
        execution.conclude()
    return execution.result


@dataclass
class _Assignment:
    """A worker and the cell that it has."""

    worker: Worker
    cell: Cell
    began: float = field(default_factory=time.monotonic)  # by the clock that never jumps
    ended: Ended | None = None  # the worker's own word, its last event
    killed: str = ""  # why we ended it
    withdrawn: bool = False  # does nobody want the cell any more?

    def take_events(self) -> list[Event]:
        """What the worker emitted since the last time; its cell's end stays in `ended`."""
        events = self.worker.take_events()
        self.ended = next((e for e in reversed(events) if isinstance(e, Ended)), self.ended)
        return [event for event in events if not isinstance(event, Ended)]

    def withdraw(self) -> None:
        if not self.withdrawn:
            self.withdrawn = True
            self.worker.halt()

    def kill(self, why: str) -> None:
        if not self.killed:
            self.killed = why
            self.worker.kill()


class _Execution:
    """The workers, the cells that they have, and what has become of the others."""

    def __init__(
        self,
        cells: list[Cell],
        settings: Settings,
        listener: Listener,
        shutdown: Shutdown,
        owner: Owner,
        *,
        remeasure: bool,
    ) -> None:
        self.cells, self.settings, self.listener = cells, settings, listener
        self.shutdown = shutdown
        self.result = RunResult()
        self.tries: Counter[str] = Counter()  # that failed, by the cell's id
        self.unrecorded: set[str] = set()
        self.failures = 0
        self.checkpointed = 0
        self.leases = Leases(settings.root, owner)
        self.queue = WorkQueue(cells, settings.root, self.leases, self._emit, remeasure=remeasure)
        self.free: list[Worker] = [WorkerProcess(slot) for slot in settings.slots[: len(cells)]]
        self.running: list[_Assignment] = []
        self.active_at = time.monotonic()  # when a cell was last trained here

    @property
    def busy(self) -> bool:
        more = self.queue.waiting or self.queue.elsewhere
        return bool(self.running or (more and not self.shutdown.closing))

    def waited_longer_than(self, patience_s: float | None) -> bool:
        """Was there for so long no cell to train, for other runs have all that are left?"""
        if self.running:
            self.active_at = time.monotonic()
        return patience_s is not None and time.monotonic() - self.active_at > patience_s

    def handle_signals(self) -> None:
        """Stop as signals say: the first lets cells checkpoint, the next does not wait."""
        if self.shutdown.heed():
            self._halt("Ctrl-C again stops now")
        if self.shutdown.phase == Phase.KILLING:
            for each in self.running:
                each.kill(UNSAVED)

    def assign(self) -> None:
        """Give every free worker the next cell."""
        try:
            for worker in [*self.free]:
                if self.shutdown.closing or not (cell := self.queue.next()):
                    return
                self.free.remove(worker)
                worker.begin(self.settings.job(cell, worker.slot))
                self.running.append(_Assignment(worker, cell))
        except EnvironmentProblem as problem:
            self.shutdown.close(str(problem))

    def forward_events(self) -> None:
        """Pass on the events there are; wait a little for the first."""
        handles = [n for each in self.running if (n := each.worker.fileno()) is not None]
        if handles:
            wait(handles, POLL_S)
        else:
            time.sleep(POLL_S)
        for each in self.running:
            for event in each.take_events():
                self._emit(event)

    def collect(self) -> None:
        """Free the workers that have left their cell, and decide what becomes of it."""
        for each in [each for each in self.running if each.worker.over]:
            for event in each.take_events():
                self._emit(event)
            self.running.remove(each)
            left = each.worker.leave()
            self.free.append(each.worker)
            self._settle(each, each.ended or self._end_from_outside(each, left))

    def supervise(self) -> None:
        """End what took too long, show that the run lives, and see what other runs do."""
        limit = self.settings.timeout_s
        lost = {cell.id for cell in self.leases.beat()}
        for each in self.running:
            if each.cell.id in lost:
                each.kill(TAKEN)
            elif limit is not None and time.monotonic() - each.began > limit:
                each.kill(TIMEOUT)
        self.queue.check_other_runs()

    def withdraw(self, ids: Collection[str]) -> None:
        """End cells that nobody wants any more; those that run have time to checkpoint."""
        for each in self.running:
            if each.cell.id in ids:
                each.withdraw()
        for cell in self.queue.withdraw(ids):
            self._emit(Ended(cell.id, CellStatus.INTERRUPTED, WITHDRAWN))

    def close(self) -> None:
        """End every worker, and let the cells go."""
        for worker in [*self.free, *(each.worker for each in self.running)]:
            worker.close()
        self.leases.release_all()

    def conclude(self) -> None:
        """Say why the run ended before its cells did, if it did."""
        ended = self.result.ended.items()
        over = {i for i, event in ended if event.status.over} - self.unrecorded
        n = len(self.cells)
        left = f"{n - len(over)} of {count(n, 'cell')} left"
        if self.checkpointed:
            left += f", {self.checkpointed} of them checkpointed"
        how = f"{left}; what is recorded stays, run again to continue"
        if self.shutdown.signal is not None:
            raise signals.Stopped(self.shutdown.signal, how)
        if problem := self.shutdown.problem(how):
            raise problem
        if self.shutdown.closing and len(over) < n and not self.shutdown.late:
            message = f"stopped after {count(self.failures, 'failed cell')} (--max-failures); {how}"
            raise BenchError(message)

    def _settle(self, each: _Assignment, event: Ended) -> None:
        """Decide what the end of a cell here means for the run."""
        cell, retry = each.cell, self.settings.retry
        interrupted = event.status is CellStatus.INTERRUPTED
        if interrupted and each.killed == TAKEN:
            self.queue.lose(cell)
            return
        if interrupted and each.withdrawn:
            event = replace(event, reason=WITHDRAWN)
        elif interrupted and not each.killed:
            if not self.shutdown.coming():
                self._try_again(cell, event, "its worker was told to stop")
                return
            self.checkpointed += not self.shutdown.node_lost
        elif event.status.failed:
            self.tries[cell.id] += 1
            if self.tries[cell.id] < retry.tries and not self.shutdown.closing:
                n = self.tries[cell.id] + 1
                self._try_again(cell, event, f"{event.reason}; try {n} of {retry.tries} follows")
                return
            self.failures += 1
        self.leases.release(cell)
        self._emit(event)
        if self.shutdown.phase < Phase.HALTING and retry.stops_after(self.failures):
            self._halt(f"{self.failures} failed (--max-failures)")

    def _try_again(self, cell: Cell, event: Ended, reason: str) -> None:
        self._emit(Retrying(cell.id, reason, event.status, event.epoch))
        self.queue.put_back(cell)

    def _end_from_outside(self, each: _Assignment, left: JobEnd) -> Ended:
        """End a cell whose worker did not: find its record, or write one that says why."""
        cell = each.cell
        done = self.queue.record(cell)
        if done is not None and done.measured:  # it died, or its event is late, after the record
            return Ended(cell.id, done.status, done.reason, done.last_acc)
        stopped = left.terminated and self.shutdown.coming()
        if stopped or each.killed not in {"", TIMEOUT}:
            event = Ended(cell.id, CellStatus.INTERRUPTED, each.killed)
        elif left.node_lost and not each.killed:
            self.shutdown.close(left.reason, node_lost=True)
            event = Ended(cell.id, CellStatus.INTERRUPTED, left.reason)
        else:
            event = self._failed(each, left)
        with suppress(EnvironmentProblem):
            Log(self.settings.root, cell).end(event.status, event.reason)
        return event

    def _failed(self, each: _Assignment, left: JobEnd) -> Ended:
        """End a cell whose worker left no record: write one, unless the disk is to blame."""
        cell, status, reason = each.cell, left.status, left.reason
        if each.killed:
            limit = timedelta(seconds=self.settings.timeout_s or 0)
            status, reason = CellStatus.TIMEOUT, f"took longer than {limit} (--timeout)"
        problem = reason if left.environment else ""
        if not problem:
            record = _failure_record(cell, each.worker.slot, self.settings, status, reason)
            try:
                store.save_record(self.settings.root, record)
            except EnvironmentProblem as error:
                problem = str(error)
        if problem:
            self.unrecorded.add(cell.id)
            self.shutdown.close(problem)
        return Ended(cell.id, status, reason)

    def _halt(self, then: str) -> None:
        """Start nothing new, and let what runs checkpoint."""
        self.shutdown.halt()
        for each in self.running:
            each.worker.halt()
        if self.running:
            cells = count(len(self.running), "cell")
            self._emit(Stopping(reason=f"waiting for {cells} to checkpoint; {then}"))

    def _emit(self, event: Event) -> None:
        if isinstance(event, Ended):
            self.result.ended[event.cell_id] = event
            self.queue.note_end(event)
        self.listener(event)


def _failure_record(
    cell: Cell, slot: Slot, settings: Settings, status: CellStatus, reason: str
) -> Record:
    """The record of a cell that trained in `slot` and left none."""
    now, compiled = datetime.now(UTC), bool(settings.compiled)
    origin = make_provenance(now, "cpu", compiled, list(settings.argv), job=settings.engine_job)
    origin = origin.model_copy(update={"device": slot.device, "threads": slot.threads})
    return Record(cell=cell, status=status, reason=printable(reason), provenance=origin)
