"""An engine whose jobs are processes of this machine: for what has to be true of every engine."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import bench
from bench.errors import EnvironmentProblem
from bench.fleet.allocation import environment
from bench.fleet.engine import JobState, Phase
from bench.fleet.profile import Profile


class JobProcesses:
    """
    Runs each batch at once, as a child.

    Attributes:
        nodes: names that jobs get in turn; none but these are given, and not those excluded.
    """

    name = "slurm"
    attached = True
    nodes: tuple[str, ...] = ("n1", "n2")

    def __init__(self, profile: Profile, root: Path) -> None:
        self.profile, self.root = profile, root
        self.children: dict[str, tuple[subprocess.Popen[bytes], str]] = {}

    def submit(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> dict[Path, str]:
        return {path: self._begin(path, {*exclude}) for path in batches}

    def look(self, jobs: Iterable[str]) -> dict[str, JobState]:
        return {job: self._state(job) for job in jobs}

    def cancel(self, jobs: Iterable[str]) -> None:
        for job in jobs:
            self.children[job][0].terminate()

    def script(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> str:
        return "\n".join(map(str, batches))

    def poll(self) -> None: ...

    def close(self) -> None:
        for child, _ in self.children.values():
            child.kill()
            child.wait()

    def _begin(self, path: Path, exclude: set[str]) -> str:
        free = [node for node in self.nodes if node not in exclude]
        if not free:
            msg = "Slurm refuses: Requested node configuration is not available"
            raise EnvironmentProblem(msg)
        job, node = str(len(self.children) + 1), free[0]
        own = {
            "SLURMD_NODENAME": node,
            "PYTHONPATH": str(Path(bench.__file__).parent.parent),
            "OMP_NUM_THREADS": "1",
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "bench", "work", str(path)],
            env={**os.environ, **environment("slurm", job), **own},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.children[job] = child, node
        return job

    def _state(self, job: str) -> JobState:
        child, node = self.children[job]
        code = child.poll()
        if code is None:
            return JobState(Phase.RUNNING, "RUNNING", nodes=(node,))
        word = "FAILED" if code else "COMPLETED"
        return JobState(Phase.ENDED, word, f"exit {code}" if code else "", (node,))
