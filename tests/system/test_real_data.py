"""Slow: a few steps on real CIFAR-10 images, and the wheel in an empty place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.execution import executor
from bench.execution.job import Slot
from bench.execution.settings import Settings
from bench.planning import planner
from bench.results import store

pytestmark = pytest.mark.slow
COPY = os.environ.get("BENCH_TEST_CIFAR10", "")
MINI = """
estimators: [ste, reste]
backbones: {resnet20: {width: 4}}
data: {cifar10-partial: {train: 1000, test: 500}}
seeds: [0]
train: {epochs: 2, batch_size: 100}
"""


@pytest.mark.skipif(not COPY, reason="BENCH_TEST_CIFAR10 names no copy of CIFAR-10")
def test_real_images_are_learned(tmp_path: Path) -> None:
    """Two epochs on 1,000 real images: the loss falls, and accuracy beats chance."""
    unpack = [sys.executable, f"{COPY}/unpack.py", str(tmp_path), "--mini"]
    subprocess.run(unpack, check=True, capture_output=True)
    (tmp_path / "mini.yaml").write_text(MINI, encoding="utf-8")
    plan = planner.plan(tmp_path / "mini.yaml", data=tmp_path)
    settings = Settings(root=tmp_path / "results", data=tmp_path, slots=(Slot("cpu", 1),) * 2)
    executor.execute(plan.cells, settings, lambda _: None)

    assert plan.rows[0].data.startswith("CIFAR-10 (3,000-image copy)")
    for cell in plan.cells:
        record = store.find_record(settings.root, cell)
        assert record
        losses = record.curves["train_loss"]
        assert losses[-1] < losses[0]
        assert record.best_acc
        assert record.best_acc > 0.12


def test_the_wheel_works_from_an_empty_directory(tmp_path: Path) -> None:
    """Built, unpacked alone and run elsewhere, the wheel finds its plugins and its suites."""
    root = Path(__file__).parent.parent.parent
    source = tmp_path / "source"
    aside = {".venv", ".git", "results", "tests", "data"}  # of the root alone

    def ignored(folder: str, names: list[str]) -> set[str]:
        return aside & {*names} if Path(folder) == root else set()

    shutil.copytree(root, source, ignore=ignored)
    build = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(tmp_path / "dist"),
    ]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    place = tmp_path / "site"
    shutil.unpack_archive(wheel, place, format="zip")
    empty = tmp_path / "empty"
    empty.mkdir()

    def bench(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from bench.cli.app import main; main()", *args],
            cwd=empty, env=os.environ | {"PYTHONPATH": str(place)}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    sizes = "data={digits: {train: 64, test: 50}}"
    run = bench("run", "quickstart", sizes, "train.epochs=3", "-k", "estimator=reste & seed=0")
    assert run.returncode == 0, run.stderr
    assert "1 of 21 cells recorded" in run.stdout
    assert "suite.schema.json" in {p.name for p in (place / "suites").iterdir()}
    assert {p.name for p in place.iterdir() if p.is_dir() and "dist-info" not in p.name} == {
        "backbones", "bench", "estimators", "suites",
    }  # fmt: skip
