"""A trial of a profile, by an engine whose jobs are processes of this machine."""

import threading
from pathlib import Path

import pytest
from job_processes import JobProcesses
from told_engine import ToldEngine

from bench.errors import EnvironmentProblem
from bench.fleet.profile import Profile
from bench.fleet.trial import short_jobs
from bench.fleet.trial.folder_trial import CLAIMS, FolderTrial, Observations
from bench.fleet.trial.short_jobs import ShortJobs
from bench.fleet.trial.trial import Trial, hold_trial, on_one_node, shorten
from bench.results.garbage import report_garbage

PROFILE = Profile(name="here", engine="slurm")


def hold(engine: JobProcesses, root: Path, wait_s: float = 60.0) -> Trial:
    """A trial by that engine."""
    root.mkdir(exist_ok=True)
    try:
        return hold_trial(engine, engine.profile, root, root, wait_s, lambda _: None)
    finally:
        engine.close()


def meet(folder: Path, patience_s: float = 10.0) -> tuple[Observations, Observations]:
    """What two sides see that meet in a folder."""
    seen: dict[int, Observations] = {}
    thread = threading.Thread(
        target=lambda: seen.update({1: FolderTrial(folder, 1, patience_s).hold()})
    )
    thread.start()
    seen[0] = FolderTrial(folder, 0, patience_s).hold()
    thread.join()
    return seen[0], seen[1]


@pytest.mark.slow
def test_two_jobs_tell_of_themselves_and_of_the_folder(tmp_path: Path) -> None:
    """Facts of both, what both saw, and nothing is left in the folder."""
    found = hold(JobProcesses(PROFILE, tmp_path), tmp_path / "results")

    assert (found.problem, found.alone) == ("", "")
    assert [facts.host for facts in found.facts] == ["n1", "n2"]
    assert found.facts[0].versions == found.facts[1].versions
    assert [seen.problem for seen in found.observations] == ["", ""]
    assert [*(tmp_path / "results" / "jobs").iterdir()] == []


@pytest.mark.slow
def test_this_machine_takes_part_where_no_second_node_is(tmp_path: Path) -> None:
    """It says why; the folder is tried all the same."""
    engine = JobProcesses(PROFILE, tmp_path)
    engine.nodes = ("n1",)

    found = hold(engine, tmp_path / "results")

    assert found.alone == "Slurm refuses: Requested node configuration is not available"
    assert len(found.facts) == len(found.observations) == 2
    assert found.observations[0].lock == "excludes"


@pytest.mark.slow
def test_a_job_that_says_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that sees another folder: how the job ended, and no waiting beyond that."""
    monkeypatch.setattr(short_jobs, "SEEN_S", 0.2)
    profile = PROFILE.model_copy(update={"results": tmp_path / "elsewhere" / "file"})
    (tmp_path / "elsewhere").write_bytes(b"")

    found = hold(JobProcesses(profile, tmp_path), tmp_path / "results")

    assert found.problem == "job 1 said nothing (FAILED, exit 5)"
    assert [*(tmp_path / "results" / "jobs").iterdir()] == []


def test_two_sides_meet(tmp_path: Path) -> None:
    """Each name is got by one of them, the lock excludes, clocks and ways are measured."""
    first, second = meet(tmp_path)

    assert first.heard
    assert second.heard
    assert sorted(first.claims + second.claims) == [*range(CLAIMS)]
    assert first.lock == second.lock == "excludes"
    assert first.clock_s is not None
    assert first.new_s is not None
    assert first.problem == second.problem == ""


def test_a_lock_that_excludes_nobody_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where flock holds on one machine only, or is not there."""
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    assert meet(tmp_path)[0].lock == "does not exclude"

    def absent(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", absent)
    (tmp_path / "more").mkdir()
    assert meet(tmp_path / "more")[0].lock == "no locks"


def test_a_folder_without_links_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets a name there."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)

    first, second = meet(tmp_path)

    assert (first.claims, second.claims, first.tried) == ([], [], CLAIMS)


def test_silence_ends(tmp_path: Path) -> None:
    """Who hears nobody says so, in time."""
    seen = FolderTrial(tmp_path, 0, 0.05).hold()

    assert not seen.heard
    assert seen.problem == "the other side was not heard (`hello`)"


def test_a_trial_asks_for_little(tmp_path: Path) -> None:
    """One node, ten minutes, and its share of GPUs or processes."""
    many = PROFILE.model_copy(
        update={"time_s": 86400.0, "gpus_per_cell": 8, "nodes_per_cell": 2, "partition": "gpu"}
    )
    small = on_one_node(shorten(many))

    assert (small.time_s, small.gpus_per_cell, small.nodes_per_cell) == (600, 4, 1)
    assert small.partition == "gpu"
    assert shorten(PROFILE).time_s == 600


def test_gc_leaves_a_trial_alone_that_goes_on(tmp_path: Path) -> None:
    """Its folder and its batch are listed as held; when it is over there is nothing left."""
    (tmp_path / "cells").mkdir()
    jobs = ShortJobs(ToldEngine(), PROFILE, "try", tmp_path, tmp_path)
    jobs.submit(side=0)
    found = [*report_garbage(tmp_path, move=True)]
    jobs.clear()

    assert [line.endswith("a run is at work there, so it stays") for line in found[:2]] == [
        True
    ] * 2
    assert found[2:] == [*report_garbage(tmp_path, move=True)] == ["0 left over, 0.0 MB"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """In one line, before a job is submitted."""
    (tmp_path / "results").write_bytes(b"")
    engine = JobProcesses(PROFILE, tmp_path)

    with pytest.raises(EnvironmentProblem, match="cannot write `"):
        hold_trial(engine, PROFILE, tmp_path / "results", tmp_path, 1.0, lambda _: None)
    assert not engine.children
