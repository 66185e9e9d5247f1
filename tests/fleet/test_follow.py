"""Cells that train in jobs of an engine of real processes: followed, killed, cancelled, resumed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import TINY
from process_engine import HOME, ProcessEngine

from bench.planning import planner
from bench.results import store
from bench.results.record import Record
from bench.results.record_diff import diff_records
from bench.spec.cell import Cell

pytestmark = [pytest.mark.slow, pytest.mark.linux]
LONG = TINY.replace("epochs: 2", "epochs: 60")


class Site:
    """A suite, a results folder, and an engine that several runs share."""

    def __init__(self, home: Path, suite: str) -> None:
        self.home, self.root = home, home / "results"
        (home / "tiny.yaml").write_text(suite, encoding="utf-8")
        self.engine = ProcessEngine(home / "engine")
        self.runs: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin `bench run --on slurm`, with jobs that are processes."""
        script = [sys.executable, str(HOME / "tests/fleet/following.py")]
        argv = ["run", "tiny.yaml", "--results", str(self.root), "--on", "slurm:cells_per_job=1"]
        env = {
            **os.environ,
            "ENGINE": str(self.engine.folder),
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


def test_records_are_those_of_a_run_here(site: Callable[..., Site], measured: Path) -> None:
    """Each cell trains once, in a job; its record is equal to the bit, and names the job."""
    here = site()
    text = here.run()

    assert "2 to run" in text
    assert len(here.engine.jobs()) == 2
    for record in here.records():
        other = store.find_record(measured, record.cell)
        assert other
        assert diff_records(record, other) == []
        assert record.provenance.job
        assert record.provenance.job.job in here.engine.jobs()
    assert "2 recorded, 0 to run" in here.run()
    assert len(here.engine.jobs()) == 2


def test_a_killed_job_goes_on_elsewhere(site: Callable[..., Site]) -> None:
    """A node that dies in the midst of a cell costs what no checkpoint holds; no try is counted."""
    here = site(LONG)
    run = here.start("--checkpoint-every", "1s")
    wait_for(lambda: [*here.root.glob("cells/*/checkpoints/[0-9]*")])
    for job in here.engine.jobs():
        here.engine.die(job, "NODE_FAIL")
    here.finish(run)

    ends = {p.job.end for r in here.records() for p in r.earlier if p.job}
    assert ends == {"NODE_FAIL"}
    assert [r.status for r in here.records()] == ["ok", "ok"]


def test_a_run_that_was_killed_is_attached_to_again(site: Callable[..., Site]) -> None:
    """Jobs go on without the run that submitted them, and the next one submits nothing twice."""
    here = site(LONG)
    run = here.start()
    wait_for(lambda: len([*here.engine.folder.glob("*.pid")]) == 2)
    run.kill()
    text = here.run()

    assert "attached to submission 1: 2 cells" in text
    assert len(here.engine.jobs()) == 2
    assert [len(r.earlier) for r in here.records()] == [0, 0]


def test_ctrl_c_detaches(site: Callable[..., Site]) -> None:
    """A signal leaves jobs alone, and says how to attach again and how to cancel."""
    here = site(LONG)
    run = here.start()
    wait_for(lambda: len([*here.engine.folder.glob("*.pid")]) == 2)
    run.send_signal(signal.SIGINT)
    text = here.finish(run, 130)

    assert "detached from 2 cells in 2 jobs; the same command attaches again" in text
    assert "`bench cancel tiny` cancels" in text
    assert "attached to submission 1" in here.run()
    assert len(here.engine.jobs()) == 2


def test_two_runs_at_once_submit_each_cell_once(site: Callable[..., Site]) -> None:
    """Runs that begin in the same moment share the cells, and both see them all ended."""
    here = site()
    runs = [here.start() for _ in range(3)]

    for run in runs:
        here.finish(run)
    assert len(here.engine.jobs()) == 2
    assert [len(r.earlier) for r in here.records()] == [0, 0]
