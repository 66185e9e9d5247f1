"""Slurm as an engine: what it is asked, what it says, and what is made of its words."""

import sys
from pathlib import Path

import pytest
import samples
from slurm_cluster import SlurmCluster, lacking, until

from bench.errors import EnvironmentProblem
from bench.fleet.batch import Batch, save_batch
from bench.fleet.engine import JobState, PartlyTaken, Phase
from bench.fleet.engines import open_engine
from bench.fleet.profile import Profile
from bench.fleet.slurm.slurm_engine import Slurm
from bench.fleet.slurm.slurm_job import find_other_nodes, seconds
from bench.fleet.slurm.slurm_states import expand, history, plain

needs_slurm = pytest.mark.skipif(bool(lacking()), reason=lacking())


@pytest.mark.parametrize(
    ("written", "nodes"),
    [
        ("", ()),
        ("n1", ("n1",)),
        ("n[1-3,07],m", ("n1", "n2", "n3", "n07", "m")),
        ("r[08-10]c1,gpu[a,b]", ("r08c1", "r09c1", "r10c1", "gpua", "gpub")),
        ("r[1-2]n[3-4]", ("r1n3", "r1n4", "r2n3", "r2n4")),
    ],
)
def test_lists_of_nodes_are_read(written: str, nodes: tuple[str, ...]) -> None:
    """Every form in which Slurm shortens names of nodes."""
    assert expand(written) == nodes


@pytest.mark.parametrize(
    ("written", "length"),
    [("5:00", 300), ("1-02:03:04", 93784), ("12:00:00", 43200), ("UNLIMITED", None), ("", None)],
)
def test_lengths_of_time_are_read(written: str, length: float | None) -> None:
    """What is left of a job, in every form in which squeue writes it."""
    assert seconds(written) == length


def test_errors_of_slurm_are_one_line() -> None:
    """Its words, each once, without the names of its commands."""
    text = "sbatch: error: invalid partition\nsbatch: error: Batch job submission failed: no.\n"
    assert plain(text) == "invalid partition; Batch job submission failed: no"


@needs_slurm
def test_the_script_asks_for_what_the_profile_says(tmp_path: Path) -> None:
    """Each key is an option of sbatch; the warning goes to Python alone, which replaces bash."""
    asked = profile(
        partition="gpu", account="bnn", qos="low", constraint="a100", time_s=7200, grace_s=90,
        mem="32GB", gpus_per_cell=4, cpus_per_cell=6, jobs=7, setup=["module load cuda"],
        sbatch={"mail-type": "FAIL", "exclusive": True, "nice": None, "gres": "gpu:a100:4"},
        exclude=["n9"], results=Path("/lustre/results"),
    )  # fmt: skip
    batches = made(tmp_path, 9)
    text = Slurm(asked, tmp_path).script(batches, {b: ["12_3", "11"] for b in batches}, ["n1"])
    lines = set(text.splitlines())

    assert {f"#SBATCH --{option}" for option in [
        "array=0-8%7", "partition=gpu", "account=bnn", "qos=low", "constraint=a100", "time=120",
        "mem=32GB", "cpus-per-task=24", "exclude=n1,n9", "dependency=afterany:11:12_3",
        "signal=B:USR1@90", "requeue", "exclusive", "mail-type=FAIL", "gres=gpu:a100:4",
        "output=/lustre/results/jobs/s/slurm/%A_%a_0_log.out", "open-mode=append",
    ]} <= lines  # fmt: skip
    assert "nice" not in text
    assert "gpus-per-node" not in text
    assert "wckey" not in text
    setup = text.index("module load cuda")
    assert text.index("trap '' USR1 USR2") < setup < text.index(f"exec {sys.executable} -u")
    assert text.rstrip().endswith("/lustre/results/jobs/s/slurm")


@needs_slurm
def test_several_nodes_are_asked_for_evenly(tmp_path: Path) -> None:
    """A task on each node has its part of the GPUs, and the cores of its processes."""
    asked = profile(gpus_per_cell=8, nodes_per_cell=2, cpus_per_cell=6)
    lines = Slurm(asked, tmp_path).script(made(tmp_path, 1, ranks=8, nodes=2), {}).splitlines()

    assert {f"#SBATCH --{option}" for option in (
        "nodes=2", "ntasks-per-node=1", "cpus-per-task=24", "gpus-per-node=4",
    )} <= {*lines}  # fmt: skip


