"""One job of Ray as its driver knows it, and what the ends of tasks mean for it."""

import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.base.signals import REQUEUE
from bench.fleet.batch import Batch
from bench.fleet.engine import JobState, Phase
from bench.fleet.ray.ray_cluster import Demand
from bench.fleet.ray.ray_messages import Finished

MOST_RESTARTS = 5  # in a row, of tasks that did not get from one checkpoint to the next
AGAIN_S = 10.0  # until a job asks again for cells that others have


@dataclass(frozen=True)
class End:
    """
    How a task ended, in the word that other engines have for it.

    Args:
        lost: it is not the job's fault, which begins again elsewhere.
    """

    word: str
    reason: str = ""
    lost: bool = False


@dataclass
class RayJob:
    """
    A job: a batch, and the task that runs it now, if one does.

    Args:
        after: jobs that have to end before.
        stream: the news of its task; None: it has none.
        node: Ray's id of where the task runs; empty: it does not yet.
        others: who has cells of the batch that the task was not given, in words.
        problems: what came home and could not be taken in.
        quick: restarts in a row that came too early.
    """

    id: str
    path: Path
    batch: Batch
    demand: Demand
    after: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    state: JobState = field(default_factory=lambda: JobState(Phase.QUEUED, "PENDING"))
    stream: Any = None
    node: str = ""
    finished: Finished | None = None
    others: str = ""
    problems: list[str] = field(default_factory=list[str])
    quick: int = 0
    began: float = field(default_factory=time.monotonic)
    not_before: float = 0.0
    cancelled_at: float | None = None
    fits_nowhere_since: float | None = None

    @property
    def over(self) -> bool:
        return self.state.phase is Phase.ENDED

    @property
    def task(self) -> str:
        """The name of its task, another one after each restart."""
        return f"{self.id}.{self.state.restarts}"

    def set(self, phase: Phase, word: str, reason: str = "") -> None:
        """Note how the job is."""
        nodes, restarts = self.state.nodes, self.state.restarts
        self.state = JobState(phase, word, reason, nodes, restarts)

    def arrive(self, node: str, host: str) -> None:
        """Note that its task has begun on a node."""
        self.node, self.began = node, time.monotonic()
        self.state = JobState(Phase.RUNNING, "RUNNING", "", (host,), self.state.restarts)

    def wait_for_others(self) -> None:
        """Go back to the queue, for others have cells of the batch."""
        self.stream, self.finished, self.node = None, None, ""
        self.not_before = time.monotonic() + AGAIN_S
        self.set(Phase.QUEUED, "PENDING", self.others)

    def end(self, end: End) -> None:
        """End, or go back to the queue if the task was lost and may well fare better elsewhere."""
        self.stream, self.finished, self.node = None, None, ""
        if self.cancelled_at is not None:
            self.set(Phase.ENDED, "CANCELLED", end.reason)
            return
        early = time.monotonic() - self.began < self.batch.checkpoint_s
        self.quick = self.quick + 1 if early else 0
        if not end.lost or self.quick > MOST_RESTARTS:
            often = f" {self.quick} times in a row" if end.lost else ""
            self.set(Phase.ENDED, end.word, "; ".join([f"{end.reason}{often}", *self.problems]))
            return
        nodes, restarts = self.state.nodes, self.state.restarts + 1
        self.state = JobState(Phase.QUEUED, "PENDING", f"again: {end.reason}", nodes, restarts)


def end_of(finished: Finished) -> End:
    """What the exit code of a child means."""
    lines = finished.output.strip().splitlines()
    said = lines[-1] if lines else ""
    code = finished.code
    if code is None:
        return End("FAILED", said)
    if code == 0:
        return End("COMPLETED")
    if finished.out_of_memory and code < 0:
        return End("OUT_OF_MEMORY", "the kernel killed it for want of memory: set `mem`")
    if code in {REQUEUE, 128 + signal.SIGTERM, -signal.SIGTERM}:
        return End("PREEMPTED", "it was told to stop", lost=True)
    if code < 0:
        return End("FAILED", f"`bench work` died ({signal.Signals(-code).name})", lost=True)
    return End("FAILED", f"exit code {code}: {said}")


def end_by(error: Exception) -> End:
    """What an exception of Ray's means, that took the place of a task's news."""
    from ray import exceptions as ray

    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if isinstance(error, ray.TaskCancelledError):
        return End("CANCELLED", "cancelled")
    if isinstance(error, ray.OutOfMemoryError):
        return End("OUT_OF_MEMORY", f"Ray ended it for want of memory on its node: {reason}")
    if isinstance(error, (ray.NodeDiedError, ray.LocalRayletDiedError, ray.ObjectLostError)):
        return End("NODE_FAIL", reason, lost=True)
    if isinstance(error, ray.WorkerCrashedError):
        return End("FAILED", f"its worker died: {reason}", lost=True)
    return End("FAILED", reason)
