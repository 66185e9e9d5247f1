"""
One cell in one process: build, train, write its record, and tell how it goes.

Whatever ends the process, the cell goes on from its newest checkpoint when it is run again. A
training that is asked to stop, by the run's `Halt` or by SIGTERM, finishes its step and leaves a
checkpoint; a process whose parent died ends at once, with all that it started. What it prints
meanwhile is in the cell's log.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.queues import Queue
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from bench.base.machine import keep_pages
from bench.base.text import count
from bench.errors import BenchError, DataError, EnvironmentProblem, exhausted
from bench.run.cell_log import Log, attach, redirect
from bench.run.events import Compiling, Ended, Event, Noted, Progressed, Started
from bench.run.job import Job
from bench.spec.cell_status import CellStatus

if TYPE_CHECKING:
    from torch import nn

    from bench.results.record import Provenance, Receipt, Record
    from bench.train.outcome import Outcome
    from bench.train.resource_meter import ResourceMeter
    from bench.train.snapshot import Snapshot


class Halt:
    """
    A flag that every process of a run sees: it is time to stop. Down until `set`.

    No lock guards it, as one guards multiprocessing's Event: a worker that is killed while it asks
    would keep the lock, and stop all others.
    """

    def __init__(self, context: BaseContext) -> None:
        self._flag = context.RawValue("b", 0)

    def set(self) -> None:
        self._flag.value = 1

    def is_set(self) -> bool:
        return bool(self._flag.value)


@dataclass
class _Origin:
    """Where a record comes from, as far as it is known yet."""

    describe: "Callable[..., Provenance]"
    compiled: bool = False
    meter: "ResourceMeter | None" = None  # None: training has not begun
    earlier: "list[Provenance]" = field(default_factory=list["Provenance"])
    receipt: "Receipt | None" = None

    def now(self) -> "Provenance":
        """What this process can say of itself up to now."""
        energy = self.meter.energy_j() if self.meter else None
        return self.describe(compiled=self.compiled, energy_j=energy)

    def fields(self) -> dict[str, Any]:
        """Of a record."""
        return {"provenance": self.now(), "earlier": self.earlier, "receipt": self.receipt}


QUIET_S = 0.25  # no more than four messages a second from a worker
_queue: "Queue[Event] | None" = None
_halt: Halt | None = None  # set when the run is to stop
_terminated = False  # SIGTERM came while a cell was running
_datasets: dict[str, Any] = {}


def start(queue: "Queue[Event]", halt: Halt) -> None:
    """Prepare a fresh process for cells."""
    global _queue, _halt
    _queue, _halt = queue, halt
    child()


def child() -> None:
    """
    Prepare a fresh process: Ctrl-C is the parent's to handle, and it ends with its parent.

    It leads a process group of its own, so that what its cells start ends with it.
    """
    os.setpgid(0, 0)
    keep_pages()
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(user_cache_path("signbench") / "compiled"))
    attach()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # odd EXIF tags; damage is an error
    threading.Thread(target=_follow_parent, daemon=True).start()


@contextlib.contextmanager
def _patient() -> Generator[None, None, None]:
    """SIGTERM asks the cell to stop; outside of one it ends the process."""
    global _terminated
    _terminated = False

    def note(*_: object) -> None:
        global _terminated
        _terminated = True

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def attend(deed: Callable[[Job], None], job: Job) -> None:
    """
    Do a deed for a cell, and have all that it prints in the cell's log.

    Raises:
        EnvironmentProblem: the cell's folder leads out of the results folder; and what it raises.
    """
    redirect(Log(job.root, job.cell).path)
    try:
        deed(job)
    finally:
        redirect(Path(os.devnull))


@_patient()
def run(job: Job) -> None:
    """
    Train one cell and write its record. An exception in a plugin becomes a `failed` record.

    Goes on from the cell's newest checkpoint. Asked to stop it leaves one, and no record.

    Raises:
        EnvironmentProblem: the record cannot be written, or the weights while there is a checkpoint
            to go on from, or checkpoints not be read; these stay, and there is no record.
    """
    _tell(Started(job.cell.id))  # before torch, which takes its time
    from bench.results import store
    from bench.results.provenance import describe_checkout, make_provenance
    from bench.train import checkpoint
    from bench.train.trainer import TrainingStopped

    started = datetime.now(UTC)
    describe_checkout()  # as it is now, not as it may be when the cell ends
    crowd, argv = job.cells_at_once, list(job.argv)
    origin = _Origin(partial(make_provenance, started, job.device, argv=argv, cells_at_once=crowd))
    log = Log(job.root, job.cell)
    try:
        record = _record(job, log, origin)
    except TrainingStopped as stopped:
        log.line(f"interrupted: {stopped}")
        _tell(Ended(job.cell.id, CellStatus.INTERRUPTED, epoch=stopped.epoch))
        return
    store.save_record(job.root, record)
    if record.measured:
        checkpoint.remove_all(log.path.parent)
    log.end(record.status, record.reason)
    _tell(Ended(job.cell.id, record.status, record.reason, record.last_acc))


def _record(job: Job, log: Log, origin: _Origin) -> "Record":
    """
    The cell's record, of a measurement or of what an exception says.

    Raises:
        EnvironmentProblem: the machine is to blame, not the cell.
        TrainingStopped: the run is to stop.
    """
    from bench.results.record import Record
    from bench.train.trainer import TrainingStopped

    try:
        return _measure(job, log, origin)
    except TrainingStopped:
        raise
    except Exception as error:  # the boundary: one bad plugin must not end the suite
        if not isinstance(error, BenchError):
            log.line(traceback.format_exc())
        if isinstance(error, EnvironmentProblem) and not isinstance(error, DataError):
            raise
        status, reason = _failure(error, job)
        return Record(cell=job.cell, status=status, reason=reason, **origin.fields())


def _follow_parent() -> None:
    """End this process and its own when its parent has died, so that nobody trains unheard."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)


