"""Cells that train in jobs of an engine of real processes: followed, killed, cancelled, resumed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stage
from fakes import TINY
from process_engine import HOME, ProcessEngine

from bench.planning import planner
from bench.results import store
from bench.results.record import Record
from bench.results.record_diff import diff_records
from bench.spec.cell import Cell

pytestmark = [pytest.mark.slow, pytest.mark.linux]


class Site:
    """A suite, a results folder, and an engine that several runs share."""

    def __init__(self, home: Path, suite: str) -> None:
        self.home, self.root, self.told = home, home / "results", home / "told"
        stage.write(home)  # the estimator `told`, which waits in each step while it is told to
        (home / "tiny.yaml").write_text(suite, encoding="utf-8")
        self.told.mkdir()
        (self.told / "slow").write_text("0.06", encoding="utf-8")
        self.engine = ProcessEngine(home / "engine")
        self.runs: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin `bench run --on slurm`, with jobs that are processes."""
        script = [sys.executable, str(HOME / "tests/fleet/following.py")]
        argv = ["run", "tiny.yaml", "--results", str(self.root), "--on", "slurm:cells_per_job=1"]
        env = {
            **os.environ,
            "ENGINE": str(self.engine.folder),
            "BENCH_TEST_TOLD": str(self.told),
            "PYTHONPATH": os.pathsep.join(
                [str(HOME), str(HOME / "tests"), str(HOME / "tests/fleet")]
            ),
        }
        run = subprocess.Popen(
            [*script, *argv, *words],
            cwd=self.home,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        self.runs.append(run)
        return run

    def finish(self, run: subprocess.Popen[str], code: int = 0) -> str:
        """Wait for a run's end; returns what it printed."""
        text, _ = run.communicate(timeout=240)
        assert run.returncode == code, text
        return text

    def run(self, *words: str, code: int = 0) -> str:
        return self.finish(self.start(*words), code)

    def cells(self) -> list[Cell]:
        return planner.plan(self.home / "tiny.yaml").cells

    def records(self) -> list[Record]:
        found = [store.find_record(self.root, cell) for cell in self.cells()]
        assert all(found)
        return [record for record in found if record]

    def stop(self) -> None:
        for run in self.runs:
            run.kill()
            run.communicate()
        self.engine.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[[str], Site]]:
    made: list[Site] = []

    def make(suite: str = TINY) -> Site:
        made.append(Site(tmp_path, suite))
        return made[0]

    yield make
    for one in made:
        one.stop()


def wait_for(what: Callable[[], object], seconds: float = 90) -> None:
    """Let time pass until something is so."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


def test_a_run_elsewhere_is_a_run_here(site: Callable[..., Site], measured: Path) -> None:
    """Of two runs at once each cell is submitted once, and records are equal to the bit."""
    here = site()
    for run in [here.start() for _ in range(2)]:
        here.finish(run)

    assert len(here.engine.jobs()) == 2
    for record in here.records():
        other = store.find_record(measured, record.cell)
        assert other
        assert diff_records(record, other) == []
        assert record.earlier == []
        assert record.provenance.job
        assert record.provenance.job.job in here.engine.jobs()


def test_jobs_outlive_runs_and_cells_outlive_jobs(site: Callable[..., Site]) -> None:
    """
    A run is killed, a node dies, and a signal comes: nothing is trained twice, nothing lost.

    The same command attaches to the job that lives, and submits the dead one again, which goes on
    from its checkpoint; its record says how the first one ended. Ctrl-C leaves both alone.
    """
    here = site(stage.SUITE)
    run = here.start("--checkpoint-every", "1s")
    wait_for(lambda: len([*here.root.glob("cells/*/checkpoints/[0-9]*")]) >= 2)
    run.kill()
    dead, _ = here.engine.jobs()
    here.engine.die(dead, "NODE_FAIL")
    again = here.start("--checkpoint-every", "1s")
    wait_for(lambda: len(here.engine.jobs()) == 3)
    again.send_signal(signal.SIGINT)
    text = here.finish(again, 130)
    (here.told / "slow").unlink()
    here.run("--checkpoint-every", "1s")

    assert "attached to submission 1: 2 cells" in text
    assert "the same command attaches again, `bench cancel tiny` cancels" in text
    assert len(here.engine.jobs()) == 3
    records = [stage.read(path) for path in here.root.glob("cells/*/record.json")]
    ends = [process.job.end for record in records for process in record.earlier if process.job]
    assert ends == ["NODE_FAIL"]
    assert [record.status for record in records] == ["ok", "ok"]
