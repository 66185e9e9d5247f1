"""
A worker that trains nothing: what it does with a cell is in `argv`, by the cell's seed.

And a pool that has none.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace

from bench.results import store
from bench.results.record import Provenance, Record
from bench.run import worker
from bench.run.events import Ended, Event, Progressed, Started
from bench.run.job import Job
from bench.run.worker import Halt
from bench.run.worker_process import Post
from bench.spec.cell_status import CellStatus

TINY = """
estimators: [ste, reste]
backbones:
  resnet20: {width: 2}
data:
  digits: {train: 64, test: 50}
wa: [1/1]
seeds: [0]
baseline: ste
train: {epochs: 2, batch_size: 32, lr: 0.1}
"""


def run(job: Job) -> None:
    """In place of `bench.worker.run`; imports no torch, so that it starts soon."""
    _tell(Started(job.cell.id))
    DEEDS[job.argv[job.cell.seed]](job)


class Here:
    """In place of pebble's pool: no worker, a cell is done where it is scheduled."""

    def __init__(self, *, initargs: tuple[Post, Halt], **_: object) -> None:
        self._post, self._halt = initargs
        self._pool_manager = SimpleNamespace(worker_manager=SimpleNamespace(workers={}))

    def schedule(self, call: Callable[[Job], None], args: list[Job]) -> Future[None]:
        worker._queue, worker._halt = self._post, self._halt  # pyright: ignore
        done: Future[None] = Future()
        try:
            done.set_result(call(*args))
        except Exception as error:  # as pebble does
            done.set_exception(error)
        return done

    def stop(self) -> None:
        """There is nothing to stop."""

    def join(self) -> None:
        """There is nothing to wait for."""


def record(job: Job, status: CellStatus, reason: str = "") -> Record:
    origin = Provenance(
        commit="", dirty=False, versions={}, device="cpu", threads=1, compiled=False, host="here",
        command="", started="2026-01-01T00:00:00+00:00", wall_s=time.monotonic(),
    )  # fmt: skip
    curves = (
        {"test_acc": [0.5], "train_loss": [1.0], "lr": [0.1]} if status is CellStatus.OK else {}
    )
    return Record(cell=job.cell, status=status, reason=reason, curves=curves, provenance=origin)


def _tell(event: Event) -> None:
    worker._tell(event)  # pyright: ignore[reportPrivateUsage]


def _end(job: Job, status: CellStatus, reason: str = "") -> None:
    store.save_record(job.root, record(job, status, reason))
    _tell(Ended(job.cell.id, status=status, reason=reason))


def _ok(job: Job) -> None:
    _tell(Progressed(job.cell.id, epoch=1, acc=0.5))
    _end(job, CellStatus.OK)


def _obey(job: Job, seconds: float = 0.0) -> None:
    """Train until told to stop, and a while longer."""
    _wait(job)
    time.sleep(seconds)
    _tell(Ended(job.cell.id, epoch=1, status=CellStatus.INTERRUPTED))


def _wait(job: Job) -> None:
    _tell(Progressed(job.cell.id, epoch=1, acc=0.5))
    halt = worker._halt  # pyright: ignore[reportPrivateUsage]
    while halt is None or not halt.is_set():
        time.sleep(0.02)


def _hang(job: Job) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _tell(Progressed(job.cell.id, epoch=1, acc=0.5))
    time.sleep(600)


def _fill(job: Job) -> None:
    """Leave no room for the record."""
    with (job.root / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    _ok(job)


def _once(job: Job, bad: Callable[[Job], None]) -> None:
    """Go wrong the first time only."""
    marker = job.root / f"tried-{job.cell.seed}"
    if marker.exists():
        _ok(job)
    else:
        marker.touch()
        bad(job)


def _stop_me(_: Job) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(600)


def _segfault(_: Job) -> None:
    ctypes.string_at(0)


def _print(job: Job) -> None:
    """In Python and beside it, the last line without an end."""
    sys.stdout.write("from Python\n")
    warnings.warn("a warning", stacklevel=1)
    subprocess.run(["echo", "from elsewhere"], check=True)
    ctypes.CDLL(None).puts(b"from C")
    sys.stdout.write("cut")
    _ok(job)


def _family(job: Job, last: Callable[[], object]) -> None:
    """Start a program and a copy of itself, and then do the last thing."""
    child = subprocess.Popen(["sleep", "600"])
    copy = os.fork()
    if not copy:
        time.sleep(600)
    (job.root / f"children-{job.cell.seed}").write_text(f"{child.pid} {copy}", encoding="utf-8")
    last()


DEEDS: dict[str, Callable[[Job], None]] = {
    "ok": _ok,
    "slow": lambda job: (time.sleep(0.5), _ok(job))[1],
    "obey": _obey,
    "obey late": lambda job: _obey(job, 1.0),
    "fail late": lambda job: (_wait(job), DEEDS["fail"](job))[1],
    "fill": _fill,
    "hang": _hang,
    "fail": lambda job: _end(job, CellStatus.FAILED, "RuntimeError: no"),
    "diverge": lambda job: _end(job, CellStatus.DIVERGED, "the loss is nan in epoch 1"),
    "fail once": lambda job: _once(job, DEEDS["fail"]),
    "hang once": lambda job: _once(job, _hang),
    "segfault": _segfault,
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "stop": _stop_me,
    "exit 0": lambda _: os._exit(0),
    "exit 3": lambda _: os._exit(3),
    "leave": lambda _: sys.exit("enough"),
    "print": _print,
    "family, kill": lambda job: _family(job, lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "family, exit 0": lambda job: _family(job, lambda: os._exit(0)),
}
