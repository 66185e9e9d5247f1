"""
Cells in, records out: one cell per slot, what fails fails alone, what stops can go on.

The loop hears the workers (`bench.seat`), asks what is next (`bench.agenda`), and decides what
becomes of a cell that ended: its end is told, or it is tried again, or it is left to another run.
"""

import math
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import torch

from bench.base import signals
from bench.base.machine import cores
from bench.base.text import count, printable
from bench.errors import BenchError, EnvironmentProblem, UsageError
from bench.registry import ESTIMATORS
from bench.results import store
from bench.results.lease import Leases, Owner, myself
from bench.results.provenance import make_provenance
from bench.results.record import Record
from bench.run import worker_process
from bench.run.cell_log import Log
from bench.run.events import Ended, Event, Listener, Retrying, Stopping
from bench.run.job import Job, Slot
from bench.run.work_queue import Agenda
from bench.run.worker_process import Seat
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus

GRACE_S = 60.0  # for workers to checkpoint when the run stops
TIMEOUT, TAKEN, UNSAVED = "timeout", "taken over", "stopped before it could checkpoint"
ECHO_S = 2.0  # a signal that ended a worker reaches this process, too, within so long


@dataclass(frozen=True)
class Settings:
    """Where and how cells run; nothing here is part of a cell's identity."""

    root: Path
    data: Path
    slots: tuple[Slot, ...]
    compiled: bool | None = None  # None: as `train.compile_policy` decides for each cell
    workers: int | None = None  # decoding threads of a cell; None: all slots share the cores
    argv: tuple[str, ...] = ()
    checkpoint_s: float = 300.0  # seconds between checkpoints of a cell
    timeout_s: float | None = None  # of one try at a cell, from when a worker is given it
    retries: int = 0  # of a cell that failed; never of one that diverged
    max_failures: int | None = None  # the run stops after so many


@dataclass
class Tally:
    """What became of the cells of one run."""

    ended: dict[str, Ended] = field(default_factory=dict[str, Ended])

    @property
    def failed(self) -> list[Ended]:
        return [event for event in self.ended.values() if event.status.failed]