def test_other_nodes_are_steps_of_the_job() -> None:
    """Each node but the first, with all cores that the job has there."""
    told = {"SLURMD_NODENAME": "n2", "SLURM_JOB_NODELIST": "n[2-3,7]", "SLURM_CPUS_PER_TASK": "24"}
    others = find_other_nodes(told)

    assert [node.name for node in others] == ["n3", "n7"]
    assert {"srun", "--overlap", "--cpus-per-task=24", "--nodelist=n7"} <= {*others[1].command}
    assert find_other_nodes({}) == ()


@needs_slurm
def test_jobs_that_want_unlike_things_are_unlike_arrays(tmp_path: Path) -> None:
    """A script for each list of jobs that come before, and for each number of cells at a time."""
    two = [samples.cell(seed=seed) for seed in (8, 9)]
    batches = [*made(tmp_path, 3), *made(tmp_path, 1, cells=two, jobs=2)]
    text = Slurm(profile(), tmp_path).script(batches, {batches[0]: ["1"]})

    assert text.count("#!/bin/bash") == 3
    assert text.count("--dependency=afterany:1\n") == 1
    assert text.count("--array=0-1%2\n") == 1
    assert text.count("--time") == 0  # the partition's own


def test_what_is_not_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm's commands, or the extra to install, in one line before anything is submitted."""
    far = profile(name="far")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(EnvironmentProblem, match="--on far: no Slurm here, `sbatch` is not"):
            open_engine(far, tmp_path)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'signbench\[slurm\]'"):
        open_engine(far, tmp_path)


@pytest.mark.slow
def test_ends_of_jobs_have_slurms_words(cluster: SlurmCluster, tmp_path: Path) -> None:
    """Exit codes, signals and memory are told apart without accounting; and what is forgotten."""
    eat = f"exec {sys.executable} -c 'x = b\"x\" * 900_000_000; import time; time.sleep(60)'"
    deeds = {
        "fine": "exit 0", "code": "echo no such module; exit 3", "shot": "kill -9 $$", "eats": eat,
        "hangs": "sleep 600",
    }  # fmt: skip
    jobs = {name: run(tmp_path, deed, mem="200MB") for name, deed in deeds.items()}
    engine = Slurm(profile(), tmp_path)
    until(lambda: engine.look([jobs["hangs"]])[jobs["hangs"]].phase is Phase.RUNNING, 30)
    engine.cancel([jobs["hangs"], "99999"])
    ends = {name: end(engine, job) for name, job in jobs.items()}
    unknown = engine.look(["99999"])["99999"]

    assert {name: state.word for name, state in ends.items()} == {
        "fine": "COMPLETED", "code": "FAILED", "shot": "FAILED", "eats": "OUT_OF_MEMORY",
        "hangs": "CANCELLED",
    }  # fmt: skip
    assert ends["code"].reason == "exit 3: no such module"
    assert ends["shot"].reason == "signal 9"
    assert "memory limit" in ends["eats"].reason
    assert set(ends["fine"].nodes) <= {"n1", "n2"}
    assert unknown.phase is Phase.GONE


@pytest.mark.slow
def test_what_a_job_dies_of_is_told(cluster: SlurmCluster, tmp_path: Path) -> None:
    """The error of a job that cannot even begin with its batch is the reason of its end."""
    batches = made(tmp_path, 1)
    engine = Slurm(profile(mem="1GB", setup=[f"rm {batches[0]}"]), tmp_path)
    (job,) = engine.submit(batches, {}).values()

    assert end(engine, job).reason.startswith("exit 2: error: cannot read the batch")


@pytest.mark.slow
def test_arrays_are_as_long_as_slurm_takes_them(cluster: SlurmCluster, tmp_path: Path) -> None:
    """Thirteen batches where eleven are an array have a job each; what waits for them waits."""
    engine = Slurm(profile(mem="100MB", setup=["exit 0"]), tmp_path)
    batches = made(tmp_path, 13)
    jobs = engine.submit(batches, {})
    last = engine.submit(batches[:1], {batches[0]: list(jobs.values())})[batches[0]]
    before = engine.look([last])[last]
    end(engine, last)
    states = engine.look(jobs.values())

    assert len(set(jobs.values())) == 13
    assert len({job.partition("_")[0] for job in jobs.values()}) == 2
    assert (before.word, before.reason) == ("PENDING", "Dependency")
    assert {state.word for state in states.values()} == {"COMPLETED"}


