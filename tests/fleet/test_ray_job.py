"""A job of Ray without Ray: what it takes of a node, and what the ends of its tasks mean."""

import signal
import time
from pathlib import Path

import pytest
from samples import cell

from bench.errors import UsageError
from bench.execution import journal
from bench.fleet.batch import Batch
from bench.fleet.engine import Phase
from bench.fleet.job_options import JobOptions
from bench.fleet.profile import Profile
from bench.fleet.ray.ray_cluster import Demand
from bench.fleet.ray.ray_demand import demand_of
from bench.fleet.ray.ray_job import MOST_RESTARTS, End, RayJob, end_of
from bench.fleet.ray.ray_messages import Finished

LOST = End("NODE_FAIL", "gone", lost=True)


def make_batch(count: int = 1, **more: object) -> Batch:
    cells = [cell(seed=n) for n in range(count)]
    entries = journal.entries(cells, {each.id: each.name for each in cells})
    fields: dict[str, object] = {"root": Path("/r"), "data": Path("/d"), "checkpoint_s": 60}
    return Batch(suite="s", cells=cells, entries=entries, **(fields | more))  # type: ignore[arg-type]


def make_job() -> RayJob:
    job = RayJob("ray-1", Path("/b.json"), make_batch(), Demand())
    job.arrive("n1", "lab1")
    return job


@pytest.mark.parametrize(
    ("keys", "count", "demand"),
    [
        ({"cpus_per_cell": 2}, 1, Demand(2)),
        ({"mem": "32G"}, 1, Demand(1, 0, 32 * 2**30)),
        ({"gpus_per_cell": 1, "slots_per_gpu": 4}, 1, Demand(1, 0.25)),
        ({"gpus_per_cell": 1, "slots_per_gpu": 4}, 3, Demand(3, 0.75)),
        ({"gpus_per_cell": 1, "slots_per_gpu": 4}, 9, Demand(4, 1)),
        ({"gpus_per_cell": 1, "slots_per_gpu": "auto"}, 2, Demand(2, 1)),
        ({"gpus_per_cell": 4, "cpus_per_cell": 3}, 1, Demand(12, 4)),
        ({"ranks_per_cell": 2}, 1, Demand(2)),
    ],
)
def test_demands(keys: dict[str, object], count: int, demand: Demand) -> None:
    """A cell takes the part of a GPU that its slot is; a batch as much as its cells at a time."""
    profile = Profile.model_validate({"name": "lab", "engine": "ray", **keys})
    assert demand_of(profile, make_batch(count)) == demand


def test_auto_takes_the_part_of_a_gpu_that_was_measured() -> None:
    """Where four at a time are best a cell takes a quarter; with a new one beside it all."""
    cells = make_batch(2).cells
    keys = {"name": "lab", "engine": "ray", "gpus_per_cell": 1, "slots_per_gpu": "auto"}
    profile = Profile.model_validate(keys)
    options = JobOptions(measure=lambda found: ({c.id: 9.0 for c in found if c is cells[0]}, 4))

    for measured, demand in ((cells[:1], Demand(1, 0.25)), (cells, Demand(2, 1))):
        slots = options.settle(profile, measured).slots(profile)
        assert demand_of(profile, make_batch(len(measured), **slots)) == demand


def test_a_cell_stays_on_one_node() -> None:
    """More is Slurm's; it is said before anything begins."""
    profile = Profile.model_validate(
        {"name": "lab", "engine": "ray", "ranks_per_cell": 2, "nodes_per_cell": 2}
    )
    with pytest.raises(UsageError, match="on Ray a cell runs on one node"):
        demand_of(profile, make_batch())


def test_exit_codes_have_the_words_of_other_engines() -> None:
    """What the job did not do itself is lost, and begins again; its own fault ends it."""
    assert end_of(Finished(0)).word == "COMPLETED"
    failed = end_of(Finished(1, "1 cell to run\nit failed\n"))
    assert (failed.word, failed.reason, failed.lost) == ("FAILED", "exit code 1: it failed", False)
    for code in (75, 128 + signal.SIGTERM, -signal.SIGTERM):
        assert end_of(Finished(code)).lost
    killed = end_of(Finished(-signal.SIGKILL))
    assert (killed.word, killed.reason, killed.lost) == (
        "FAILED", "`bench work` died (SIGKILL)", True,
    )  # fmt: skip
    exhausted = end_of(Finished(-signal.SIGKILL, out_of_memory=True))
    assert (exhausted.word, exhausted.lost) == ("OUT_OF_MEMORY", False)
    assert end_of(Finished(None, "no data")) == End("FAILED", "no data")


def test_a_lost_task_begins_again() -> None:
    """Under another name, with one restart more, and why; the node's name stays."""
    job = make_job()
    job.end(LOST)
    assert (job.state.phase, job.state.word) == (Phase.QUEUED, "PENDING")
    assert (job.state.reason, job.state.restarts) == ("again: gone", 1)
    assert job.state.nodes == ("lab1",)
    assert job.task == "ray-1.1"


def test_a_job_that_is_lost_at_once_again_and_again_ends() -> None:
    """Unless it got from one checkpoint to the next on the way."""
    job, other = make_job(), make_job()
    for _ in range(MOST_RESTARTS + 1):
        assert not job.over
        job.arrive("n1", "lab1")
        job.end(LOST)
        other.arrive("n1", "lab1")
        other.began = time.monotonic() - 61
        other.end(LOST)
    assert (job.state.phase, job.state.word) == (Phase.ENDED, "NODE_FAIL")
    assert job.state.reason == "gone 6 times in a row"
    assert not other.over


def test_what_was_cancelled_does_not_begin_again() -> None:
    """Whatever its end looks like."""
    job = make_job()
    job.cancelled_at = time.monotonic()
    job.end(LOST)
    assert (job.state.phase, job.state.word) == (Phase.ENDED, "CANCELLED")


def test_exceptions_of_ray_have_the_words_of_other_engines() -> None:
    """Dead nodes and workers are lost; memory and cancelling are told apart; else it failed."""
    exceptions = pytest.importorskip("ray.exceptions")
    from bench.fleet.ray.ray_job import end_by

    for error, word, lost in (
        (exceptions.NodeDiedError("gone"), "NODE_FAIL", True),
        (exceptions.LocalRayletDiedError(), "NODE_FAIL", True),
        (exceptions.OwnerDiedError("0" * 56, None, ""), "NODE_FAIL", True),
        (exceptions.WorkerCrashedError(), "FAILED", True),
        (exceptions.OutOfMemoryError("full"), "OUT_OF_MEMORY", False),
        (exceptions.TaskCancelledError(), "CANCELLED", False),
        (ValueError("a fault\nin two lines"), "FAILED", False),
    ):
        end = end_by(error)
        assert (end.word, end.lost) == (word, lost), error
        assert "\n" not in end.reason