def _of_content(error: Exception) -> bool:
    """May what a checkpoint holds have raised it? Not what a machine, or a request to stop, did."""
    from torch import AcceleratorError

    from bench.train.trainer import TrainingStopped

    others = (TrainingStopped, EnvironmentProblem, AcceleratorError)
    return not (isinstance(error, others) or exhausted(error))


def _failure(error: Exception, job: Job) -> tuple[CellStatus, str]:
    """The status and the reason of a cell that an exception ended."""
    reason = _reason(error)
    if exhausted(error):
        size = job.cell.recipe.batch_size
        return (
            CellStatus.OUT_OF_MEMORY,
            f"out of memory on {job.device} at batch size {size}: {reason}",
        )
    return CellStatus.FAILED, reason


def _reason(error: Exception) -> str:
    kind = "" if isinstance(error, BenchError) else f"{type(error).__name__}: "
    return f"{kind}{error}".splitlines()[0][:300]


def _measure(job: Job, log: Log, origin: _Origin) -> "Record":
    """
    Build and train; write the weights; return the record.

    Raises:
        EnvironmentProblem: the weights cannot be written, or checkpoints not be read.
        TrainingStopped: the run is to stop.
    """
    import torch

    from bench.results import store
    from bench.results.record import Record
    from bench.train import checkpoint, compile_policy
    from bench.train.resource_meter import ResourceMeter
    from bench.train.weights import digest

    _prepare(job)
    device = torch.device(job.device)
    data = _dataset(job, device).to(device, job.workers, log.line)
    compiled, why = compile_policy.choose(job.compiled, job.cell, data, job.device)
    log.line(why)
    origin.meter = meter = ResourceMeter(device, alone=job.cells_at_once == 1)
    threads = count(job.threads, "thread")
    log.line(f"{job.cell.slug} on {job.device}, {threads}, {data.label}")
    home = store.cell_path(job.root, job.cell)
    checkpoint.remove_unfinished(home)
    try:
        _vouch(job, compiled, log, origin)
        net, outcome = _train(job, data, home, log, origin)
    except Exception as error:
        if job.compiled or not (compiled and compile_policy.is_compile_error(error)):
            raise
        # nobody asked for it
        log.line(f"eager, for nothing can be compiled here: {_reason(error)}")
        _vouch(job, False, log, origin)
        net, outcome = _train(job, data, home, log, origin)
    if outcome.compile_s:
        log.line(f"compiled in {outcome.compile_s:.0f} s, which are no part of images/s")
    _keep_weights(job, home, outcome, log)
    return Record(
        cell=job.cell,
        status=CellStatus.DIVERGED if outcome.diverged else CellStatus.OK,
        reason=outcome.diverged,
        curves=outcome.curves,
        best_epoch=outcome.best_epoch,
        indicators=outcome.indicators,
        weights_digest=digest(outcome.last),
        best_digest=digest(outcome.best) if outcome.best else "",
        parameters=sum(p.numel() for p in net.parameters()),
        images_per_s=outcome.images_per_s,
        peak_mib=meter.peak_mib(),
        **origin.fields(),
    )


def _train(
    job: Job, data: Any, home: Path, log: Log, origin: _Origin
) -> "tuple[nn.Module, Outcome]":
    """
    Train from the newest checkpoint that fits, or anew; each try has a network of its own.

    A failure right after a checkpoint is put to it; one of the plugin's comes again without it.
    """
    from bench.train import checkpoint, model, trainer
    from bench.train.snapshot import SnapshotMismatch

    notes = _Notes(job.cell.id, log)
    while True:
        built = model.build(job.cell)
        built.net.to(job.device)
        resume, origin.earlier = checkpoint.read_newest(home, job.cell.id, log.line) or (None, [])
        if resume:
            images = resume.step * job.cell.recipe.batch_size
            _resumed(job, log, resume, images / data.sizes["train"])
            _compare(origin.earlier[-1], origin.now(), log)
        watch = _Watch(job.cell.id, log)
        checkpointer = checkpoint.CheckpointWriter(
            home,
            job.cell.id,
            job.checkpoint_s,
            lambda: [*origin.earlier, origin.now()],
            _stopping,
            notes.add,
        )
        try:
            if resume:
                checkpoint.check_optimizer(resume, built.net.parameters())
            outcome = trainer.train(
                built.net,
                built.clock,
                data,
                job.cell.recipe,
                job.cell.seed,
                compiled=origin.compiled,
                watch=watch,
                resume=resume,
                checkpointer=checkpointer,
            )
        except SnapshotMismatch as mismatch:
            path = checkpoint.step_folder(home, mismatch.epoch, mismatch.step)
            checkpoint.set_aside(path, str(mismatch), log.line)
        except Exception as error:
            if not resume or watch.moved or not _of_content(error):
                raise
            path = checkpoint.step_folder(home, resume.epoch, resume.step)
            checkpoint.set_aside(path, f"training fails there: {_reason(error)}", log.line)
        else:
            return built.net, outcome


