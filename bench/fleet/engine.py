"""
What is needed of an engine, and what it says of a job.

An engine is asked rarely, and about all jobs at once. It is not believed for results: a job that
`COMPLETED` may have failed cells, and one that is `FAILED` may have left all its records.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path
from typing import Protocol

from bench.errors import EnvironmentProblem


class Phase(StrEnum):
    """Where a job is on its way."""

    QUEUED = auto()
    RUNNING = auto()
    ENDED = auto()
    GONE = auto()  # the engine answered, and knows nothing of it, or no more
    UNKNOWN = auto()  # the engine did not answer: no verdict rests on it


@dataclass(frozen=True)
class JobState:
    """
    How a job is.

    Args:
        word: the engine's own: PENDING, RUNNING, COMPLETED, TIMEOUT, NODE_FAIL, PREEMPTED,
            OUT_OF_MEMORY, CANCELLED, FAILED; those of Ray are spelled alike.
        reason: why it waits, or how it ended, in the engine's words.
        nodes: where it runs or ran.
        restarts: how often it was put back into the queue.
    """

    phase: Phase
    word: str = ""
    reason: str = ""
    nodes: tuple[str, ...] = ()
    restarts: int = 0


class PartlyTaken(EnvironmentProblem):
    """
    An engine refuses, and has taken some batches before it did.

    Attributes:
        jobs: of those.
    """

    def __init__(self, problem: EnvironmentProblem, jobs: Mapping[Path, str]) -> None:
        super().__init__(str(problem))
        self.jobs = {**jobs}


class Engine(Protocol):
    """
    Runs batches somewhere else.

    Attributes:
        name: slurm, ray.
        attached: jobs end with the process that submitted them, so there is no detaching.
    """

    name: str
    attached: bool

    def submit(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> dict[Path, str]:
        """
        Give batches to the engine, in this order; returns the job of each.

        Args:
            after: jobs that have to end, well or not, before that of a batch begins.
            exclude: nodes that are to be left alone.

        Raises:
            EnvironmentProblem: the engine is not there, or refuses; in one line, with its words.
            PartlyTaken: the same, where it has some of the batches; these are jobs all the same.
        """
        ...

    def look(self, jobs: Iterable[str]) -> dict[str, JobState]:
        """
        How each of these jobs is: one that the engine forgot is GONE.

        Where the engine does not answer all are UNKNOWN, and nothing is raised.
        """
        ...

    def cancel(self, jobs: Iterable[str]) -> None:
        """End jobs, after they had time to checkpoint; those that ended already are left."""
        ...

    def script(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> str:
        """What `submit` would give to the engine, for people; nothing is submitted."""
        ...

    def poll(self) -> None:
        """Bring home what jobs sent, where nodes share no folder; quick, and often called."""
        ...

    def close(self) -> None:
        """Let go of the engine; an attached one's jobs end."""
        ...
