"""
A worker that trains nothing: what it does with a cell is in `argv`, by the cell's seed.

And a worker that is no process.
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

from bench.errors import BenchError, EnvironmentProblem
from bench.execution import cell_run
from bench.execution.events import CellEvent, Ended, Progressed, Started
from bench.execution.job import Job, Slot
from bench.execution.link import RunLink
from bench.execution.worker import JobEnd
from bench.results import store
from bench.results.record import Provenance, Record
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


_link = RunLink()  # of the cell that this process has


def run(job: Job, link: RunLink) -> None:
    """In place of `cell_run.run`; imports no torch, so that it starts soon."""
    global _link
    _link = link
    link.emit(Started(job.cell.id))
    DEEDS[job.argv[job.cell.seed]](job)


class InProcessWorker:
    """In place of a worker process: a cell is done where it is given out."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.over = False
        self._events: list[CellEvent] = []
        self._end = JobEnd()

    def begin(self, job: Job) -> None:
        try:
            cell_run.run(job, RunLink(self._events.append))
        except BenchError as error:
            self._end = JobEnd(str(error), environment=isinstance(error, EnvironmentProblem))
        self.over = True

    def take_events(self) -> list[CellEvent]:
        events, self._events = self._events, []
        return events

    def fileno(self) -> None:
        """There is nothing to wait for."""

    def leave(self) -> JobEnd:
        self.over = False
        return self._end

    def halt(self) -> None:
        """There is nothing to stop."""

    kill = close = halt


def record(job: Job, status: CellStatus, reason: str = "") -> Record:
    origin = Provenance(
        commit="", dirty=False, versions={}, device="cpu", threads=1, compiled=False, host="here",
        command="", started="2026-01-01T00:00:00+00:00", wall_s=time.monotonic(),
    )  # fmt: skip
    curves = (
        {"test_acc": [0.5], "train_loss": [1.0], "lr": [0.1]} if status is CellStatus.OK else {}
    )
    return Record(cell=job.cell, status=status, reason=reason, curves=curves, provenance=origin)


def _end(job: Job, status: CellStatus, reason: str = "") -> None:
    store.save_record(job.root, record(job, status, reason))
    _link.emit(Ended(job.cell.id, status=status, reason=reason))


def _ok(job: Job) -> None:
    _link.emit(Progressed(job.cell.id, epoch=1, acc=0.5))
    _end(job, CellStatus.OK)


def _obey(job: Job, seconds: float = 0.0) -> None:
    """Train until told to stop, and a while longer."""
    _wait(job)
    time.sleep(seconds)
    _link.emit(Ended(job.cell.id, epoch=1, status=CellStatus.INTERRUPTED))


def _wait(job: Job) -> None:
    _link.emit(Progressed(job.cell.id, epoch=1, acc=0.5))
    while not _link.halted():
        time.sleep(0.02)


def _hang(job: Job) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _link.emit(Progressed(job.cell.id, epoch=1, acc=0.5))
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
