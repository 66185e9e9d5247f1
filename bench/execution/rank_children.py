"""
The processes of one node that train a cell with others, as the one that starts them sees them.

They are in its process group and end with it, whoever kills it. They hear no signal: the one that
leads says when to stop, between two steps.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
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
from bench.execution.resume import describe

if TYPE_CHECKING:  # a cell says that it has started before it imports torch, which takes its time
    from bench.train.ranks import Ranks

Train: TypeAlias = "Callable[[Job, Ranks], None]"
Store: TypeAlias = tuple[str, int]  # host and port of the one in which the group meets
PATIENCE = timedelta(hours=2)  # with a process that computes or writes while others wait for it
LOST = ("gloo", "NCCL", "ProcessGroup", "Connection ", "TCPStore", "Socket")  # of messages


@dataclass(frozen=True)
class Failure:
    """
    What a process says before it ends, or is said of it.

    Args:
        exhausted: memory ran out.
        echo: it fails only because another process has.
    """

    reason: str
    exhausted: bool = False
    echo: bool = False


class Children:
    """The processes of a node beside the one that starts them, by their rank."""

    def __init__(self) -> None:
        self.processes: dict[int, BaseProcess] = {}
        self._pipes: dict[int, Connection[None, Failure | None]] = {}
        self._said: dict[int, Failure] = {}
        self._asking = threading.Lock()

    def start(self, devices: dict[int, str], store: Store, job: Job, train: Train) -> None:
        """
        Start them.

        Args:
            devices: of each, by rank.
            train: does in each what the one that leads does; importable.
        """
        context = multiprocessing.get_context("spawn")
        for rank, device in devices.items():
            ours, theirs = context.Pipe(duplex=False)
            args = (rank, store, replace(job, device=device), train, theirs)
            process = context.Process(target=_follow, args=args)
            start_process(process)
            theirs.close()
            self.processes[rank], self._pipes[rank] = process, ours

    def failure(self, rank: int) -> Failure | None:
        """How a process failed, if it has."""
        if rank not in self._pipes:  # it is still to start
            return None
        with self._asking:
            code, pipe = self.processes[rank].exitcode, self._pipes[rank]
            with contextlib.suppress(EOFError, OSError):
                if pipe.poll() and (said := pipe.recv()):
                    self._said[rank] = said
            if code and rank not in self._said:
                died = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                self._said[rank] = Failure(f"died ({died})")
            return self._said.get(rank)

    def end(self) -> None:
        """End them, whatever they do."""
        for rank, process in self.processes.items():
            process.kill()
            process.join()
            self._pipes[rank].close()


def is_echo(error: Exception) -> bool:
    """Does an exception say no more than that a connection to another process broke?"""
    ours = isinstance(error, BenchError) or exhausted(error)
    return not ours and any(word in str(error) for word in LOST)


def join_group(rank: int, store: object, job: Job) -> "Ranks":
    """Join the group: gloo between CPUs, NCCL between GPUs, small words between CPUs always."""
    import torch
    import torch.distributed as dist

    from bench.train.ranks import Group

    gpus = job.device != "cpu"
    if gpus:
        torch.cuda.set_device(job.device)
    if not job.others:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # a host's name may lead anywhere
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpus else "gloo",
        store=store,  # pyright: ignore[reportArgumentType]
        rank=rank,
        world_size=job.ranks,
        timeout=PATIENCE,
    )
    return Group()


def _follow(
    rank: int, store: Store, job: Job, train: Train, pipe: "Connection[Failure | None, None]"
) -> None:
    """Be one of the processes beside the one that leads; it prints into the cell's log."""
    signals.ignore()
    keep_pages()
    attach()
    threading.Thread(target=_follow_parent, daemon=True).start()
    from bench.train.trainer import TrainingStopped

    try:
        import torch.distributed as dist

        train(job, join_group(rank, dist.TCPStore(*store), job))  # pyright: ignore
    except TrainingStopped:
        pass
    except Exception as error:
        traceback.print_exc()
        place = "" if isinstance(error, BenchError) else find_place(error)
        reason = f"failed: {describe(error)}" + (f" ({place})" if place else "")
        with contextlib.suppress(OSError):
            pipe.send(Failure(reason, exhausted(error), is_echo(error)))
        os._exit(1)  # no collective of the others is waited for
    with contextlib.suppress(OSError):
        pipe.send(None)
    os._exit(0)


def _follow_parent() -> None:
    """End this process when the one that started it has died, and all that it started with it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        if os.getpgid(0) == parent.pid:
            os.killpg(0, signal.SIGKILL)
        os._exit(1)
