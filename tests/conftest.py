"""One thread for small tensors, and suites small enough to train in a second."""

from pathlib import Path

import pytest
import torch

from bench.registry import BACKBONES, ESTIMATORS

TINY = """
estimators: [ste, reste]
backbones:
  resnet20: {width: 2}
data:
  digits: {train: 64, test: 50}
wa: [1/1]
seeds: [0]
baseline: ste
train: {epochs: 2, batch_size: 32, lr: 0.1}
"""


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:  # pyright: ignore[reportUnusedFunction]
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Plugins that a test's suite or options add are gone with it."""
    for registry in (ESTIMATORS, BACKBONES):
        monkeypatch.setattr(registry, "folders", [])
        monkeypatch.setattr(registry, "_loaded", {})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A suite of two cells that trains in a second."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `gpu` are skipped, by name, where there is none."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no GPU"))
