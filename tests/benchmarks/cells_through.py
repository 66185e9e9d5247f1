"""
What the harness costs for each cell, by engine: a suite of cells that train one step and no more.

    PYTHONPATH=. python tests/benchmarks/cells_through.py ENGINE CELLS [CELLS_PER_JOB]

runs `bench run` with so many cells, a multiple of ten, through `local`, `slurm` or `ray`, a real
cluster that is started for it, and prints CPU seconds a cell: of the run itself, of jobs, of
workers (which train), of the engine's own daemons. Every process is known by a variable that it
inherits, and is looked at five times a second; what it does after the last look is not counted.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

HOME = Path(__file__).parents[2]
sys.path[:0] = [str(HOME), str(HOME / "tests")]

import slurm_cluster  # noqa: E402
from ray_nodes import RayNodes  # noqa: E402

MARK, LOOK_S = "BENCH_THROUGH", 0.2
TICKS = os.sysconf("SC_CLK_TCK")
PARTS = ("run", "jobs", "workers", "engine")
PLUGIN = '''
"""One binary convolution, its mean over the image, one linear map."""

from torch import nn

from bench.plugin import Backbone, Layers, Network


class Dot(Backbone):
    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        conv = layers.conv(channels, 2, 3)
        pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return Network(conv, nn.BatchNorm2d(2), *pool, nn.Linear(2, num_classes))
'''


def write_suite(folder: Path, cells: int) -> None:
    """Write a suite of so many cells, ten estimators each with its seeds, and its network."""
    (folder / "backbones").mkdir(parents=True)
    (folder / "backbones" / "dot.py").write_text(PLUGIN, encoding="utf-8")
    plugins = ", ".join(f"e{n}: {{plugin: ste, clip: {1 + n / 10}}}" for n in range(10))
    (folder / "suite.yaml").write_text(
        f"# What does a cell cost?\nestimators: {{{plugins}}}\nbackbones: [dot]\nwa: [1/1]\n"
        f"data: {{digits: {{train: 32, test: 10}}}}\nseeds: 0..{cells // 10 - 1}\nbaseline: e0\n"
        "train: {epochs: 1, batch_size: 32, histograms: []}\n",
        encoding="utf-8",
    )


class Processes:
    """CPU seconds of all processes that inherit `MARK`, by what they are."""

    def __init__(self, mark: str) -> None:
        self.mark = f"{MARK}={mark}".encode()
        self.used: dict[tuple[int, int], tuple[str, float]] = {}  # by number and start
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Processes":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def by_part(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for part, seconds in self.used.values():
            found[part] += seconds  # type: ignore[assignment]
        return found

    def _watch(self) -> None:
        while not self._done.wait(LOOK_S):
            for path in Path("/proc").glob("[0-9]*"):
                try:
                    self._look(path)
                except (OSError, IndexError):  # it ended meanwhile
                    continue

    def _look(self, path: Path) -> None:
        fields = (path / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        key = int(path.name), int(fields[19])
        if self.mark not in (path / "environ").read_bytes().split(b"\0"):
            return
        seconds = (int(fields[11]) + int(fields[12])) / TICKS
        command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        self.used[key] = (name_part(command), seconds)


def name_part(command: str) -> str:
    """What a process is, by its command line."""
    if "spawn_main" in command:
        return "workers"
    if "bench run" in command:
        return "run"
    return "jobs" if "bench work" in command or "submitit" in command else "engine"


@contextmanager
def started(engine: str, folder: Path, per_job: int) -> Generator[dict[str, str], None, None]:
    """An engine, with a profile `here` of it; yields the environment of commands."""
    keys: dict[str, object] = {"engine": engine}
    environ = dict(os.environ)
    if engine == "slurm":
        with slurm_cluster.started() as slurm:
            keys |= {"partition": "main", "mem": "2GB", "cells_per_job": per_job, "jobs": 2}
            write_profile(folder, keys)
            yield environ | slurm.environment
    elif engine == "ray":
        (folder / "scratch").mkdir()
        with closing(RayNodes(2, folder / "scratch")) as ray:
            keys |= {"address": ray.address, "cells_per_job": per_job, "jobs": 2}
            write_profile(folder, keys)
            yield environ | ray.environ
    else:
        write_profile(folder, keys | {"jobs": 2})
        yield environ


def write_profile(folder: Path, keys: dict[str, object]) -> None:
    (folder / "machines.yaml").write_text(json.dumps({"here": keys}), encoding="utf-8")


def measure(engine: str, cells: int, per_job: int) -> None:
    """Run the suite, and print what it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_suite(folder, cells)
        os.environ |= {
            MARK: uuid.uuid4().hex, "PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1",
            "BENCH_CACHE": str(folder / "cache"),
        }  # fmt: skip
        words = ["run", "suite.yaml", "--on", "here", "--device", "cpu", "--quiet"]
        with Processes(os.environ[MARK]) as processes, started(engine, folder, per_job) as environ:
            before, began = processes.by_part(), time.monotonic()
            with (folder / "out").open("w") as out:
                code = subprocess.run(
                    [sys.executable, "-m", "bench", *words, "--results", str(folder / "results")],
                    cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                    check=False,
                ).returncode  # fmt: skip
            wall_s = time.monotonic() - began
        found = processes.by_part()
        recorded = len(list(folder.glob("results/cells/*/record.json")))
        if code or recorded != cells:
            sys.exit((folder / "out").read_text("utf-8")[-4000:])
    parts = {part: found[part] - before[part] for part in PARTS}
    each = "  ".join(f"{part} {seconds / cells:.4f}" for part, seconds in parts.items())
    total = sum(parts.values())
    sys.stdout.write(f"{engine} {cells} cells, {wall_s:.0f} s, CPU {total:.0f} s; a cell: {each}\n")


if __name__ == "__main__":
    measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 100)
