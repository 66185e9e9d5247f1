"""
What a job knows of itself: the engine that runs it, its id there, when it ends, how it is requeued.

Engines whose jobs have no such words of their own set the variables that `environment` makes.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.execution.job import OtherNode
from bench.results.record import EngineJob

ENGINE, JOB = "BENCH_ENGINE", "BENCH_JOB"
RESTARTS, END = "BENCH_JOB_RESTARTS", "BENCH_JOB_END"


def cannot_requeue() -> bool:
    """Leave it to others whether the job runs again."""
    return False


@dataclass(frozen=True)
class Allocation:
    """
    One job of an engine, seen from within.

    Args:
        engine: slurm, ray; empty: this process is nobody's job.
        job: its id, as the engine's `submit` returned it.
        restarts: how often it was put back into the queue before.
        ends_at: when the engine will end it, in seconds since the epoch; None: never.
        requeue: puts the job back into the queue, to begin again with the same batch when this
            process has left; returns whether the engine does that.
        earlier_ends: how the job ended before it was put back, in the engine's words, by the
            number of restarts that it had then.
        others: the job's nodes beside this one.
    """

    engine: str = ""
    job: str = ""
    node: str = field(default_factory=platform.node)
    restarts: int = 0
    ends_at: float | None = None
    requeue: Callable[[], bool] = cannot_requeue
    earlier_ends: Mapping[int, str] = field(default_factory=dict[int, str])
    others: tuple[OtherNode, ...] = ()

    def left_s(self) -> float | None:
        """Seconds until the engine ends the job; None: it does not."""
        return None if self.ends_at is None else self.ends_at - time.time()

    @property
    def engine_job(self) -> EngineJob | None:
        """The job as records and journals name it."""
        if not self.job:
            return None
        return EngineJob(engine=self.engine, job=self.job, node=self.node, restarts=self.restarts)


def environment(
    engine: str, job: str, restarts: int = 0, ends_at: float | None = None
) -> dict[str, str]:
    """The variables that tell `bench work` whose job it is, for engines that set none."""
    end = {} if ends_at is None else {END: repr(ends_at)}
    return {ENGINE: engine, JOB: job, RESTARTS: str(restarts), **end}


def find_allocation(environ: Mapping[str, str] = os.environ) -> Allocation:
    """The job that this process is, by the variables that its engine set."""
    end, restarts = environ.get(END), environ.get(RESTARTS, "0")
    return Allocation(
        engine=environ.get(ENGINE, ""),
        job=environ.get(JOB, ""),
        restarts=int(restarts) if restarts.isdigit() else 0,
        ends_at=float(end) if end else None,
    )
