"""
What happens to jobs of a real Slurm, and that records are those of an uninterrupted local run.

The scenarios run beside each other on one cluster, for they mostly wait; each has its own suite and
results folder, and partitions keep them out of each other's way. SCENARIOS=warned,limit runs some.
"""

import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from slurm_cluster import SlurmCluster, lacking, started, until
from stage import LONG_S, PLUGIN, Stage, train_whole, write

Make = Callable[..., Stage]
Scenario = Callable[[Make], None]


def array(make: Make) -> None:
    """Two runs at once submit each cell once; an array trains on two nodes, one table comes."""
    stage = make(partition="main", sbatch={"spread-job": True})
    stage.hurry()
    printed = [stage.end(run) for run in [stage.run("--json", seeds="seed=0,1") for _ in range(2)]]
    stage.check(2)

    assert all('"kind": "end"' in each for each in printed)
    assert (stage.root / "suites" / "suite" / "leaderboard.md").exists()
    assert len(stage.jobs()) == 2
    assert len({job.partition("_")[0] for job in stage.jobs()}) == 1
    assert all(record.provenance.job for record in stage.records())


def warned(make: Make) -> None:
    """
    Ctrl-C leaves jobs alone; the same command, twice at once, attaches and submits nothing.

    Warned in the middle of a cell, the job is put back into the queue and goes on from there. An
    urgent one pushes it aside: it checkpoints, and goes on when there is room again.
    """
    stage = make(partition="low")
    run = stage.run()
    job = stage.await_epoch(1)
    os.kill(run.pid, signal.SIGINT)
    until(lambda: run.poll() is not None, LONG_S, stage.tell)
    still = stage.state(job).word
    again = [stage.run(), stage.run()]
    stage.await_epoch(stage.epoch() + 1)
    stage.cluster.call("scancel", "--batch", "--signal=USR1", job)
    until(lambda: stage.state(job).restarts == 1, LONG_S, stage.tell, every_s=1.0)
    stage.await_epoch(stage.epoch() + 1)
    urgent = ("-p", "urgent", "-w", "n5", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 4")
    stage.cluster.call("sbatch", *urgent)
    until(lambda: stage.state(job).restarts == 2, LONG_S, stage.tell, every_s=1.0)
    stage.hurry()
    for each in again:
        stage.end(each)
    stage.check()
    (record,) = stage.records()

    assert run.returncode == 130
    assert still == "RUNNING"
    assert stage.jobs() == [job]
    assert [origin.job.restarts for origin in record.earlier if origin.job] == [0, 1]
    assert record.provenance.job
    assert record.provenance.job.restarts == 2


def cancelled(make: Make) -> None:
    """
    What scancel ends has a checkpoint, does not come back by itself, and goes on if asked.

    `bench cancel` ends a suite's jobs from elsewhere, too, and who follows them is told.
    """
    stage = make(partition="main")
    run = stage.run()
    job = stage.await_epoch()
    stage.cluster.call("scancel", job)
    ended = stage.end(run, 1)
    left = list(stage.root.glob("cells/*/checkpoints/*"))
    run = stage.run()
    stage.await_epoch(stage.epoch() + 1)
    stage.end(stage.start("cancel", "suite", "--results", str(stage.root)))
    printed = stage.end(run, 1)
    unwanted = stage.jobs()[-1]
    until(lambda: stage.state(unwanted).word == "CANCELLED", LONG_S, stage.tell, every_s=1.0)
    stage.hurry()
    stage.end(stage.run())
    stage.check()
    (record,) = stage.records()

    assert "CANCELLED" in ended
    assert left
    assert "cancelled" in printed
    assert len(stage.jobs()) == 3
    first, _ = (origin.job for origin in record.earlier)  # the second ended its cell by itself
    assert first
    assert first.end == "CANCELLED"


def power_cut(make: Make) -> None:
    """A node that is switched off in the middle of a cell costs what no checkpoint holds."""
    stage = make(partition="power")
    run = stage.run()
    job = stage.await_epoch()
    (node,) = stage.state(job).nodes
    stage.cluster.power_off(node)
    stage.hurry()
    stage.end(run)
    stage.check(redone=True)
    (record,) = stage.records()

    assert record.provenance.host != node
    assert [origin.host for origin in record.earlier] == [node]
    if stage.cluster.accounting:
        assert [origin.job.end for origin in record.earlier if origin.job] == ["NODE_FAIL"]


def limit(make: Make) -> None:
    """A cell that is longer than its job's time goes on when the job runs again."""
    stage = make(partition="main", time="2m", grace="60s")
    stage.slow(0.3)
    run = stage.run()
    job = stage.job()
    until(lambda: stage.state(job).restarts > 0, LONG_S, stage.tell, every_s=1.0)
    stage.hurry()
    stage.end(run)
    stage.check()

    assert stage.jobs() == [job]


def memory(make: Make) -> None:
    """A job that takes more memory than it asked for fails its cell, in Slurm's words."""
    stage = make(partition="main", mem="1GB")
    (stage.told / "eat").touch()
    stage.slow(1.0)
    printed = stage.end(stage.run(), 1)
    (record,) = stage.records()

    assert record.status == "out_of_memory"
    assert "OUT_OF_MEMORY" in record.reason
    assert "mem" in printed


def edited(make: Make) -> None:
    """
    A plugin that is edited while its cells wait trains as it was submitted.

    Two cells share a job, and train in it at the same time; Slurm counts the pages that their two
    processes share twice, and a process that starts another twice for a moment.
    """
    stage = make(partition="main", mem="4GB", cells_per_job=2, sbatch={"hold": True})
    stage.hurry()
    stage.suite = stage.home / "suite"
    write(stage.suite)
    run = stage.run("-j", "2", seeds="seed=0,1")
    job = stage.job()
    status = ("status", "--results", str(stage.root))
    until(lambda: "queued" in stage.end(stage.start(*status)), LONG_S, stage.tell, every_s=1.0)
    write(stage.suite, PLUGIN.replace("z.clamp(-1, 1)", "z.clamp(-2, 2)"))
    stage.cluster.call("scontrol", "release", job)
    stage.end(run)
    stage.check(2)

    assert stage.jobs() == [job]
    assert {record.provenance.cells_at_once for record in stage.records()} == {2}


def black_hole(make: Make) -> None:
    """A node on which jobs die at once is left alone after three of them."""
    bad = "[ $SLURMD_NODENAME != n6 ] || { echo no such disk; exit 1; }"
    stage = make(partition="hole", setup=[bad], cpus_per_cell=8)  # all that a node has
    stage.cluster.call("scontrol", "update", "nodename=n6", "state=drain", "reason=later")
    run = stage.run(seeds="seed=0,1")
    stage.await_epoch()  # on the other node, without which nobody knows that this one is bad
    stage.cluster.call("scontrol", "update", "nodename=n6", "state=resume")
    until(lambda: len(stage.jobs()) > 3, LONG_S, stage.tell)
    stage.hurry()
    printed = stage.end(run)
    stage.check(2)

    assert "n6" in printed
    assert len(stage.jobs()) == 5


def dead(make: Make) -> None:
    """A job that is killed fails its cell, though no accounting tells of it."""
    stage = make(partition="main")
    run = stage.run()
    job = stage.await_epoch()
    stage.cluster.call("scancel", "--batch", "--signal=KILL", job)
    printed = stage.end(run, 1)
    (record,) = stage.records()

    assert record.status == "failed"
    assert "FAILED (signal 9" in record.reason
    assert "died" in printed


def controller(make: Make) -> None:
    """A controller that is restarted while cells train, and are followed, changes nothing."""
    stage = make(partition="main")
    run = stage.run()
    job = stage.await_epoch()
    stage.cluster.stop_controller()
    stage.hurry()
    until(lambda: run.poll() is not None or bool(stage.records()), LONG_S, stage.tell)
    stage.cluster.start_controller()
    stage.end(run)
    stage.check()

    assert stage.jobs() == [job]


def machines(make: Make) -> None:
    """A profile is tried by jobs on two nodes, and one job measures what a plan then counts."""
    stage = make(partition="main")
    stage.hurry()
    there = ("--results", str(stage.root))
    printed = stage.end(stage.start("machines", "check", "here", "--json", *there))
    found = [(each["what"], each["state"]) for each in json.loads(printed[printed.index("[") :])]
    plan = ("plan", "suite.yaml", "--on", "here", *there)
    calibrated = stage.end(stage.start(*plan, "--calibrate"))
    again = stage.end(stage.start(*plan))

    assert found == [
        ("engine", "ok"), *[("versions", "ok"), ("CPU", "ok")] * 2,
        *[(what, "ok") for what in ("folder", "link", "flock", "renames", "clocks")],
    ]  # fmt: skip
    assert again in calibrated
    assert "core-hours; all done" in again
    assert not [*stage.root.glob("jobs/*"), *stage.root.glob("batches/*")]


SCENARIOS: tuple[Scenario, ...] = (
    limit, power_cut, cancelled, warned, black_hole, controller, machines, dead, memory, edited,
    array,
)  # fmt: skip
TOLD = {power_cut, limit}  # by accounting, whose words reach records
ALONE = {controller}  # on a cluster of its own: others could not be told anything meanwhile


@pytest.mark.slow
def test_jobs_come_to_what_a_local_run_comes_to(
    cluster: SlurmCluster,
    tmp_path: Path,
    subtests: pytest.Subtests,
    request: pytest.FixtureRequest,
) -> None:
    """Whatever happens to a job: records equal to the bit, nothing trained twice, nothing lost."""
    wanted = os.environ.get("SCENARIOS", "")
    whole = train_whole(tmp_path / "suite")

    def play(scenario: Scenario, on: SlurmCluster) -> None:
        with ExitStack() as stack:

            def make(**keys: object) -> Stage:
                stage = Stage(tmp_path / scenario.__name__, on, tmp_path / "suite", whole, **keys)
                return stack.enter_context(closing(stage))

            scenario(make)

    with ExitStack() as stack:
        told = cluster
        if not lacking(accounting=True):  # the one that other tests of this session use
            told = request.getfixturevalue("running_accounting")
            told.rest()
        clusters = dict.fromkeys(SCENARIOS, cluster) | dict.fromkeys(TOLD, told)
        chosen = [one for one in SCENARIOS if not wanted or one.__name__ in wanted.split(",")]
        for one in ALONE.intersection(chosen):
            clusters[one] = stack.enter_context(started())
        pool = stack.enter_context(ThreadPoolExecutor(len(SCENARIOS)))
        games = {one.__name__: pool.submit(play, one, clusters[one]) for one in chosen}
        for name, game in games.items():
            with subtests.test(name):
                game.result()
