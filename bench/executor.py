"""
Cells in, records out: skip what is measured, isolate what fails, one cell per slot.

A slot is a device with some threads. Each has one worker process (spawned, by pebble): a
crash, even a kill, ends the cell that runs there and nothing else.
"""

import contextlib
import multiprocessing
import queue
import re
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch
from pebble import ProcessPool

from bench import store
from bench.cell import Cell
from bench.errors import BenchError, EnvironmentProblem, UsageError
from bench.folder import cores
from bench.halt import Halt
from bench.provenance import provenance
from bench.record import Record
from bench.registry import ESTIMATORS
from bench.worker import Event, Job, run, start


@dataclass(frozen=True)
class Slot:
    """Room for one cell at a time."""

    device: str
    threads: int


@dataclass(frozen=True)
class Settings:
    """Where and how cells run; nothing here is part of a cell's identity."""

    root: Path
    data: Path
    slots: tuple[Slot, ...]
    compiled: bool = False
    workers: int | None = None  # decoding threads of a cell; None: all slots share the cores
    argv: tuple[str, ...] = ()
    checkpoint_s: float = 300.0  # seconds between checkpoints of a cell
    timeout_s: float | None = None  # of a cell
    retries: int = 0  # of a cell that failed; never of one that diverged
    max_failures: int | None = None  # the run stops after so many


@dataclass
class Tally:
    """What became of the cells of one run."""

    ended: dict[str, Event] = field(default_factory=dict[str, Event])
    errors: list[str] = field(default_factory=list[str])  # what could not even be recorded

    @property
    def failed(self) -> list[Event]:
        return [
            event
            for event in self.ended.values()
            if event.status in {"failed", "timeout", "out_of_memory"}
        ]


def wanted(root: Path, cells: Iterable[Cell]) -> list[Cell]:
    """The cells with no measurement under `root`; a divergence is one, a failure is not."""
    found = ((cell, store.find(root, cell)) for cell in cells)
    return [cell for cell, record in found if record is None or not record.measured]


def slots(device: str, gpus: list[int] | None, jobs: int | None, threads: int) -> tuple[Slot, ...]:
    """
    Lay out the slots.

    Args:
        device: auto, cpu, cuda, or cuda:N.
        gpus: GPU numbers, one cell each; None for those that `device` says.
        jobs: cells at a time; None for one per GPU, or one per `threads` cores on the CPU.
        threads: CPU threads per cell. Results depend on it in the last bits.

    Raises:
        EnvironmentProblem: a GPU is asked for that is not there.
        UsageError: the options contradict each other.
    """
    count = torch.cuda.device_count()
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
        many = jobs or len(numbers)
        return tuple(Slot(f"cuda:{numbers[i % len(numbers)]}", threads) for i in range(many))
    return tuple(Slot("cpu", threads) for _ in range(jobs or max(1, cores() // threads)))


def execute(cells: Iterable[Cell], settings: Settings, watch: Callable[[Event], None]) -> Tally:
    """
    Run every cell, as slots come free, and record each the moment it ends.

    `watch` hears of every start, epoch and end. On an interrupt the workers are stopped and
    the interrupt goes on; what is recorded stays.
    """
    waiting = list(cells)
    crew = _Crew(settings, settings.slots[: len(waiting)], watch)
    try:
        while waiting or crew.running:
            crew.assign(waiting)
            crew.listen()
            crew.collect()
    finally:
        crew.dismiss()
    return crew.tally


class _Crew:
    """One worker process per slot, and what each is doing."""

    def __init__(
        self, settings: Settings, slots: tuple[Slot, ...], watch: Callable[[Event], None]
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.settings, self.slots, self.watch = settings, slots, watch
        self.news: multiprocessing.Queue[Event] = context.Queue()
        self.halt = Halt(context)
        self.pools = [
            ProcessPool(
                max_workers=1,
                max_tasks=1 if slot.device != "cpu" else 0,  # a fault poisons a CUDA process
                context=context,
                initializer=start,
                initargs=[self.news, self.halt],
            )
            for slot in slots
        ]
        self.running: dict[int, tuple[Future[None], Cell]] = {}
        self.tally = Tally()

    def assign(self, waiting: list[Cell]) -> None:
        """Give every free slot the next cell."""
        for index, slot in enumerate(self.slots):
            if waiting and index not in self.running:
                cell = waiting.pop(0)
                job = _job(cell, slot, self.settings)
                self.running[index] = (self.pools[index].schedule(run, args=[job]), cell)

    def listen(self, wait_s: float = 0.1) -> None:
        """Pass on the news there is; wait a little for the first."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._hear(self.news.get(timeout=wait_s))
                wait_s = 0.01

    def collect(self) -> None:
        """Free the slots whose cell has ended, and record what ended without a record."""
        for index in [i for i, (future, _) in self.running.items() if future.done()]:
            future, cell = self.running.pop(index)
            self.listen()
            if cell.id not in self.tally.ended:
                self._hear(_lost(cell, self.slots[index], future, self.settings, self.tally))

    def dismiss(self) -> None:
        """Stop every worker."""
        for pool in self.pools:
            pool.stop()
        for pool in self.pools:
            pool.join()

    def _hear(self, event: Event) -> None:
        if event.kind == "end":
            self.tally.ended[event.cell_id] = event
        self.watch(event)


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
    )


def _lost(
    cell: Cell, slot: Slot, future: "Future[None]", settings: Settings, tally: Tally
) -> Event:
    """A worker ended without a word: find its record, or write one that says why."""
    done = store.find(settings.root, cell)
    if done is not None and done.measured:  # it died, or its news is late, after the record
        return Event(cell.id, "end", acc=done.last_acc, status=done.status, reason=done.reason)
    try:
        error = future.exception() or "its worker ended without a word"
    except CancelledError:
        error = "cancelled"
    reason = str(error) if isinstance(error, BenchError | str) else _death(error)
    try:
        origin = provenance(datetime.now(UTC), "cpu", settings.compiled, list(settings.argv))
        origin = origin.model_copy(update={"device": slot.device})
        record = Record(cell=cell, status="failed", reason=reason, provenance=origin)
        store.save(settings.root, record)
    except EnvironmentProblem as problem:
        tally.errors.append(str(problem))
    return Event(cell.id, "end", status="failed", reason=reason)


def _death(error: BaseException) -> str:
    code = getattr(error, "exitcode", None)
    if isinstance(code, int):
        return f"its worker process died ({'signal' if code < 0 else 'exit code'} {abs(code)})"
    return f"{type(error).__name__}: {error}".splitlines()[0]
