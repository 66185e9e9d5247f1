"""
Runs that are killed and run again end in the record of a run that never was.

    KILLS=50 python -m pytest -m slow -s tests/system/test_kill.py -k random_moments

kills that many training processes, at moments drawn uniformly over the time that the uninterrupted
training took, and prints what became of them; KILL_SEED draws others. Each is a process of its
own, forked from a server that has torch at hand.

    OPERATIONS=all python -m pytest -m slow -s tests/system/test_kill.py -k file_operation

kills one training before each of its operations on files, as `make fuzz` does; CI takes a sample.
"""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import pytest
from file_changes import watch

from bench.execution import cell_run
from bench.execution.job import Job
from bench.planning.planner import plan
from bench.results import store
from bench.results.record import Record
from bench.results.record_diff import VOLATILE
from bench.spec.cell import Cell

INTERVALS = (0.0, 0.02, 0.2)  # seconds between checkpoints: every step to one an epoch
SAMPLE = 9  # operations on files
CONTEXT = multiprocessing.get_context("forkserver")
PRELOAD = [
    "bench.train.checkpoint",
    "bench.train.model",
    "bench.execution.cell_run",
    "torch._dynamo",
]
CONTEXT.set_forkserver_preload(PRELOAD)

RESNET = ("resnet20: {width: 2}", "digits: {train: 96, test: 50}")
VIT = ("vit_tiny: {dim: 24, depth: 1}", "digits: {resize: 224, train: 30, test: 20}")
CELLS = {  # estimator, W/A, network and data, recipe
    "learned knob": ("dsq", "1/1", RESNET, "epochs: 4, batch_size: 32, histograms: [0, 2]"),
    "scheduled knob": ("ede", "1/1", RESNET, "epochs: 4, batch_size: 32"),
    "adamw": ("reste", "1/32", RESNET, "epochs: 4, batch_size: 32, optimizer: adamw, lr: 0.01"),
    "transformer": ("reste", "1/1", VIT, "epochs: 3, batch_size: 10, optimizer: adamw, lr: 0.001"),
    "real weights": ("ste", "32/32", RESNET, "epochs: 4, batch_size: 32"),
    "diverging": ("fda", "1/1", RESNET, "epochs: 6, batch_size: 32, lr: 300, momentum: 0.5"),
}
SUITE = """
estimators: [{}]
wa: [{}]
backbones: {{{}}}
data: {{{}}}
seeds: [0]
train: {{{}}}
"""


@dataclass
class Toll:
    """What was done to cells, and what became of them."""

    kills: int = 0
    writing: int = 0  # of them while a checkpoint was being written
    resumed: int = 0  # processes that went on from a checkpoint
    anew: int = 0  # that found none
    finished: int = 0  # records, all equal to the uninterrupted one

    def add(self, other: "Toll") -> "Toll":
        return Toll(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.writing} while a checkpoint was being written; "
            f"{self.resumed} resumed from a checkpoint, {self.anew} started anew; "
            f"{self.finished} records, each equal to the uninterrupted one"
        )


def campaign(names: Iterable[str], kills: int, root: Path) -> Toll:
    """Share the kills among cells, and survive them all."""
    server = CONTEXT.Process(target=time.sleep, args=(0,))  # its start is no part of a training
    server.start()
    server.join()
    rng = random.Random(int(os.environ.get("KILL_SEED", "0")))
    toll, names = Toll(), list(names)
    for index, name in enumerate(names):
        estimator, wa, (network, data), recipe = CELLS[name]
        suite = root / f"{index}.yaml"
        suite.write_text(SUITE.format(estimator, wa, network, data, recipe), encoding="utf-8")
        (cell,) = plan(suite).cells
        share = kills // len(names) + (index < kills % len(names))
        toll = toll.add(survive(cell, root / str(index), share, rng))
    return toll


def survive(cell: Cell, root: Path, kills: int, rng: random.Random) -> Toll:
    """Kill a cell's training so many times, each time run it to its end, and compare."""
    job = Job(cell, root / "whole", "cpu", 1, 0, False, Path("data"), (), (), 1e9)
    started = time.monotonic()
    run(job)
    seconds, toll = time.monotonic() - started, Toll()
    while toll.kills < kills:
        torn = root / str(toll.finished)
        home = store.cell_path(torn, cell)
        while record(torn, cell) is None:
            part = replace(job, root=torn, checkpoint_s=rng.choice(INTERVALS))
            killed = run(part, rng.uniform(0, seconds) if toll.kills < kills else None)
            toll.kills += killed
            toll.writing += (home / "checkpoints" / ".part").exists()
        same(job.root, torn, cell)
        log = (home / "log.txt").read_text(encoding="utf-8")
        resumed = log.count("resumed in epoch")
        toll.resumed += resumed
        toll.anew += log.count(f"{cell.slug} on cpu") - resumed - 1
        toll.finished += 1
    return toll


