"""
The processes that train one cell together: the worker's own, which leads, and its children.

They are in the worker's process group and end with it, whoever kills it. One that dies or fails
ends them all, and the cell goes on from its checkpoint when it is run again. The processes hear no
signal: the one that leads says when to stop, between two steps.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, TypeAlias

from bench.base import signals
from bench.base.child_processes import start_process
from bench.base.machine import keep_pages
from bench.base.tracebacks import find_place
from bench.errors import BenchError, exhausted
from bench.execution.cell_log import attach
from bench.execution.job import Job
from bench.execution.link import RunLink
from bench.execution.resume import describe

if TYPE_CHECKING:  # a cell says that it has started before it imports torch, which takes its time
    from bench.train.ranks import Ranks

Train: TypeAlias = "Callable[[Job, Ranks], None]"
PATIENCE = timedelta(hours=2)  # with a process that computes or writes while others wait for it
LAST_WORDS_S = 5.0  # that the others have to say what was wrong with them
UNWIND_S = 20.0  # that the one that leads has to end, once another has
LOST = ("gloo", "NCCL", "ProcessGroup", "Connection ", "TCPStore", "Socket")  # of messages


class ProcessLost(BenchError):
    """One of the processes that train a cell together died or failed, and ended the others."""


@dataclass(frozen=True)
class Failure:
    """What a process says before it ends."""

    reason: str
    exhausted: bool  # memory ran out


@contextlib.contextmanager
def joined(job: Job, link: RunLink, train: Train) -> Generator["Ranks", None, None]:
    """
    Within, this process and the job's others are one group, in which it leads.

    Args:
        link: is told if another process is lost while this one cannot be interrupted.
        train: does in each of the others, with its own job, what is done within; importable.

    Raises:
        ProcessLost: one of the others died or failed.
        MemoryError: it ran out of memory.
    """
    from bench.train.ranks import ALONE

    if not job.beside:
        yield ALONE
        return
    others = _Others(job, link, train)
    try:
        yield others.join()
        others.finish()
    except Exception as error:
        others.explain(error)
        raise
    finally:
        others.end()


class _Others:
    """The processes beside the one that leads."""

    def __init__(self, job: Job, link: RunLink, train: Train) -> None:
        self.job, self.link, self.train = job, link, train
        self.processes: list[BaseProcess] = []
        self.pipes: list[Connection[None, Failure | None]] = []
        self.over = threading.Event()

    def join(self) -> "Ranks":
        """Start them, and make a group of all."""
        import torch.distributed as dist

        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # pyright: ignore
        context = multiprocessing.get_context("spawn")
        for rank, device in enumerate(self.job.beside, 1):
            ours, theirs = context.Pipe(duplex=False)
            job = replace(self.job, device=device)
            args = (rank, store.port, job, self.train, theirs)
            process = context.Process(target=_follow, args=args)
            start_process(process)
            theirs.close()
            self.processes.append(process)
            self.pipes.append(ours)
        threading.Thread(target=self._watch, daemon=True).start()
        return _join(0, store, self.job)

    def finish(self) -> None:
        """Wait for the others, which have nothing left to do."""
        for rank, process in enumerate(self.processes, 1):
            process.join(LAST_WORDS_S)
            if failure := self._failure(rank):
                self._raise(rank, failure)

    def explain(self, error: Exception) -> None:
        """
        Say what ended another process, where that is why this one fails.

        Raises:
            ProcessLost, MemoryError: it is.
        """
        own = isinstance(error, BenchError) or not any(word in str(error) for word in LOST)
        if own or exhausted(error):
            return
        until = time.monotonic() + LAST_WORDS_S
        while time.monotonic() < until:
            for rank in range(1, len(self.processes) + 1):
                if failure := self._failure(rank):
                    self._raise(rank, failure)
            time.sleep(0.05)

    def end(self) -> None:
        """End the others, whatever they do, and leave the group."""
        import torch.distributed as dist

        self.over.set()
        for process, pipe in zip(self.processes, self.pipes, strict=True):
            process.kill()
            process.join()
            pipe.close()
        if dist.is_initialized():
            dist.destroy_process_group()

    def _failure(self, rank: int) -> Failure | None:
        """How a process failed, if it has."""
        process, pipe = self.processes[rank - 1], self.pipes[rank - 1]
        code = process.exitcode
        with contextlib.suppress(EOFError, OSError):
            if pipe.poll() and (said := pipe.recv()):
                return said
        if not code:
            return None
        died = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Failure(f"died ({died})", exhausted=False)

    def _words(self, rank: int, failure: Failure) -> str:
        """The same for a record."""
        return f"process {rank + 1} of {len(self.processes) + 1} {failure.reason}"

    def _raise(self, rank: int, failure: Failure) -> None:
        words = self._words(rank, failure)
        raise (MemoryError if failure.exhausted else ProcessLost)(words)

    def _watch(self) -> None:
        """End the cell if a process is lost while the one that leads waits for it for ever."""
        sentinels = {process.sentinel: rank for rank, process in enumerate(self.processes, 1)}
        while sentinels and not self.over.is_set():
            for sentinel in wait([*sentinels], 1.0):
                rank = sentinels.pop(sentinel)  # pyright: ignore
                if self.over.is_set() or not self.processes[rank - 1].exitcode:
                    continue
                if not self.over.wait(UNWIND_S):
                    code = self.processes[rank - 1].exitcode
                    failure = Failure(f"ended (code {code})", exhausted=False)
                    self.link.end(self._words(rank, failure))


def _follow(
    rank: int, port: int, job: Job, train: Train, pipe: "Connection[Failure | None, None]"
) -> None:
    """Be one of the processes beside the one that leads; it prints into the cell's log."""
    signals.ignore()
    keep_pages()
    attach()
    threading.Thread(target=_follow_parent, daemon=True).start()
    from bench.train.trainer import TrainingStopped

    try:
        import torch.distributed as dist

        store = dist.TCPStore("127.0.0.1", port)  # pyright: ignore
        train(job, _join(rank, store, job))
    except TrainingStopped:
        pass
    except Exception as error:
        traceback.print_exc()
        place = "" if isinstance(error, BenchError) else find_place(error)
        reason = f"failed: {describe(error)}" + (f" ({place})" if place else "")
        with contextlib.suppress(OSError):
            pipe.send(Failure(reason, exhausted(error)))
        os._exit(1)  # no collective of the others is waited for
    with contextlib.suppress(OSError):
        pipe.send(None)
    os._exit(0)


def _join(rank: int, store: object, job: Job) -> "Ranks":
    """Join the group: gloo between CPUs, NCCL between GPUs, small words between CPUs always."""
    import torch
    import torch.distributed as dist

    from bench.train.ranks import Group

    gpus = job.device != "cpu"
    if gpus:
        torch.cuda.set_device(job.device)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # a host's name may lead anywhere
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpus else "gloo",
        store=store,  # pyright: ignore[reportArgumentType]
        rank=rank,
        world_size=job.ranks,
        timeout=PATIENCE,
    )
    return Group()


def _follow_parent() -> None:
    """End this process when the one that leads has died, and all that it started with it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        if os.getpgid(0) == parent.pid:
            os.killpg(0, signal.SIGKILL)
        os._exit(1)
