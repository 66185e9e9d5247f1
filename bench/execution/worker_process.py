"""
A worker that is a process of this machine, spawned anew whenever it died.

It is made for processes that die at any moment. Nothing is shared that a dead one could leave
locked: jobs and events go through pipes of their own, the halt is one byte.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

from bench.base.child_processes import start_process
from bench.errors import EnvironmentProblem
from bench.execution.cell_run import run
from bench.execution.events import CellEvent
from bench.execution.job import Job, Slot
from bench.execution.link import Halt
from bench.execution.worker import JobEnd
from bench.execution.worker_main import serve
from bench.spec.cell_status import CellStatus


class WorkerProcess:
    """One process of this machine, there from its first cell on."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._process: BaseProcess | None = None  # None: the next job starts one
        self._end: JobEnd | None = None  # how it left its job, if it said so
        self._killed = False
        self._closed = False  # is its end of the pipe?

    def begin(self, job: Job) -> None:
        """
        Give the process a cell; one that died idle is replaced.

        Raises:
            EnvironmentProblem: the machine has no room for another process.
        """
        if self._process is not None and self._process.exitcode is not None:
            self.close()
        if self._process is None:
            try:
                self._process = self._start()
            except OSError as error:
                message = f"cannot start a worker process: {error.strerror or error}"
                raise EnvironmentProblem(message) from None
        self._end, self._killed = None, False
        self._oom_kills = oom_kills()
        with contextlib.suppress(OSError):  # it died just now, as `over` will say
            self._tasks.send((run, job))

    def take_events(self) -> list[CellEvent]:
        """What was emitted of the cell since the last time."""
        events: list[CellEvent] = []
        try:
            while self._messages.poll():
                message = self._messages.recv()
                if isinstance(message, JobEnd):
                    self._end = message
                else:
                    events.append(message)
        except (EOFError, OSError, pickle.UnpicklingError):  # closed, or cut by a death
            self._closed = True
        return events

    def fileno(self) -> int | None:
        """The pipe that events come through; None: it is closed, and always ready."""
        return None if self._closed else self._messages.fileno()

    @property
    def over(self) -> bool:
        """Has it left its cell? Its pipe may be held open by a child of its own, so ask both."""
        return self._end is not None or _exit_code(self._process) is not None

    def leave(self) -> JobEnd:
        """Make room for the next cell, with a new process where the old one cannot go on."""
        end = self._end or self._death()
        died = self._killed or _exit_code(self._process) is not None
        if died or self.slot.device != "cpu":  # a fault poisons a CUDA process
            self.close()
        return end

    def halt(self) -> None:
        """Ask the cell to leave a checkpoint and end."""
        if self._process is not None:
            self._halt.set()

    def kill(self) -> None:
        """End the process now, and all that it started."""
        if self._process is not None and not self._killed:
            self._killed = True
            self._process.kill()
            end_group(self._process)

    def close(self) -> None:
        """End the process, whatever it does, and all that it started."""
        if self._process is not None:
            self._process.kill()
            end_group(self._process)  # while nobody else can have its number
            self._process.join()
            self._tasks.close()
            self._messages.close()
            self._process = None

    def _start(self) -> BaseProcess:
        """A fresh process: after a death all that it shared is new."""
        context = multiprocessing.get_context("spawn")
        self._closed = False
        self._halt = Halt(context)
        tasks, self._tasks = context.Pipe(duplex=False)
        self._messages, messages = context.Pipe(duplex=False)
        process = context.Process(target=serve, args=(tasks, messages, self._halt))
        start_process(process)
        tasks.close()
        messages.close()
        return process

    def _death(self) -> JobEnd:
        """What its exit code says of a process that ended in the midst of a job."""
        code = _exit_code(self._process)
        if code == -signal.SIGKILL and not self._killed and oom_kills() > self._oom_kills:
            reason = "the kernel killed its worker process for want of memory"
            return JobEnd(reason, CellStatus.OUT_OF_MEMORY)
        return JobEnd(death(code), terminated=code == -signal.SIGTERM)


def _exit_code(process: BaseProcess | None) -> int | None:
    """How a process ended; negative: by that signal. None: it lives, or there is none."""
    return None if process is None else process.exitcode


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