def _keep_weights(job: Job, home: Path, outcome: "Outcome", log: Log) -> None:
    """
    Write the weights; where there is a checkpoint to go on from, a record must not be without.

    Raises:
        EnvironmentProblem: they cannot be written.
    """
    from bench.results import store
    from bench.train import checkpoint

    kept = {"last": outcome.last, "best": outcome.best}
    for name, state in ((k, s) for k, s in kept.items() if s):  # no best without an epoch
        try:
            store.save_weights(home / f"{name}.safetensors", state)
        except EnvironmentProblem as problem:
            if any(not why for _, why in checkpoint.examine(home, job.cell.id)):
                raise
            _Notes(job.cell.id, log).add(f"weights not kept, the record is worth more: {problem}")


def _prepare(job: Job) -> None:
    """Set the process up for the cell, and see that both are what the plan takes them for."""
    import torch

    from bench.registry import add_folders
    from bench.results import source_digest

    torch.set_num_threads(job.threads)
    add_folders(job.plugins)
    source_digest.confirm(job.cell)


def _vouch(job: Job, compiled: bool, log: Log, origin: _Origin) -> None:
    """Note how the cell trains, and whether two equal trainings agree here."""
    from bench.train import determinism

    origin.compiled = compiled
    origin.receipt = found = determinism.find_or_make_receipt(
        job.root, job.device, job.threads, compiled
    )
    if found.first_difference is not None:
        log.line(f"note: two equal trainings here differ from step {found.first_difference} on")


def _dataset(job: Job, device: Any) -> Any:
    """The cell's data on the device; a process keeps what it has loaded."""
    from bench.train import model

    key = f"{job.cell.data.model_dump_json()} {device} {job.data}"
    if key not in _datasets:
        _datasets[key] = model.dataset(job.cell, job.data).to(device, job.workers)
    return _datasets[key]


def _stopping() -> bool:
    return _terminated or (_halt is not None and _halt.is_set())


def _resumed(job: Job, log: Log, snapshot: "Snapshot", fraction: float) -> None:
    """Tell from where training goes on."""
    log.line(f"resumed in epoch {snapshot.epoch + 1}, before step {snapshot.step + 1}")
    acc = next(reversed(snapshot.outcome.curves.get("test_acc", [])), None)
    _tell(Progressed(job.cell.id, snapshot.epoch, fraction, acc))


def _compare(before: "Provenance", now: "Provenance", log: Log) -> None:
    """Tell what is not as it was where training goes on from."""
    for name in ("commit", "versions", "device", "threads", "compiled"):
        then, here = getattr(before, name), getattr(now, name)
        if then != here:
            log.line(f"not as before the interruption: {name} {here}, was {then}")


class _Watch:
    """Passes progress on, not too often, and writes each epoch to the log."""

    def __init__(self, cell_id: str, log: Log) -> None:
        self.cell_id, self.log, self.told = cell_id, log, 0.0
        self.moved = False  # has training passed where it was first seen?
        self._first: tuple[int, float] | None = None

    def __call__(self, progress: Any) -> None:
        place = progress.epoch, progress.fraction
        self._first = self._first or place
        self.moved = place != self._first
        if progress.compiling:
            self.log.line("compiling the training step")
            _tell(Compiling(self.cell_id, progress.epoch, progress.fraction))
            return
        if progress.acc is not None:
            speed = f"{progress.images_per_s:.0f} images/s" if progress.images_per_s else ""
            self.log.line(f"epoch {progress.epoch}/{progress.epochs} {progress.acc:.4f} {speed}")
        elif time.monotonic() - self.told < QUIET_S:
            return
        self.told = time.monotonic()
        _tell(
            Progressed(
                self.cell_id,
                epoch=progress.epoch,
                fraction=progress.fraction,
                acc=progress.acc,
                images_per_s=progress.images_per_s,
            )
        )


class _Notes:
    """What cannot be kept of a cell that goes on: each time in the log, once on the screen."""

    def __init__(self, cell_id: str, log: Log) -> None:
        self.cell_id, self.log, self.told = cell_id, log, False

    def add(self, text: str) -> None:
        self.log.line(text)
        if not self.told:
            self.told = True
            _tell(Noted(self.cell_id, text))


def _tell(event: Event) -> None:
    if _queue is not None:
        _queue.put(event)
