"""
What each test of whole jobs has for itself: a suite, its results folder, and runs of `bench`.

The suite's estimator is a local plugin that does what it is told while it trains: it takes its time
while a file is there, so that a test can act in the middle of a cell, and takes memory while
another one is.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from slurm_cluster import SlurmCluster, until

from bench.base.file_states import SETTLED_S
from bench.execution.events import Ended, Event
from bench.execution.journal import journals
from bench.fleet.engine import JobState, Phase
from bench.results.record import Record
from bench.results.record_diff import VOLATILE

HOME = Path(__file__).parents[2]
PLUGIN = '''
"""STE that takes its time, and memory, while it is told to."""

import os
import time
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from bench.plugin import Surrogate, upto

TOLD = Path(os.environ.get("BENCH_TEST_TOLD", "/nothing"))
EATEN = []


class Told(Surrogate):
    formula = "f(z) = z"
    kind = "identity function"

    def value(self, z: Tensor, _: Tensor, /) -> Tensor:
        return z.clamp(-1, 1)

    def slope(self, z: Tensor, _: Tensor, /) -> Tensor:
        with suppress(FileNotFoundError):  # it may go at any moment
            time.sleep(float((TOLD / "slow").read_text() or 0))
        if (TOLD / "eat").exists():
            EATEN.append(b"x" * 500_000_000)
        return upto(z.abs(), 1.0)
'''
SUITE = """
estimators: [told]
backbones:
  vgg_small: {image: 8, width: 2}
data:
  digits: {train: 64, test: 50}
