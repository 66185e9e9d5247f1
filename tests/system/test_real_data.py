"""Slow: a few steps on real CIFAR-10 images."""

import os
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
COPY = os.environ.get("CIFAR10_FOR_TESTS", "")
MINI = """
estimators: [ste, reste]
backbones: {resnet20: {width: 4}}
data: {cifar10-partial: {train: 1000, test: 500}}
seeds: [0]
train: {epochs: 2, batch_size: 100}
"""


@pytest.mark.skipif(not COPY, reason="CIFAR10_FOR_TESTS names no copy of CIFAR-10")
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
