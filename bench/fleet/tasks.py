"""Batches of a submission whose cells have not all ended, and how their jobs are."""

import time
from dataclasses import dataclass, field

from bench.fleet.engine import JobState, Phase
from bench.fleet.submission import Submission

ENDED = (Phase.ENDED, Phase.GONE)


@dataclass(eq=False)
class Task:
    """
    One batch, as a run follows it.

    Attributes:
        open: its cells that have not ended, by id, and that the run wants.
        job: its newest one that is not done with; empty: it is to be given to the engine.
        state: of that job, as the engine last said.
        given_at: when the job was first heard of, by the clock that never jumps.
        rest_until: nothing is submitted before, by that clock.
        ended_at: when it was first heard that it had ended.
    """

    submission: Submission
    batch: str
    open: set[str]
    job: str = ""
    state: JobState = field(default_factory=lambda: JobState(Phase.UNKNOWN))
    given_at: float = 0.0
    ended_at: float | None = None
    rest_until: float = 0.0
    done_with: set[str] = field(default_factory=set[str])  # jobs on which verdicts have been given

    @property
    def waiting(self) -> bool:
        """Is it to be given to the engine?"""
        return not self.job and time.monotonic() >= self.rest_until

    def take_job(self) -> None:
        """Take the newest job that the submission has of it, if that is another one."""
        job = self.submission.jobs.get(self.batch, "")
        if job and job != self.job and job not in self.done_with:
            self.job, self.ended_at = job, None
            self.given_at = time.monotonic()
            self.state = JobState(Phase.UNKNOWN)

    def hear(self, state: JobState) -> bool:
        """
        Take what the engine says; a job that was put back into the queue has not ended.

        Returns whether it is news that the job waits, or what for.
        """
        if state.phase is Phase.UNKNOWN:
            return False
        waits = state.phase is Phase.QUEUED
        news = waits and (self.state.phase, self.state.reason) != (state.phase, state.reason)
        self.state = state
        if state.phase not in ENDED:
            self.ended_at = None
        elif self.ended_at is None:
            self.ended_at = time.monotonic()
        return news

    def settled(self, after_s: float) -> bool:
        """Has its job ended, so long ago that what it wrote last can be seen?"""
        return self.ended_at is not None and time.monotonic() - self.ended_at >= after_s

    def leave_job(self) -> None:
        """Be done with the job."""
        self.done_with.add(self.job)
        self.job, self.ended_at = "", None


class Tasks:
    """The batches of a run that have not ended, in the order in which they are submitted."""

    def __init__(self) -> None:
        self._by_batch: dict[str, Task] = {}
        self._of_cell: dict[str, Task] = {}

    def add(self, submission: Submission, batch: str, cells: set[str]) -> int:
        """Follow those of a batch's cells that no task has; returns how many these are."""
        mine = cells - self._of_cell.keys()
        if mine:
            task = self._by_batch[batch] = Task(submission, batch, mine)
            self._of_cell |= dict.fromkeys(mine, task)
        return len(mine)

    def find(self, cell: str) -> Task | None:
        """The task that has a cell."""
        return self._of_cell.get(cell)

    def of(self, submission: Submission) -> list[Task]:
        """Those of a submission."""
        return [task for task in self._by_batch.values() if task.submission is submission]

    @property
    def live(self) -> list[Task]:
        """Those whose job the engine has."""
        return [task for task in self._by_batch.values() if task.job]

    def drop(self, cell: str) -> Task | None:
        """Let go of a cell, and of its task with the last one; returns that task."""
        task = self._of_cell.pop(cell, None)
        if task is not None:
            task.open.discard(cell)
            if not task.open:
                del self._by_batch[task.batch]
        return task
