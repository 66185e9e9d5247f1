"""
A trial of a profile: two short jobs say what their machines are, and try the folder together.

    ROOT/jobs/trial-<id>/    while it lasts
"""

import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from bench.base import signals
from bench.base.files import write_file
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem
from bench.fleet.batch import Batch
from bench.fleet.engine import Engine, JobState, Phase
from bench.fleet.meeting import Meeting, Observations, Side
from bench.fleet.node_facts import NodeFacts, find_facts
from bench.fleet.profile import Profile

JOB_S = 600.0  # that a job of a trial may take; a short one is let in sooner
SECOND_S = 60.0  # until the second job has begun, else this process takes its part
SEEN_S = 15.0  # until what a node wrote is seen here, where nothing is wrong
POLL_S, LOOK_S = 0.1, 2.0
OVER = {Phase.ENDED, Phase.GONE}
Model = TypeVar("Model", bound=Frozen)


@dataclass
class Trial:
    """
    What came of it.

    Args:
        states: how the jobs are that began, or did not.
        queued_s: until the first one began.
        facts: of each machine, in the order of the sides; of this one where it took a part.
        observations: of each side.
        alone: why there was no second job, where there was none.
        problem: why there is nothing, where there is nothing.
    """

    states: list[JobState] = field(default_factory=list[JobState])
    queued_s: float = 0.0
    facts: list[NodeFacts] = field(default_factory=list[NodeFacts])
    observations: list[Observations] = field(default_factory=list[Observations])
    alone: str = ""
    problem: str = ""


