"""One cell in one process: build, train, write its record, and tell how it goes."""

import contextlib
import resource
import signal
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as EventClass
from pathlib import Path
from typing import Any, Literal

from bench.cell import Cell
from bench.errors import EnvironmentProblem

Kind = Literal["start", "progress", "end", "retry", "elsewhere", "takeover", "stop"]


@dataclass(frozen=True)
class Job:
    """Everything that a worker needs to know; small, and pickled across processes."""

    cell: Cell
    root: Path
    device: str
    threads: int
    workers: int  # decoding threads, where images are files
    compiled: bool
    data: Path
    plugins: tuple[Path, ...]  # folders of local plugins
    argv: tuple[str, ...]
    checkpoint_s: float  # seconds between checkpoints


@dataclass(frozen=True)
class Event:
    """
    News of one cell.

    `status` of an end is that of its record, or "interrupted": stopped, with a checkpoint to go on
    from and no record.
    """

    cell_id: str
    kind: Kind
    epoch: int = 0
    fraction: float = 0.0
    acc: float | None = None
    images_per_s: float | None = None
    status: str = ""
    reason: str = ""


QUIET_S = 0.25  # no more than four messages a second from a worker
_queue: "Queue[Event] | None" = None
_halt: "EventClass | None" = None  # set when the run is to stop
_datasets: dict[str, Any] = {}


def start(queue: "Queue[Event]", halt: "EventClass") -> None:
    """Prepare a fresh process; Ctrl-C is the parent's to handle."""
    global _queue, _halt
    _queue, _halt = queue, halt
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # odd EXIF tags; damage is an error


def run(job: Job) -> None:
    """
    Train one cell and write its record. An exception in a plugin becomes a `failed` record.

    Raises:
        EnvironmentProblem: the record cannot be written.
    """
    from bench import store
    from bench.provenance import checkout, provenance
    from bench.record import Record

    started = datetime.now(UTC)
    checkout()  # as it is now, not as it may be when the cell ends
    _tell(Event(job.cell.id, "start"))
    log = _Log(store.folder(job.root, job.cell) / "log.txt")
    try:
        record = _measure(job, log, started)
    except Exception as error:  # the boundary: one bad plugin must not end the suite
        log.line(traceback.format_exc())
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        if type(error).__name__ == "OutOfMemoryError":
            reason = f"out of memory on {job.device}: {reason}"
        origin = provenance(started, job.device, job.compiled, list(job.argv))
        record = Record(cell=job.cell, status="failed", reason=reason, provenance=origin)
    store.save(job.root, record)
    log.line(f"{record.status} {record.reason}".strip())
    acc = record.last_acc
    _tell(Event(job.cell.id, "end", acc=acc, status=record.status, reason=record.reason))


def _measure(job: Job, log: "_Log", started: datetime) -> Any:
    """Build and train; write the weights; return the record."""
    import torch

    from bench import model, store, trainer
    from bench.provenance import provenance
    from bench.record import Record
    from bench.registry import add_folders

    torch.set_num_threads(job.threads)
    torch.backends.cudnn.deterministic = True
    add_folders(job.plugins)
    device = torch.device(job.device)
    data = _dataset(job, device).to(device, job.workers, log.line)
    built = model.build(job.cell)
    built.net.to(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    log.line(f"{job.cell.slug} on {job.device}, {job.threads} threads, {data.label}")
    outcome = trainer.train(
        built.net,
        built.clock,
        data,
        job.cell.recipe,
        job.cell.seed,
        compiled=job.compiled,
        watch=_Watch(job.cell.id, log),
    )
    home = store.folder(job.root, job.cell)
    kept = {"last": outcome.last, "best": outcome.best}
    for name, state in ((k, s) for k, s in kept.items() if s):  # no best without an epoch
        try:
            store.save_weights(home / f"{name}.safetensors", state)
        except EnvironmentProblem as problem:  # the record is small, and worth more
            log.line(f"weights not kept: {problem}")
    return Record(
        cell=job.cell,
        status="diverged" if outcome.diverged else "ok",
        reason=outcome.diverged,
        curves=outcome.curves,
        best_epoch=outcome.best_epoch,
        indicators=outcome.indicators,
        weights_digest=trainer.digest(outcome.last),
        parameters=sum(p.numel() for p in built.net.parameters()),
        images_per_s=outcome.images_per_s,
        peak_mib=_peak_mib(device),
        provenance=provenance(started, job.device, job.compiled, list(job.argv)),
    )


def _dataset(job: Job, device: Any) -> Any:
    """The cell's data on the device; a process keeps what it has loaded."""
    from bench import model

    key = f"{job.cell.data.model_dump_json()} {device} {job.data}"
    if key not in _datasets:
        _datasets[key] = model.dataset(job.cell, job.data).to(device, job.workers)
    return _datasets[key]


def _peak_mib(device: Any) -> float:
    """Peak memory: of the device on a GPU, of the process so far on a CPU."""
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


class _Watch:
    """Passes progress on, not too often, and writes each epoch to the log."""

    def __init__(self, cell_id: str, log: "_Log") -> None:
        self.cell_id, self.log, self.told = cell_id, log, 0.0

    def __call__(self, progress: Any) -> None:
        if progress.acc is not None:
            speed = f"{progress.images_per_s:.0f} images/s" if progress.images_per_s else ""
            self.log.line(f"epoch {progress.epoch}/{progress.epochs} {progress.acc:.4f} {speed}")
        elif time.monotonic() - self.told < QUIET_S:
            return
        self.told = time.monotonic()
        _tell(
            Event(
                self.cell_id,
                "progress",
                epoch=progress.epoch,
                fraction=progress.fraction,
                acc=progress.acc,
                images_per_s=progress.images_per_s,
            )
        )


class _Log:
    """A cell's log: one more line at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def line(self, text: str) -> None:
        from bench import store

        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        with contextlib.suppress(EnvironmentProblem):  # no log is worth a cell
            store.append(self.path, f"{stamp} {text.rstrip()}\n")


def _tell(event: Event) -> None:
    if _queue is not None:
        _queue.put(event)
