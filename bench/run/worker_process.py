"""
A seat: one worker process (spawned, by pebble), the cell that it trains, and its news.

A seat is made for workers that die at any moment. Nothing is shared that a dead process could leave
locked: news come through a pipe of their own, the halt is one byte, and after a death all is new.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import Future
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from pebble import ProcessPool

from bench.base import signals
from bench.run.events import Ended, Event
from bench.run.job import Job, Slot
from bench.run.worker import Halt, attend, run, start
from bench.spec.cell import Cell

SILENT_S = 2.0  # after which a worker that exited is known to leave no word
# After a killed run Python's tracker of semaphores removes them, and would complain of the work.
UNMOURNED = "ignore:resource_tracker:UserWarning"


class Post:
    """The worker's end of the pipe."""

    def __init__(self, connection: "Connection[Event, Event]") -> None:
        self._connection = connection

    def put(self, event: Event) -> None:
        with contextlib.suppress(OSError):  # nobody hears an orphan
            self._connection.send(event)


class Seat:
    """One worker process, there from its first cell on."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.cell: Cell | None = None
        self.end: Ended | None = None  # what the worker said last of its cell
        self.killed = ""  # why we ended it
        self._open()

    def _open(self) -> None:
        if UNMOURNED not in sys.warnoptions:
            sys.warnoptions.append(UNMOURNED)
        context = multiprocessing.get_context("spawn")
        self.halt = Halt(context)
        self._reader, self._writer = context.Pipe(duplex=False)
        self._pool = ProcessPool(
            max_workers=1,
            context=context,
            initializer=start,
            initargs=[Post(self._writer), self.halt],
        )
        self._worker: BaseProcess | None = None
        self._silent_from: float | None = None

    def begin(self, job: Job) -> None:
        """Give the worker a cell; a worker that died idle is replaced."""
        self.cell, self.end, self.killed = job.cell, None, ""
        if self._worker is not None and _gone(self._worker):
            self._renew()
        self.began, self.oom_kills = time.monotonic(), oom_kills()
        with signals.ignored_by_children():
            self._future: Future[None] = self._pool.schedule(attend, args=[run, job])
        self._worker = self._process()

    def news(self) -> list[Event]:
        """What the worker said since the last time; its cell's end stays in `end`."""
        heard: list[Event] = []
        with contextlib.suppress(EOFError, OSError):
            while self._reader.poll():
                heard.append(self._reader.recv())
        self.end = next((e for e in reversed(heard) if isinstance(e, Ended)), self.end)
        return [event for event in heard if not isinstance(event, Ended)]

    @property
    def over(self) -> bool:
        """Has the worker left its cell, one way or another?"""
        if self._future.done():
            return True
        if self._worker is None or not _gone(self._worker):
            return False
        # pebble takes exit code 0 for an end in order, and waits on
        self._silent_from = self._silent_from or time.monotonic()
        return time.monotonic() - self._silent_from > SILENT_S

    @property
    def seconds(self) -> float:
        """How long the cell has had the seat, by the clock that never jumps."""
        return time.monotonic() - self.began

    @property
    def error(self) -> BaseException | None:
        """What the worker raised."""
        return self._future.exception() if self._future.done() else None

    @property
    def exit_code(self) -> int | None:
        """How the worker's process ended; negative: by that signal. None: it lives."""
        return None if self._worker is None else self._worker.exitcode

    def kill(self, why: str) -> None:
        """End the worker now, and all that it started."""
        if not self.killed and self._worker is not None:
            self.killed = why
            self._worker.kill()
            end_group(self._worker)

    def leave(self) -> None:
        """Make room for the next cell, with a new worker where the old one cannot go on."""
        died = self._worker is None or self.killed or _gone(self._worker)
        self.cell = None
        if died or self.slot.device != "cpu":  # a fault poisons a CUDA process
            self._renew()

    def close(self) -> None:
        """End the worker, whatever it does, and all that it started."""
        self._pool.stop()
        self._pool.join()
        if self._worker is not None:
            end_group(self._worker)
        self._reader.close()
        self._writer.close()

    def _renew(self) -> None:
        self.close()
        self._open()

    def _process(self) -> BaseProcess | None:
        workers = self._pool._pool_manager.worker_manager.workers  # pyright: ignore  # no public way
        return next(iter(list(workers.values())), None)


def await_news(seats: list[Seat], seconds: float) -> None:
    """Sleep until a worker says something or dies."""
    known = [seat for seat in seats if seat.cell]
    sources = [s._reader for s in known]  # pyright: ignore[reportPrivateUsage]
    if sources:
        wait(sources, seconds)
    else:
        time.sleep(seconds)


def oom_kills() -> int:
    """How many processes the kernel has killed for memory: in our control group if it counts."""
    for path in _counters():
        with contextlib.suppress(OSError):
            for line in path.read_text(encoding="ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


def death(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "its worker ended without a word"
    if code >= 0:
        return f"its worker process exited (code {code})"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = f"signal {-code}"
    return f"its worker process died ({name})"


def _gone(worker: BaseProcess) -> bool:
    return worker.exitcode is not None  # its sentinel may be open in a child of its own


def end_group(worker: BaseProcess) -> None:
    """Kill the processes that a worker started and left."""
    if worker.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)


def _counters() -> list[Path]:
    found: list[Path] = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, kind, group = line.split(":", 2)
            group = group.lstrip("/")
            if not kind:
                found.append(Path("/sys/fs/cgroup", group, "memory.events"))
            elif "memory" in kind.split(","):
                found.append(Path("/sys/fs/cgroup/memory", group, "memory.oom_control"))
    return [*found, Path("/proc/vmstat")]