def shorten(profile: Profile) -> Profile:
    """The profile as a trial asks it: for little time, and for one node."""
    nodes = profile.nodes_per_cell
    ranks = profile.ranks_per_cell
    return profile.model_copy(
        update={
            "time_s": min(profile.time_s or JOB_S, JOB_S),
            "grace_s": min(profile.grace_s, 60.0),
            "nodes_per_cell": 1,
            "gpus_per_cell": profile.gpus_per_cell // nodes,
            "ranks_per_cell": ranks and max(1, ranks // nodes),
        }
    )


def take_part(batch: Batch) -> int:
    """
    Take the part of a job in the trial that its batch is of.

    Returns the job's exit code; a job that is told to end does so, and never runs again.

    Raises:
        EnvironmentProblem: the folder cannot be written.
    """
    folder = batch.root / "jobs" / batch.submission
    try:
        facts = find_facts(batch.root, batch.data)
        write_file(folder / f"facts.{batch.side}", facts.model_dump_json())
        seen = Meeting(folder, batch.side, give_up=(folder / "over").exists).hold()
        write_file(folder / f"seen.{batch.side}", seen.model_dump_json())
    except signals.Stopped as stopped:
        return 128 + stopped.number
    return 0


class Host:
    """
    Who submits the jobs of a trial, and waits for what they say.

    Args:
        root: the results folder, as this machine sees it.
        data: the folder of data sets, as nodes see it.
        wait_s: the longest that the first job may wait in the queue.
        report: told what is waited for.
    """

    def __init__(
        self,
        engine: Engine,
        profile: Profile,
        root: Path,
        data: Path,
        wait_s: float,
        report: Callable[[str], None],
    ) -> None:
        self.engine, self.root = engine, root.absolute()
        self.wait_s, self.report = wait_s, report
        self.name = f"trial-{uuid.uuid4().hex[:8]}"
        self.folder = self.root / "jobs" / self.name
        self._seen_root = profile.results or self.root
        self._data = data
        self._jobs: list[str] = []

    def run(self) -> Trial:
        """
        Hold the trial, and leave nothing of it.

        Raises:
            EnvironmentProblem: the engine is not there or refuses, or the folder is not writable.
        """
        trial = Trial()
        try:
            self._begin(trial)
            if trial.facts:
                self._meet(trial)
        finally:
            self._clear()
        return trial

    def _begin(self, trial: Trial) -> None:
        """Have the first job begin."""
        began = time.monotonic()
        job = self._submit(0)
        self.report(f"job {job} is submitted")
        facts, state = self._await(job, "facts.0", NodeFacts, self.wait_s)
        trial.queued_s = time.monotonic() - began
        trial.states.append(state)
        if facts:
            trial.facts.append(facts)
        elif state.phase is Phase.QUEUED:
            why = f": {state.reason}" if state.reason else ""
            trial.problem = f"job {job} still waits after {self.wait_s:.0f} s{why}"
        else:
            trial.problem = f"job {job} said nothing ({_words(state)})"

    def _meet(self, trial: Trial) -> None:
        """Have a second job on another node try the folder with the first one, or do it here."""
        if self._begin_second(trial):
            sides = enumerate(self._jobs)
            trial.observations = [self._observations(side, job) for side, job in sides]
            return
        trial.facts.append(find_facts(self.root, self._data))
        here = Meeting(self.folder, 1).hold()
        trial.observations = [self._observations(0, self._jobs[0]), here]

    def _observations(self, side: int, job: str) -> Observations:
        seen, _ = self._await(job, f"seen.{side}", Observations, JOB_S)
        return seen or Observations(problem=f"job {job} fell silent")

    def _begin_second(self, trial: Trial) -> bool:
        """Has a second job begun soon, on another node? Says in the trial why not."""
        try:
            job = self._submit(1, exclude=trial.states[0].nodes)
        except EnvironmentProblem as problem:
            trial.alone = str(problem)
            return False
        facts, state = self._await(job, "facts.1", NodeFacts, SECOND_S)
        if facts:
            trial.states.append(state)
            trial.facts.append(facts)
            return True
        trial.alone = f"no second job began within {SECOND_S:.0f} s ({_words(state)})"
        self.engine.cancel([job])
        self._await_end(job)
        return False

    def _submit(self, side: Side, exclude: Iterable[str] = ()) -> str:
        batch = Batch(
            root=self._seen_root,
            suite="",
            cells=[],
            entries=[],
            data=self._data,
            checkpoint_s=JOB_S,
            submission=self.name,
            purpose="try",
            side=side,
        )
        path = write_file(self.folder / f"{side}.json", batch.model_dump_json() + "\n")
        job = self.engine.submit([path], {}, exclude)[path]
        self._jobs.append(job)
        return job

    def _await(
        self, job: str, name: str, model: type[Model], wait_s: float
    ) -> tuple[Model | None, JobState]:
        """Wait for a file of a job, as long as that goes on; returns it, and how the job is."""
        until = time.monotonic() + wait_s
        state, look_at = JobState(Phase.UNKNOWN), 0.0
        while True:
            self.engine.poll()
            with suppress(OSError, ValidationError):
                found = model.model_validate_json((self.folder / name).read_bytes())
                return found, self.engine.look([job])[job]
            now = time.monotonic()
            if now > until:
                return None, state
            if now > look_at and state.phase not in OVER:
                state, look_at = self.engine.look([job])[job], now + LOOK_S
                if state.phase in OVER:  # what it wrote may be seen late
                    until = min(until, now + SEEN_S)
            time.sleep(POLL_S)

    def _await_end(self, job: str) -> None:
        """Wait for the end of a job that was cancelled, but not long."""
        until = time.monotonic() + SEEN_S
        while time.monotonic() < until:
            if self.engine.look([job])[job].phase in OVER:
                return
            time.sleep(LOOK_S)

    def _clear(self) -> None:
        """Cancel what is not over, and remove the folder."""
        with suppress(OSError):
            (self.folder / "over").touch()
        with suppress(EnvironmentProblem):
            self.engine.cancel(self._jobs)
        shutil.rmtree(self.folder, ignore_errors=True)


def _words(state: JobState) -> str:
    """How a job is, in the engine's words."""
    return ", ".join(filter(None, [state.word or state.phase, state.reason]))
