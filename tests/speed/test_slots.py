"""How many cells run at once, and where."""

from typing import Any

import pytest

from bench.base.machine import cores
from bench.errors import EnvironmentProblem, UsageError
from bench.execution.job import Slot
from bench.speed.slots import SlotOptions, lay_out_slots


def slots(device: str, per_gpu: int | None = None, **options: Any) -> tuple[Slot, ...]:
    return lay_out_slots(SlotOptions(device, per_gpu=per_gpu, **options))


def devices(device: str, **options: Any) -> list[str]:
    return [slot.device for slot in slots(device, **options)]


def test_slots() -> None:
    """One slot per core unless told; a missing GPU and a wrong device are errors."""
    assert slots("cpu", jobs=3) == (Slot("cpu", 1),) * 3
    assert len(slots("cpu")) == cores()
    with pytest.raises(UsageError, match="expected auto, cpu, cuda, cuda:N or mps"):
        slots("tpu")
    with pytest.raises(UsageError, match="--gpus goes with"):
        slots("cpu", gpus=[0])
    with pytest.raises(EnvironmentProblem, match="GPU 97 asked for"):
        slots("cuda:97")


def test_slots_of_metal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Mac's GPU is asked for by name, is one, and is not there on other machines."""
    with pytest.raises(EnvironmentProblem, match="no GPU by Metal here; use --device cpu"):
        slots("mps")
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)

    assert slots("mps", jobs=2) == (Slot("mps", 1),) * 2
    assert devices("auto", jobs=1) == ["cpu"]
    with pytest.raises(UsageError, match="one GPU, which cells share as -j says"):
        slots("mps", 2)


def test_gpu_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every GPU takes one cell; -j deals more cells out evenly."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)

    assert devices("auto") == ["cuda:0", "cuda:1"]
    assert devices("auto", gpus=[1]) == ["cuda:1"]
    assert devices("cuda", gpus=[0, 1], jobs=3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert devices("cuda:1") == ["cuda:1"]
    assert devices("cpu", jobs=1, threads=2) == ["cpu"]


def test_slots_of_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """--slots-per-gpu N gives every GPU N cells at a time, in turn; it is no -j."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    two = (Slot("cuda:0", 1), Slot("cuda:1", 1))

    assert slots("auto", 3) == two * 3
    assert slots("auto") == two
    assert slots("cuda", gpus=[1], jobs=4) == (Slot("cuda:1", 1),) * 4
    with pytest.raises(UsageError, match="-j counts all cells at a time, --slots-per-gpu those"):
        slots("auto", 3, jobs=2)


def test_slots_per_gpu_are_of_gpus() -> None:
    """On the CPU -j says how many."""
    with pytest.raises(UsageError, match="where -j says how many"):
        slots("cpu", 2)