wa: [1/1]
seeds: [0, 1]
baseline: told
train: {epochs: 20, batch_size: 32, lr: 0.1}
"""
EPOCHS = 20
LONG_S = 300.0  # for anything that a test waits for; a machine that others use is slow


class Stage:
    """
    Some cells of the suite, their results and their jobs.

    Args:
        home: a folder of its own.
        suite: the folder of the suite and its plugin; all stages share it, and with it the answers
            that `bench` keeps.
        whole: results of the same cells, trained here without a stop.
        keys: of the profile `here`, beside those that every one has.
    """

    def __init__(
        self, home: Path, cluster: SlurmCluster, suite: Path, whole: Path, **keys: object
    ) -> None:
        self.home, self.cluster, self.suite, self.whole = home, cluster, suite, whole
        self.root, self.told = home / "results", home / "told"
        self.told.mkdir(parents=True)
        self.slow()
        self.commands: dict[Path, subprocess.Popen[str]] = {}
        setup = [f"export BENCH_TEST_TOLD={self.told}", "export OMP_NUM_THREADS=1"]
        keys["setup"] = [*setup, *map(str, keys.pop("setup", []))]  # type: ignore[call-overload]
        profile = {"engine": "slurm", "mem": "2GB"} | keys
        (home / "machines.yaml").write_text(json.dumps({"here": profile}), encoding="utf-8")

    def close(self) -> None:
        """End what a scenario that failed has left."""
        for process in self.commands.values():
            process.kill()
            process.wait()

    def slow(self, seconds: float = 0.06) -> None:
        """Have each sign wait in each step; there are ten, so an epoch takes 20 times as long."""
        (self.told / "slow").write_text(str(seconds), encoding="utf-8")

    def hurry(self) -> None:
        (self.told / "slow").unlink(missing_ok=True)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command of `bench`; its output is a file, so that nobody has to read it."""
        out = self.home / f"out-{len(self.commands)}"
        with out.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, str(HOME / "tests" / "fleet" / "following.py"), *words],
                cwd=self.suite, env=self._environment(), text=True,
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        self.commands[out] = process
        return process

    def run(self, *words: str, seeds: str = "seed=0") -> subprocess.Popen[str]:
        """Start to train cells by the profile."""
        every = ("--checkpoint-every", "2", "--results", str(self.root))
        return self.start("run", "suite.yaml", "--on", "here", "--filter", seeds, *every, *words)

    def end(self, process: subprocess.Popen[str], code: int = 0) -> str:
        """Wait for the end of a command; returns what it printed."""
        until(lambda: process.poll() is not None, LONG_S, lambda: self.printed(process))
        assert process.returncode == code, self.printed(process)
        return self.printed(process)

    def printed(self, process: subprocess.Popen[str]) -> str:
        (out,) = (out for out, one in self.commands.items() if one is process)
        return out.read_text(encoding="utf-8")

    def jobs(self) -> list[str]:
        """All that were ever submitted, in their order."""
        waves = sorted(self.root.glob("jobs/*/waves/*.jobs"), key=lambda path: path.stat().st_mtime)
        texts = [path.read_text(encoding="utf-8") for path in waves]
        return [job for text in texts for job in json.loads(text).get("jobs", {}).values()]

    def job(self) -> str:
        """The first one, waited for."""
        until(lambda: bool(self.jobs()), LONG_S, self.tell)
        return self.jobs()[0]

    def state(self, job: str) -> JobState:
        """How a job is, by the cluster's own answer."""
        columns = "state:20,nodelist:40,restartcnt:9"
        text = self.cluster.call("squeue", "-h", "-t", "all", "-j", job, "-O", columns)
        word, *nodes, restarts = text.split()
        return JobState(Phase.RUNNING, word, nodes=tuple(nodes), restarts=int(restarts))

    def await_epoch(self, epoch: int = 2) -> str:
        """Wait until the first job's cell has come so far; returns the job."""
        job = self.job()
        until(lambda: self.epoch() >= epoch, LONG_S, self.tell)
        return job

    def events(self) -> list[Event]:
        """All that the jobs' journals say."""
        names = [path.stem for path in self.root.glob("jobs/*.json")]
        readers = [reader for name in names for reader in journals(self.root, name)]
        return [event for reader in readers for _, event in reader.read()]

    def records(self) -> list[Record]:
        return [read(path) for path in sorted(self.root.glob("cells/*/record.json"))]

    def check(self, cells: int = 1, *, redone: bool = False) -> None:
        """
        Compare with the local run: the same records and weights to the bit, nothing trained twice.

        Args:
            cells: how many have a record.
            redone: may epochs have been lost with a node?
        """
        found = [path.parent for path in sorted(self.root.glob("cells/*/record.json"))]
        assert len(found) == cells, self.tell()
        for folder in found:
            other = self.whole / "cells" / folder.name
            assert bare(read(folder / "record.json")) == bare(read(other / "record.json"))
            weights = "last.safetensors"
            assert (folder / weights).read_bytes() == (other / weights).read_bytes()
            assert not (folder / "checkpoints").exists()
            log = (folder / "log.txt").read_text(encoding="utf-8")
            epochs = [int(found) for found in re.findall(r"^\S+ epoch (\d+)/", log, re.MULTILINE)]
            assert sorted(set(epochs) if redone else epochs) == [*range(1, EPOCHS + 1)]
        assert not list(self.root.glob("cells/*/lease*")), self.tell()
        ends = [e for e in self.events() if isinstance(e, Ended) and e.status == "ok"]
        assert len(ends) == cells

    def tell(self) -> str:
        """What there is to know when something went wrong."""
        logs = [*self.home.glob("out-*"), *self.root.glob("jobs/*/slurm/*.out")]
        queue = self.cluster.call("squeue", "-t", "all", check=False)
        return "\n".join([queue, *(f"{p}:\n{p.read_text('utf-8', 'replace')}" for p in logs)])

    def epoch(self) -> int:
        """Up to which epoch there is a checkpoint."""
        names = (path.name for path in self.root.glob("cells/*/checkpoints/[0-9]*"))
        return max((int(name.partition("-")[0]) for name in names), default=0)

    def _environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        machines = {"BENCH_MACHINES": str(self.home / "machines.yaml")}
        return os.environ | self.cluster.environment | own | machines


def read(path: Path) -> Record:
    return Record.model_validate_json(path.read_bytes())


def bare(record: Record) -> str:
    """A record without what is never the same twice."""
    return record.model_dump_json(exclude={*VOLATILE})


def train_whole(suite: Path, *words: str) -> Path:
    """Write the suite, and train its cells here without a stop; returns the results folder."""
    write(suite)
    time.sleep(SETTLED_S)  # of files that changed just now no plan is kept, and each run makes it
    argv = ["run", "suite.yaml", "--results", "whole", "--device", "cpu", "-j", "2", "--quiet"]
    argv += words
    env = os.environ | {"PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "bench", *argv], cwd=suite, env=env, check=True)
    return suite / "whole"


def write(suite: Path, plugin: str = PLUGIN) -> None:
    """Write the suite and its estimator."""
    (suite / "estimators").mkdir(parents=True, exist_ok=True)
    (suite / "estimators" / "told.py").write_text(plugin, encoding="utf-8")
    (suite / "suite.yaml").write_text(SUITE, encoding="utf-8")
