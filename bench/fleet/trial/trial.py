"""A trial of a profile: two short jobs say what their machines are, and try the folder together."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.base import signals
from bench.base.files import write_file
from bench.errors import EnvironmentProblem
from bench.fleet.batch import Batch
from bench.fleet.engine import Engine, JobState, Phase
from bench.fleet.profile import Profile
from bench.fleet.trial import short_jobs
from bench.fleet.trial.folder_trial import FolderTrial, Observations
from bench.fleet.trial.node_facts import NodeFacts, find_facts
from bench.fleet.trial.short_jobs import ShortJobs

JOB_S = 600.0  # that a job of a trial may take; a short one is let in sooner
FACTS, SEEN = "facts", "seen"
SECOND_S = 60.0  # until the second job has begun, else this process takes its part


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


def shorten(profile: Profile, job_s: float = JOB_S) -> Profile:
    """The profile as a short job asks it: for little time."""
    short = {
        "time_s": min(profile.time_s or job_s, job_s),
        "grace_s": min(profile.grace_s, job_s / 10),
    }
    return profile.model_copy(update=short)


def on_one_node(profile: Profile) -> Profile:
    """The profile for what a job has on each of its nodes."""
    nodes, ranks = profile.nodes_per_cell, profile.ranks_per_cell
    one = {
        "nodes_per_cell": 1,
        "gpus_per_cell": profile.gpus_per_cell // nodes,
        "ranks_per_cell": ranks and ranks // nodes,
    }
    return profile.model_copy(update=one)


def hold_trial(
    engine: Engine,
    profile: Profile,
    root: Path,
    data: Path,
    wait_s: float,
    report: Callable[[str], None],
) -> Trial:
    """
    Hold the trial, and leave nothing of it.

    Args:
        root: the results folder, as this machine sees it.
        data: the folder of data sets, as nodes see it.
        wait_s: the longest that the first job may wait in the queue.
        report: told what is waited for.

    Raises:
        EnvironmentProblem: the engine is not there or refuses, or the folder is not writable.
    """
    trial, began = Trial(), time.monotonic()
    both = ShortJobs(engine, profile, "try", root, data)
    try:
        job = both.submit(side=0 if profile.shared else None)
        report(f"job {job} is submitted")
        facts, state = both.wait(job, f"{FACTS}.0", NodeFacts, wait_s, JOB_S)
        trial.states.append(state)
        trial.queued_s = time.monotonic() - began
        if facts:
            trial.facts.append(facts)
            if profile.shared:
                _meet(trial, both, root, data)
        elif state.phase is Phase.QUEUED:
            why = f": {state.reason}" if state.reason else ""
            trial.problem = f"job {job} still waits after {wait_s:.0f} s{why}"
        else:
            trial.problem = f"job {job} said nothing ({short_jobs.words(state)})"
    finally:
        both.clear()
    return trial


def take_part(batch: Batch) -> int:
    """
    Take the part of a job in the trial that its batch is of.

    Returns the job's exit code; a job that is told to end does so, and never runs again.

    Raises:
        EnvironmentProblem: the folder cannot be written.
    """
    folder = short_jobs.folder_of(batch)
    try:
        facts = find_facts(batch.root, batch.data)
        write_file(folder / f"{FACTS}.{batch.side or 0}", facts.model_dump_json())
        if batch.side is not None:
            seen = FolderTrial(folder, batch.side, give_up=(folder / "over").exists).hold()
            write_file(folder / f"{SEEN}.{batch.side}", seen.model_dump_json())
    except signals.Stopped as stopped:
        return 128 + stopped.number
    return 0


def _meet(trial: Trial, both: ShortJobs, root: Path, data: Path) -> None:
    """Have a second job on another node try the folder with the first one, or do it here."""
    here: list[Observations] = []
    if not _begin_second(trial, both):
        trial.facts.append(find_facts(root, data))
        here.append(FolderTrial(both.folder, 1).hold())
    for side, job in enumerate(both.jobs[: 2 - len(here)]):
        seen, _ = both.wait(job, f"{SEEN}.{side}", Observations, JOB_S)
        trial.observations.append(seen or Observations(problem=f"job {job} fell silent"))
    trial.observations += here


def _begin_second(trial: Trial, both: ShortJobs) -> bool:
    """Has a second job begun soon, on another node? Says in the trial why not."""
    try:
        job = both.submit(trial.states[0].nodes, side=1)
    except EnvironmentProblem as problem:
        trial.alone = str(problem)
        return False
    facts, state = both.wait(job, f"{FACTS}.1", NodeFacts, SECOND_S)
    if facts:
        trial.states.append(state)
        trial.facts.append(facts)
        return True
    trial.alone = f"no second job began within {SECOND_S:.0f} s ({short_jobs.words(state)})"
    both.cancel(job)
    return False
