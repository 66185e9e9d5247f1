"""
The processes that train one cell together: the worker's own, which leads, and the others.

Those of this node are its children, those of other nodes are children of a host there. One that
dies or fails ends them all, and the cell goes on from its checkpoint when it is run again.
"""

import contextlib
import threading
import time
from collections.abc import Generator
from typing import TYPE_CHECKING

from bench.errors import BenchError, NodeLost
from bench.execution.job import Job
from bench.execution.link import RunLink
from bench.execution.rank_children import Children, Failure, Train, is_echo, join_group
from bench.execution.rank_nodes import BEAT_S, RankNode, start_nodes
from bench.execution.resume import describe
from bench.execution.worker import JobEnd
from bench.spec.cell_status import CellStatus

if TYPE_CHECKING:  # a cell says that it has started before it imports torch, which takes its time
    from bench.train.ranks import Ranks

LAST_WORDS_S = 5.0  # that the others have to say what was wrong with them
PARTING_S = 1.0  # that those of other nodes have to end of themselves
UNWIND_S = 20.0  # that the one that leads has to end, once another has
LOOK_S = 0.2  # between two looks at the others


class ProcessLost(BenchError):
    """One of the processes that train a cell together died or failed, and ended the others."""


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
        NodeLost: another node is gone, or cannot be reached.
    """
    from bench.train.ranks import ALONE

    if job.ranks == 1:
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
        self.children, self.nodes = Children(), list[RankNode]()
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def join(self) -> "Ranks":
        """Start them, and make a group of all."""
        import torch.distributed as dist

        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # pyright: ignore
        self.watcher.start()
        start_nodes(self.nodes, self.job, self.train, store.port)
        devices = dict(enumerate(self.job.beside, 1))
        self.children.start(devices, ("127.0.0.1", store.port), self.job, self.train)
        return join_group(0, store, self.job)

    def finish(self) -> None:
        """Wait for the others, which have nothing left to do."""
        until = time.monotonic() + LAST_WORDS_S
        for process in self.children.processes.values():
            process.join(max(0.0, until - time.monotonic()))
        self._await_nodes(max(0.0, until - time.monotonic()))
        self._raise_known()

    def explain(self, error: Exception) -> None:
        """
        Say what ended another process, where that is why this one fails.

        Raises:
            ProcessLost, MemoryError, NodeLost: it is.
        """
        if not is_echo(error):
            return
        until = time.monotonic() + LAST_WORDS_S
        while time.monotonic() < until:
            self._raise_known()
            time.sleep(0.05)
        if lost := self._find_lost(echoes=True):
            raise lost
        if self.nodes:
            names = ", ".join(node.node.name for node in self.nodes)
            message = f"a connection to processes on {names} broke: {describe(error)}"
            raise NodeLost(message)

    def end(self) -> None:
        """End the others, whatever they do, and leave the group."""
        import torch.distributed as dist

        self._await_nodes(PARTING_S)
        self.over.set()
        if self.watcher.is_alive():
            self.watcher.join()
        self.children.end()
        for node in self.nodes:
            node.end()
        if dist.is_initialized():
            dist.destroy_process_group()

    def _await_nodes(self, seconds: float) -> None:
        """Wait until processes of other nodes have ended, or are known to be lost."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not all(node.over for node in self.nodes):
            time.sleep(0.02)

    def _raise_known(self) -> None:
        if lost := self._find_lost():
            raise lost

    def _find_lost(self, *, echoes: bool = False) -> Exception | None:
        """
        What is known of a process or a node that was lost, to be raised; None: nothing is.

        Args:
            echoes: take the word of one that fails because another has, too.
        """
        found = [(rank, said) for rank in range(1, self.job.ranks) if (said := self._failure(rank))]
        for rank, failure in found:
            if not failure.echo:
                return (MemoryError if failure.exhausted else ProcessLost)(
                    self._words(rank, failure)
                )
        if lost := next((node.lost for node in self.nodes if node.lost), ""):
            return NodeLost(lost)
        if not echoes or not found:
            return None
        return (NodeLost if self.nodes else ProcessLost)(self._words(*found[0]))

    def _failure(self, rank: int) -> Failure | None:
        """How a process failed, if it has."""
        number = rank // len(self.job.devices)
        if number == 0:
            return self.children.failure(rank)
        return self.nodes[number - 1].failures.get(rank) if number <= len(self.nodes) else None

    def _words(self, rank: int, failure: Failure) -> str:
        """The same for a record."""
        number = rank // len(self.job.devices)
        where = f" on {self.nodes[number - 1].node.name}" if number else ""
        return f"process {rank + 1} of {self.job.ranks}{where} {failure.reason}"

    def _watch(self) -> None:
        """Hear the others; end the cell if it waits for ever for one that was lost."""
        beat_at, lost_at = time.monotonic(), None
        while not self.over.wait(LOOK_S):
            now = time.monotonic()
            for node in self.nodes:
                node.hear()
                if now - beat_at >= BEAT_S:
                    node.beat()
            beat_at = now if now - beat_at >= BEAT_S else beat_at
            lost = self._find_lost(echoes=True)
            lost_at = lost_at or (now if lost else None)
            if lost and lost_at and now - lost_at > UNWIND_S:
                memory, node_lost = isinstance(lost, MemoryError), isinstance(lost, NodeLost)
                status = CellStatus.OUT_OF_MEMORY if memory else CellStatus.FAILED
                self.link.end(JobEnd(str(lost), status, node_lost=node_lost))