def run(job: Job, seconds: float | None = None) -> bool:
    """Run a cell in a process of its own; returns whether it had to be killed."""
    process = CONTEXT.Process(target=cell_run.run, args=(job,))
    process.start()
    process.join(seconds)
    if process.exitcode is not None:
        assert process.exitcode == 0
        return False
    process.kill()
    process.join()
    return True


def record(root: Path, cell: Cell) -> Record | None:
    """The record of a cell, if there is one; one that is not whole is an error."""
    path = store.cell_path(root, cell) / "record.json"
    return Record.model_validate_json(path.read_bytes()) if path.exists() else None


def same(first: Path, second: Path, cell: Cell) -> None:
    """Record and weights of a cell are equal to the bit."""
    a, b = record(first, cell), record(second, cell)
    assert a
    assert b
    assert a.model_dump_json(exclude={*VOLATILE}) == b.model_dump_json(exclude={*VOLATILE})
    for name in ("last.safetensors", "best.safetensors"):
        one, other = (store.cell_path(root, cell) / name for root in (first, second))
        assert one.exists() == other.exists()
        assert not one.exists() or one.read_bytes() == other.read_bytes()


@pytest.mark.slow
def test_random_moments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed at random moments and run again, cells end in the uninterrupted record and weights."""
    kills = int(os.environ.get("KILLS", "6"))
    toll = campaign(CELLS, kills, tmp_path)

    with capsys.disabled():
        sys.stdout.write(f"\n{toll}; seed {os.environ.get('KILL_SEED', '0')}\n")
    assert toll.kills == kills
    assert toll.resumed


@pytest.mark.slow
def test_a_killed_run_continues(tmp_path: Path) -> None:
    """Its parent killed, a run ends whole, and goes on from its checkpoint when run again."""
    suite, root = tmp_path / "suite.yaml", tmp_path / "torn"
    text = SUITE.format("reste", "1/1", *RESNET, "epochs: 20, batch_size: 32, indicators: off")
    suite.write_text(text, encoding="utf-8")
    (cell,) = plan(suite).cells
    run(Job(cell, tmp_path / "whole", "cpu", 1, 0, False, Path("data"), (), (), 1e9))
    argv = [sys.executable, "-m", "bench", "run", suite, "--device", "cpu", "--results", root]
    often = [*argv, "--checkpoint-every", "0.05"]
    home = store.cell_path(root, cell)

    def epoch() -> int:
        """Of the newest checkpoint."""
        found = (home / "checkpoints").glob("[0-9]*")
        return max((int(path.name.partition("-")[0]) for path in found), default=0)

    process = subprocess.Popen(often, stdout=subprocess.DEVNULL, start_new_session=True)
    until(lambda: epoch() > 0)
    process.kill()
    process.wait()
    until(lambda: not alive(process.pid))
    assert record(root, cell) is None
    subprocess.run(argv, check=True, capture_output=True)

    assert (home / "log.txt").read_text(encoding="utf-8").count("resumed in epoch") == 1
    same(tmp_path / "whole", root, cell)


def cut(job: Job, at: int, count: Path) -> None:
    """Train a cell, killed before it changes files the `at`-th time; `count` says how often."""
    descriptor = os.open(count, os.O_RDWR | os.O_CREAT)

    def tell(number: int) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)
        os.pwrite(descriptor, b"%9d" % number, 0)

    watch(tell)
    cell_run.run(job)


@pytest.mark.slow
def test_a_kill_before_any_file_operation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed there and run again, a training ends in the uninterrupted record and weights."""
    estimator, wa, (network, data), recipe = CELLS["learned knob"]
    suite, count = tmp_path / "suite.yaml", tmp_path / "count"
    recipe = recipe.replace("epochs: 4", "epochs: 2").replace(
        "histograms: [0, 2]", "indicators: off"
    )
    suite.write_text(SUITE.format(estimator, wa, network, data, recipe), encoding="utf-8")
    (cell,) = plan(suite).cells
    whole = Job(cell, tmp_path / "whole", "cpu", 1, 0, False, Path("data"), (), (), 0.0)
    start(cut, whole, 0, count)
    operations = range(1, int(count.read_text("utf-8")) + 1)
    assert len(operations) > 100
    every = os.environ.get("OPERATIONS") == "all"
    chosen = operations if every else operations[:: len(operations) // SAMPLE]
    for number in chosen:
        job = replace(whole, root=tmp_path / f"{number}")
        assert start(cut, job, number, count) == -signal.SIGKILL, number
        run(job)
        same(whole.root, job.root, cell)

    with capsys.disabled():
        sys.stdout.write(f"\n{len(chosen)} of {len(operations)} operations\n")


def start(target: Callable[..., None], *given: object) -> int:
    """Run a function in a process of its own; returns its exit code."""
    process = CONTEXT.Process(target=target, args=given)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(group: int) -> bool:
    """Does a process group have a member?"""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
