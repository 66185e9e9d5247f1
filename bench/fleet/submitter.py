"""Gives batches to an engine: parents before children, and no more than there is room for."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.base.text import count
from bench.errors import EnvironmentProblem
from bench.execution.events import Ended
from bench.execution.parents import Parents
from bench.fleet.batch import batch_path
from bench.fleet.cell_fates import CellFates
from bench.fleet.engine import Engine, PartlyTaken
from bench.fleet.nodes import Nodes
from bench.fleet.profile import Profile
from bench.fleet.submission import Outcome, Submission
from bench.fleet.tasks import Task, Tasks
from bench.spec.cell_status import CellStatus

REFUSED_S = 60.0  # until an engine that refused is asked again, while it has jobs of ours


@dataclass
class Submitter:
    """
    Submits batches for one run.

    Args:
        tasks: the batches, of which some have jobs.
        parents: what has become of the cells that others rest on.
        nodes: of which bad ones are left alone.
    """

    root: Path
    tasks: Tasks
    fates: CellFates
    parents: Parents
    nodes: Nodes
    open_engine: Callable[[Profile], Engine]
    report: Callable[[str], None]
    _refused_at: float = float("-inf")

    def submit(self, submission: Submission) -> None:
        """
        Give the engine the batches that can begin, as many as there is room for.

        Raises:
            EnvironmentProblem: it refuses, and has no jobs of ours.
        """
        while time.monotonic() - self._refused_at >= REFUSED_S:  # children with their parents
            room = submission.claim.profile.jobs - len(self.tasks.live)
            after = self._ready(submission, room)
            if not after or not self._give(submission, after):
                return

    def _give(self, submission: Submission, after: dict[str, list[str]]) -> bool:
        """Give batches to the engine; returns whether it has taken them all."""
        paths = {batch_path(self.root, batch): batch for batch in after}
        engine = self.open_engine(submission.claim.profile)
        excluded = {*submission.claim.profile.exclude, *submission.excluded, *self.nodes.bad}

        def give() -> Outcome:
            waits = {path: after[batch] for path, batch in paths.items()}
            try:
                jobs, refused = engine.submit([*paths], waits, sorted(excluded)), ""
            except PartlyTaken as problem:
                jobs, refused = problem.jobs, str(problem)
            return Outcome(jobs={paths[path]: job for path, job in jobs.items()}, refused=refused)

        try:
            refused = submission.submit([*after], give, engine.cancel, self.nodes.bad)
        except EnvironmentProblem as problem:
            if not self.tasks.live:
                with suppress(EnvironmentProblem):  # the first problem is the one to tell
                    submission.abandon("refused")
                raise
            refused = str(problem)
        for task in self.tasks.of(submission):
            task.take_job()
        if refused:
            self._refused_at = time.monotonic()
            have = sum(bool(submission.jobs.get(batch)) for batch in after)
            taken = f"{have} of {count(len(after), 'job')} submitted; " if have else ""
            self.report(f"note: {refused}; {taken}tried again in {REFUSED_S:.0f} s")
        return refused == ""

    def _ready(self, submission: Submission, most: int) -> dict[str, list[str]]:
        """The next batches that can be submitted, each with the jobs that it has to wait for."""
        after: dict[str, list[str]] = {}
        for task in self.tasks.of(submission):
            if len(after) >= most:
                break
            if not task.waiting or not self._end_what_ended(task):
                continue
            if (jobs := self._after(task)) is not None:
                after[task.batch] = jobs
        return after

    def _after(self, task: Task) -> list[str] | None:
        """The jobs that a batch has to wait for; None if one of them is not there yet."""
        jobs: dict[str, None] = {}
        for i in task.open:
            for parent in self.fates.open[i].parents.values():
                above = self.tasks.find(parent.cell.id)
                if above is None or above is task:
                    continue
                if not above.job:
                    return None
                jobs[above.job] = None
        return [*jobs]

    def _end_what_ended(self, task: Task) -> bool:
        """
        End the cells of a batch that can never train, and those that others measured meanwhile.

        Returns whether there are more.
        """
        for i in sorted(task.open):
            cell = self.fates.open.get(i)
            if cell and task.done_with and self.fates.end_recorded(i):
                continue
            if cell and cell.parents and (why := self.parents.obstacle(cell)):
                self.fates.end(Ended(i, CellStatus.BLOCKED, why))
        return bool(task.open)