@pytest.mark.slow
def test_a_queue_that_refuses_is_told_in_its_words(cluster: SlurmCluster, tmp_path: Path) -> None:
    """One line, and what was submitted before; a controller that is silent gives no verdict."""
    for keys, words in [
        ({"partition": "nowhere"}, "Slurm refuses: invalid partition specified: nowhere"),
        ({"mem": "900GB"}, "Slurm refuses: Memory specification can not be satisfied"),
        ({"sbatch": {"nosuch": 1}}, "Slurm refuses: .*unrecognized option"),
    ]:
        with pytest.raises(EnvironmentProblem, match=words) as refused:
            Slurm(profile(**keys), tmp_path).submit(made(tmp_path, 2), {})
        assert "\n" not in str(refused.value)
    half = [*made(tmp_path, 1), *made(tmp_path, 1, cells=[samples.cell(seed=s) for s in (8, 9)],
            jobs=2)]  # fmt: skip
    with pytest.raises(PartlyTaken, match="Slurm refuses") as part:  # two at once are too many
        Slurm(profile(setup=["exit 0"], cpus_per_cell=8), tmp_path).submit(half, {})
    (job,) = part.value.jobs.values()
    assert [*part.value.jobs] == half[:1]
    engine = Slurm(profile(), tmp_path)
    end(engine, job)
    assert not cluster.call("squeue", "-h", "-n", "signbench", "-t", "pending,running")
    cluster.stop_controller()
    silent = engine.look([job])[job]
    cluster.start_controller()
    until(lambda: engine.look([job])[job].word == "COMPLETED", 30)

    assert silent.phase is Phase.UNKNOWN
    assert "Slurm" in silent.reason


@pytest.mark.slow
def test_accounting_knows_every_try(accounting: SlurmCluster, tmp_path: Path) -> None:
    """What squeue has forgotten is asked of sacct, and how a job ended before it ran again."""
    again = '[ "$SLURM_RESTART_COUNT" ] && exit 0; scontrol requeue $SLURM_JOB_ID; sleep 60'
    job, other = run(tmp_path, again), run(tmp_path, "exit 4")
    engine = Slurm(profile(), tmp_path)
    until(lambda: engine.look([job])[job].word == "COMPLETED", 60)
    until(lambda: not accounting.call("squeue", "-h", "-t", "all"), 90)
    tries = history([job])[job]

    assert [state.word for state in tries] == ["REQUEUED", "COMPLETED"]
    assert [state.restarts for state in tries] == [0, 1]
    assert engine.look([job])[job].word == "COMPLETED"
    assert engine.look([other])[other].reason == "exit 4"
    assert engine.look(["99999"])["99999"].phase is Phase.GONE


def profile(**keys: object) -> Profile:
    return Profile.model_validate({"name": "p", "engine": "slurm"} | keys)


def made(root: Path, count: int, **change: object) -> list[Path]:
    """So many batches of a cell each."""
    return [
        save_batch(
            Batch.model_validate(
                {"root": root, "suite": "tiny", "cells": [samples.cell(seed=seed)], "entries": [],
                 "data": root, "checkpoint_s": 60, "submission": "s"} | change
            ),
            root,
        )
        for seed in range(count)
    ]  # fmt: skip


def run(root: Path, deed: str, **keys: object) -> str:
    """Submit a job that does something of the shell and trains nothing."""
    asked = profile(**{"setup": [deed], "mem": "100MB"} | keys)
    (job,) = Slurm(asked, root).submit(made(root, 1), {}).values()
    return job


def end(engine: Slurm, job: str) -> JobState:
    """Wait for a job's end."""
    found: list[JobState] = []

    def ended() -> bool:
        found.append(engine.look([job])[job])
        return found[-1].phase is Phase.ENDED

    until(ended, 60, lambda: str(found[-1]))
    return found[-1]
