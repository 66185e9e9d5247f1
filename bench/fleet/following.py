"""The jobs that a run follows: what they tell, how they are, and what more is submitted."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.base.text import count
from bench.execution.events import CellEvent, Ended, Listener, Queued, Started
from bench.execution.parents import Parents
from bench.fleet.cell_fates import CellFates
from bench.fleet.claiming import Claimant
from bench.fleet.decisions import Decisions
from bench.fleet.engine import Engine, JobState, Phase
from bench.fleet.job_ends import note_end
from bench.fleet.last_look import save_look
from bench.fleet.news import News
from bench.fleet.nodes import Nodes
from bench.fleet.profile import Profile
from bench.fleet.submission import Submission
from bench.fleet.submitter import Submitter
from bench.fleet.tasks import Task, Tasks
from bench.results import store
from bench.results.lease import alive
from bench.results.record import EngineJob
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus

CANCELLED = "cancelled"


@dataclass(frozen=True)
class Pace:
    """
    How often a run that follows jobs looks.

    Args:
        read_s: between two looks at journals.
        look_s: between two questions to the engine.
        later_s: until cells are submitted again that other runs have.
        settle_s: after the end of a job, for what it wrote to be seen here.
    """

    read_s: float = 1.0
    look_s: float = 20.0
    settle_s: float = 15.0
    later_s: float = 120.0


FIRST_S = 2.0  # after the first jobs are submitted the engine is asked how they are
ATTACHED = Pace(read_s=0.2, look_s=1.0)  # where asking costs nothing, and jobs wait for answers


class Following:
    """
    The cells of a run, the submissions that have them, and their jobs.

    Args:
        cells: that are to be seen ended.
        open_engine: the engine of a profile, the same one each time.
        report: told what is not about a cell.
    """

    def __init__(
        self,
        cells: list[Cell],
        claimant: Claimant,
        open_engine: Callable[[Profile], Engine],
        listener: Listener,
        report: Callable[[str], None],
        pace: Pace,
    ) -> None:
        self.claimant, self.pace, self.report = claimant, pace, report
        self.root = claimant.root
        self.tasks = Tasks()
        self.submissions: list[Submission] = []
        self._open_engine = open_engine
        self._news: dict[int, News] = {}
        self.decisions = Decisions(self.root, self.tasks, claimant.settings.argv)
        self._nodes = Nodes()
        self._looked_at = float("-inf")
        self._parents = Parents(self.root, cells)
        self._children: dict[str, list[str]] = {}
        for cell in cells:
            for parent in cell.parents.values():
                self._children.setdefault(parent.cell.id, []).append(cell.id)
        records = {cell.id: store.find_record(self.root, cell) for cell in cells}
        seals = {i: None if record is None else record.seal for i, record in records.items()}
        self.fates = CellFates(
            cells, claimant.settings, listener, seals, pace.settle_s, self._note_end, self.decisions
        )
        self._submitter = Submitter(
            self.root, self.tasks, self.fates, self._parents, self._nodes, open_engine, report
        )
        if not claimant.remeasure:
            for i, record in records.items():
                if record is not None and record.measured:  # another run was faster
                    why = record.reason or "by another run"
                    self.fates.end(Ended(i, record.status, why, record.last_acc))

    def claim(self) -> None:
        """
        Attach to submissions that have some of the cells, and claim the others.

        Raises:
            EnvironmentProblem: the results folder cannot be written.
        """
        seals = self.fates.seals
        holding, new = self.claimant.claim(self.fates.open.values(), seals)
        self.submissions = [*holding, *([new] if new else [])]
        for submission in self.submissions:
            self._news[submission.claim.number] = News(self.root, submission.claim.name)
            cells = 0
            for batch, ids in submission.claim.batches.items():
                has = {i for i in ids if i in self.fates.open and submission.has(i, seals[i])}
                cells += self.tasks.add(submission, batch, has)
            name = submission.claim.name
            if submission is not new:
                self.report(f"attached to submission {name}: {count(cells, 'cell')}")

    def advance(self) -> None:
        """
        Hear what there is to hear, decide on what has ended, and submit what there is room for.

        Raises:
            EnvironmentProblem: the engine refuses, and has no jobs of ours.
        """
        for submission in self.submissions:
            if any(task.job for task in self.tasks.of(submission)):
                self._engine(submission).poll()
            self._read(submission)
        self.fates.settle()
        if time.monotonic() - self._looked_at >= self.pace.look_s:
            self.look()
        self._judge_ended()
        idle = not self.tasks.live
        for submission in self.submissions:
            self._submitter.submit(submission)
        if idle and self.tasks.live:  # whoever waits wants to know soon whether these are queued
            soon = time.monotonic() + FIRST_S - self.pace.look_s
            self._looked_at = min(self._looked_at, soon)

    def look(self) -> None:
        """Ask engines how all jobs are."""
        self._looked_at = time.monotonic()
        for submission in self.submissions:
            self._look(submission)

    def cancel(self) -> list[tuple[Engine, set[str]]]:
        """
        Have the jobs of all cells end, and let nobody submit these again.

        Returns the jobs that are ending, with their engines.

        Raises:
            EnvironmentProblem: that cannot be written, or the engine does not answer.
        """
        ending: list[tuple[Engine, set[str]]] = []
        for submission in self.submissions:
            tasks = self.tasks.of(submission)
            if tasks:
                submission.cancel(i for task in tasks for i in task.open)
            if jobs := {task.job for task in tasks if task.job}:
                self._engine(submission).cancel(jobs)
                ending.append((self._engine(submission), jobs))
            for task in tasks:
                task.leave_job()
        return ending

    def _engine(self, submission: Submission) -> Engine:
        return self._open_engine(submission.claim.profile)

    def _read(self, submission: Submission) -> None:
        """Take what jobs and others have written about a submission."""
        submission.refresh()
        for task in self.tasks.of(submission):
            task.take_job()
        for i in submission.take_cancelled():
            task = self.tasks.find(i)
            if task is not None and task.submission is submission:
                self.fates.end(Ended(i, CellStatus.INTERRUPTED, CANCELLED))
                if task.job and not task.open:
                    self._engine(submission).cancel([task.job])
        for _, job, event in self._news[submission.claim.number].read():
            if job is not None:  # not of another run that follows
                self._hear(submission, job, event)

    def _hear(self, submission: Submission, job: EngineJob, event: CellEvent) -> None:
        """Take what a job says of a cell, unless the cell is none of ours."""
        task = self.tasks.find(event.cell_id)
        if task is not None and task.submission is submission:
            if isinstance(event, Started):
                self._nodes.note_work(job.node)
            self.fates.hear(job, event)
        elif isinstance(event, Ended) and event.status is not CellStatus.INTERRUPTED:
            submission.note_end(event.cell_id)

    def _look(self, submission: Submission) -> None:
        """Ask the engine how the jobs of a submission are."""
        by_job = {task.job: task for task in self.tasks.of(submission) if task.job}
        if not by_job:
            return
        states = _ask(self._engine(submission), submission, [*by_job])
        for job, state in states.items():
            if by_job[job].hear(state):
                for i in sorted(by_job[job].open):
                    self.fates.listener(Queued(i, state.reason))
        save_look(self.root, submission.claim.name, states)

    def _judge_ended(self) -> None:
        """Decide on the cells of jobs that ended so long ago that all they wrote can be seen."""
        for task in self.tasks.live:
            if task.settled(self.pace.settle_s) and not self.fates.awaits(task.open):
                self._judge(task)

    def _judge(self, task: Task) -> None:
        """Decide on the cells of a job that has ended, and leave it."""
        state, engine = task.state, self._engine(task.submission)
        job = EngineJob(
            engine=engine.name,
            job=task.job,
            node=",".join(state.nodes)[:300],
            restarts=state.restarts,
            end=state.word,
        )
        note_end(self.root, task.submission.claim.name, job)
        moved = [self.fates.judge(i, job, state) for i in sorted(task.open)]
        if not any(moved) and (node := self._nodes.note_death(job, state)):
            self.report(f"{node}: jobs end there at once without progress; it is left alone")
        task.leave_job()
        if task.open and task.open <= self.fates.later:
            task.rest_until = time.monotonic() + self.pace.later_s
        self.fates.later -= task.open

    def _note_end(self, event: Ended) -> None:
        """Take note that a cell has ended, and with its last one a batch or a submission."""
        self._parents.end(event)
        task = self.tasks.drop(event.cell_id)
        interrupted = event.status is CellStatus.INTERRUPTED
        if task is not None:
            if interrupted:  # so that the next run submits it anew
                task.submission.cancel([event.cell_id])
            else:
                task.submission.note_end(event.cell_id)
        if interrupted:
            for child in self._children.get(event.cell_id, ()):
                if child in self.fates.open:
                    why = "what it rests on was interrupted"
                    self.fates.end(Ended(child, CellStatus.INTERRUPTED, why))


def _ask(engine: Engine, submission: Submission, jobs: list[str]) -> dict[str, JobState]:
    """How jobs are; an attached engine knows none of other processes."""
    if not engine.attached:
        return engine.look(jobs)
    ours = [job for job in jobs if submission.gave(job)]
    others = (job for job in jobs if not submission.gave(job))
    dead = [job for job in others if alive(submission.owners[job]) is False]
    return engine.look(ours) | dict.fromkeys(dead, JobState(Phase.GONE))