def slots(
    device: str,
    gpus: list[int] | None,
    jobs: int | None,
    threads: int,
    per_gpu: int | None = None,
) -> tuple[Slot, ...]:
    """
    Lay out the slots.

    Args:
        device: auto, cpu, cuda, or cuda:N.
        gpus: GPU numbers; None for those that `device` says.
        jobs: cells at a time; None for `per_gpu`, or one per `threads` cores on the CPU.
        threads: CPU threads per cell. Results depend on it in the last bits.
        per_gpu: cells at a time on each GPU; None for one.

    Raises:
        EnvironmentProblem: a GPU is asked for that is not there.
        UsageError: the options contradict each other.
    """
    count = torch.cuda.device_count()
    if jobs and per_gpu:
        message = "-j counts all cells at a time, --slots-per-gpu those of a GPU; give one of them"
        raise UsageError(message)
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        message = f"--device `{device}`: expected auto, cpu, cuda or cuda:N"
        raise UsageError(message)
    if gpus is not None or device.startswith("cuda") or (device == "auto" and count):
        if gpus is not None and device not in {"auto", "cuda"}:
            message = f"--gpus goes with --device auto or cuda, not {device}"
            raise UsageError(message)
        one = device.partition(":")[2]
        numbers = gpus if gpus is not None else [int(one)] if one else list(range(count))
        missing = [n for n in numbers if not 0 <= n < count]
        if missing or not numbers:
            asked = f"GPU {missing[0]}" if missing else "a GPU"
            message = f"{asked} asked for, {count} here; use --device cpu, or none of these options"
            raise EnvironmentProblem(message)
        many = jobs or len(numbers) * (per_gpu or 1)
        return tuple(Slot(f"cuda:{numbers[i % len(numbers)]}", threads) for i in range(many))
    if per_gpu:
        message = "--slots-per-gpu: cells run on the CPU here, where -j says how many at a time"
        raise UsageError(message)
    return tuple(Slot("cpu", threads) for _ in range(jobs or max(1, cores() // threads)))


def execute(
    cells: Iterable[Cell],
    settings: Settings,
    watch: Listener,
    owner: Owner | None = None,
    *,
    anew: bool = False,
) -> Tally:
    """
    See every cell ended, here or by another run that has it, and recorded the moment it ends.

    `watch` hears what the workers say, and besides: `retry`, a cell failed and is tried again;
    `elsewhere`, another run has it; `takeover`, it was of a run that died; `moved`, what its record
    would replace is kept elsewhere; `stop`, of no cell.

    Args:
        owner: whom leases name, as the run's journal does; None: this process.
        anew: cells that are measured are measured again; what they were goes to the attic.

    Raises:
        Stopped: by a signal; running cells had time to checkpoint, until a second signal.
        EnvironmentProblem: the results folder cannot be written or locked; what ran has ended.
        BenchError: so many cells failed that the run was to stop.
    """
    with signals.requests() as asked:
        crew = _Crew(list(cells), settings, watch, asked, owner or myself(), anew=anew)
        try:
            while crew.busy:
                crew.heed()
                crew.assign()
                crew.listen()
                crew.collect()
                crew.look_after()
        finally:
            crew.dismiss()
        crew.conclude()
    return crew.tally


class _Crew:
    """The seats, what each is doing, and what has become of the cells."""

    def __init__(
        self,
        cells: list[Cell],
        settings: Settings,
        watch: Listener,
        asked: signals.Requests,
        owner: Owner,
        *,
        anew: bool,
    ) -> None:
        self.settings, self.watch, self.asked = settings, watch, asked
        self.cells = cells
        self.tally = Tally()
        self.tries: Counter[str] = Counter()
        self.unrecorded: set[str] = set()
        self.failures = 0
        self.checkpointed = 0
        self.problems: list[str] = []  # of the results folder
        self.closing = False  # nothing new starts
        self.halted_at: float | None = None
        self.signalled = False
        self.leases = Leases(settings.root, owner)
        self.agenda = Agenda(cells, settings.root, self.leases, self._tell, anew=anew)
        self.seats = [Seat(slot) for slot in settings.slots[: len(cells)]]

    @property
    def running(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.cell]

    @property
    def busy(self) -> bool:
        more = self.agenda.waiting or self.agenda.elsewhere
        return bool(self.running or (more and not self.closing))

    def heed(self) -> None:
        """Stop as signals say: the first lets cells checkpoint, the next does not wait."""
        count = len(self.asked.numbers)
        if count and not self.signalled:
            self.signalled = True
            self._halt("Ctrl-C again stops now")
        late = self.halted_at is not None and time.monotonic() - self.halted_at > GRACE_S
        if count > 1 or late:
            for each in self.running:
                each.kill(UNSAVED)

    def assign(self) -> None:
        """Give every free seat the next cell."""
        try:
            for each in self.seats:
                if each.cell is None and not self.closing and (cell := self.agenda.next()):
                    each.begin(_job(cell, each.slot, self.settings))
        except EnvironmentProblem as problem:
            self._close(str(problem))

    def listen(self) -> None:
        """Pass on the news there is; wait a little for the first."""
        worker_process.await_news(self.seats, 0.1)
        for each in self.running:
            for event in each.news():
                self._tell(event)

    def collect(self) -> None:
        """Free the seats whose cell is over, and decide what becomes of it."""
        for each in self.running:
            if each.over:
                for event in each.news():
                    self._tell(event)
                cell, why = each.cell, each.killed
                assert cell is not None
                event = each.end or self._lost(each, cell)
                each.leave()
                self._settle(cell, event, why)

    def look_after(self) -> None:
        """End what took too long, show that the run lives, and see what other runs do."""
        limit = self.settings.timeout_s
        lost = {cell.id for cell in self.leases.beat()}
        for each in self.running:
            if each.cell and each.cell.id in lost:
                each.kill(TAKEN)
            elif limit is not None and each.seconds > limit:
                each.kill(TIMEOUT)
        self.agenda.look()

    def dismiss(self) -> None:
        """End every worker, and let the cells go."""
        for each in self.seats:
            each.close()
        self.leases.release_all()

    def _settle(self, cell: Cell, event: Ended, why: str) -> None:
        """Decide what the end of a cell here means for the run."""
        if why == TAKEN and event.status is CellStatus.INTERRUPTED:
            self.agenda.lose(cell)
            return
        if event.status is CellStatus.INTERRUPTED and not why:
            if not self._stopping():
                self._tell(_retrying(event, "its worker was told to stop"))
                self.agenda.again(cell)
                return
            self.checkpointed += 1
        elif event.status.failed:
            self.tries[cell.id] += 1
            if self.tries[cell.id] <= self.settings.retries and not self.closing:
                n, tries = self.tries[cell.id] + 1, self.settings.retries + 1
                self._tell(_retrying(event, f"{event.reason}; try {n} of {tries} follows"))
                self.agenda.again(cell)
                return
            self.failures += 1
        self.leases.release(cell)
        self._tell(event)
        if self.halted_at is None and self.failures >= (self.settings.max_failures or math.inf):
            self._halt(f"{self.failures} failed (--max-failures)")

    def _lost(self, each: Seat, cell: Cell) -> Ended:
        """A worker ended without a word: find its record, or write one that says why."""
        done = self.agenda.record(cell)
        if done is not None and done.measured:  # it died, or its news is late, after the record
            return Ended(cell.id, done.status, done.reason, done.last_acc)
        stopped = each.exit_code == -signal.SIGTERM and self._stopping()
        if stopped or each.killed not in {"", TIMEOUT}:
            event = Ended(cell.id, CellStatus.INTERRUPTED, each.killed)
        else:
            event = self._failure(each, cell)
        with suppress(EnvironmentProblem):
            Log(self.settings.root, cell).end(event.status, event.reason)
        return event

    def _failure(self, each: Seat, cell: Cell) -> Ended:
        """The end of a cell whose worker left no word; recorded, unless the disk is to blame."""
        status, reason = self._verdict(each)
        if isinstance(each.error, EnvironmentProblem):
            self._close(reason, cell)
        else:
            self._write(cell, each.slot, status, reason)
        return Ended(cell.id, status, reason)

    def _verdict(self, each: Seat) -> tuple[CellStatus, str]:
        """Status and reason of a cell whose worker left no word."""
        if each.killed:
            limit = timedelta(seconds=self.settings.timeout_s or 0)
            return CellStatus.TIMEOUT, f"took longer than {limit} (--timeout)"
        if each.exit_code == -signal.SIGKILL and worker_process.oom_kills() > each.oom_kills:
            return (
                CellStatus.OUT_OF_MEMORY,
                "the kernel killed its worker process for want of memory",
            )
        error = each.error
        if isinstance(error, BenchError):
            return CellStatus.FAILED, "; ".join(str(error).splitlines())
        if error is None or each.exit_code is not None:
            return CellStatus.FAILED, worker_process.death(each.exit_code)
        return CellStatus.FAILED, f"{type(error).__name__}: {error}".splitlines()[0]

    def _write(self, cell: Cell, slot: Slot, status: CellStatus, reason: str) -> None:
        origin = make_provenance(
            datetime.now(UTC), "cpu", bool(self.settings.compiled), list(self.settings.argv)
        )
        origin = origin.model_copy(update={"device": slot.device, "threads": slot.threads})
        record = Record(cell=cell, status=status, reason=printable(reason), provenance=origin)
        try:
            store.save_record(self.settings.root, record)
        except EnvironmentProblem as problem:
            self._close(str(problem), cell)

    def _stopping(self) -> bool:
        """Is the run to stop? A scheduler tells one process after the other."""
        until = time.monotonic() + ECHO_S
        while not (self.asked.numbers or self.closing) and time.monotonic() < until:
            time.sleep(0.05)
        return bool(self.asked.numbers or self.closing)

    def _close(self, problem: str, lost: Cell | None = None) -> None:
        """Start nothing new; what runs may still come to its end. `lost` has no record."""
        self.unrecorded |= {lost.id} if lost else set()
        self.problems.append(problem)
        self.closing = True

    def _halt(self, then: str) -> None:
        """Start nothing new, and let what runs checkpoint."""
        self.closing, self.halted_at = True, self.halted_at or time.monotonic()
        for each in self.seats:
            each.halt.set()
        if self.running:
            cells = count(len(self.running), "cell")
            self._tell(Stopping(reason=f"waiting for {cells} to checkpoint; {then}"))

    def _tell(self, event: Event) -> None:
        if isinstance(event, Ended):
            self.tally.ended[event.cell_id] = event
        self.watch(event)

    def conclude(self) -> None:
        """Say why the run ended before its cells did, if it did."""
        ended = {
            i for i, event in self.tally.ended.items() if event.status is not CellStatus.INTERRUPTED
        }
        over = ended - self.unrecorded
        n = len(self.cells)
        left = f"{n - len(over)} of {count(n, 'cell')} left"
        if self.checkpointed:
            left += f", {self.checkpointed} of them checkpointed"
        how = f"{left}; what is recorded stays, run again to continue"
        if self.asked.numbers:
            raise signals.Stopped(self.asked.numbers[0], how)
        if self.problems:
            raise EnvironmentProblem("\n".join([*dict.fromkeys(self.problems), how]))
        if self.closing and len(over) < n:
            cells = count(self.failures, "failed cell")
            message = f"stopped after {cells} (--max-failures); {how}"
            raise BenchError(message)


def _retrying(event: Ended, reason: str) -> Retrying:
    return Retrying(event.cell_id, reason, event.status, event.epoch)


def _job(cell: Cell, slot: Slot, settings: Settings) -> Job:
    fair = max(1, cores() // len(settings.slots))
    return Job(
        cell=cell,
        root=settings.root,
        device=slot.device,
        threads=slot.threads,
        workers=fair if settings.workers is None else settings.workers,
        compiled=settings.compiled,
        data=settings.data,
        plugins=tuple(ESTIMATORS.folders),
        argv=settings.argv,
        checkpoint_s=settings.checkpoint_s,
        cells_at_once=sum(other.device == slot.device for other in settings.slots),
    )
