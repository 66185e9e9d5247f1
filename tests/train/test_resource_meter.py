"""Memory and energy of a cell: Linux's counters as they are, NVIDIA's driver and CUDA faked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.execution import cell_run
from bench.execution.job import Job
from bench.execution.link import RunLink
from bench.results import store
from bench.spec.cell import Cell
from bench.train import gpu_energy, resource_meter
from bench.train.resource_meter import ResourceMeter

CPU, GPU = torch.device("cpu"), torch.device("cuda:1")


class Driver:
    """What `pynvml` is to `gpu_energy`: one GPU, which takes 1.5 J between two looks."""

    class NVMLError(Exception):
        pass

    NVML_DEVICE_MIG_ENABLE = 1

    def __init__(self, *, lacks: str = "", divided: bool = False) -> None:
        self.lacks, self.divided, self.taken = lacks, divided, 7_000

    def _do(self, name: str) -> None:
        if name == self.lacks:
            raise self.NVMLError(name)

    def nvmlInit(self) -> None:  # noqa: N802
        self._do("init")

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        self._do("uuid")
        assert uuid == "GPU-of-cuda:1"
        return uuid

    def nvmlDeviceGetMigMode(self, _handle: str) -> list[int]:  # noqa: N802
        self._do("mig")
        return [int(self.divided), int(self.divided)]

    def nvmlDeviceGetTotalEnergyConsumption(self, _handle: str) -> int:  # noqa: N802
        self._do("energy")
        self.taken += 1_500
        return self.taken


def install(patch: pytest.MonkeyPatch, driver: Driver) -> None:
    """A machine with that driver and torch's side of its GPU."""
    patch.setattr(gpu_energy, "pynvml", driver)
    patch.setattr(torch.cuda, "get_device_properties", lambda d: SimpleNamespace(uuid=f"of-{d}"))
    patch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: None)
    patch.setattr(torch.cuda, "max_memory_allocated", lambda _: 3 * 2**20)


@pytest.mark.parametrize(
    ("driver", "alone", "joules"),
    [
        (Driver(), True, 1.5),
        (Driver(lacks="mig"), True, 1.5),
        (Driver(), False, None),
        (Driver(divided=True), True, None),
        (Driver(lacks="init"), True, None),
        (Driver(lacks="uuid"), True, None),
        (Driver(lacks="energy"), True, None),
    ],
    ids=["counts", "cannot-be-divided", "shared", "divided", "no-driver", "unknown", "old"],
)
def test_energy(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, alone: bool, joules: float | None
) -> None:
    """Joules between two looks at the GPU's own counter, if one cell has all of it."""
    install(monkeypatch, driver)
    found = ResourceMeter(GPU, alone=alone)

    assert found.energy_j() == joules
    assert found.peak_mib() == 3


def test_a_counter_that_stops_ends_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that fails when training is over leaves the cell without energy."""
    driver = Driver()
    install(monkeypatch, driver)
    found = ResourceMeter(GPU, alone=True)
    driver.lacks = "energy"

    assert found.energy_j() is None


@pytest.mark.linux
def test_peak_is_the_cells_own() -> None:
    """What was freed before does not count, not even in the heap; what was freed since does."""
    before = [torch.zeros(2**14) for _ in range(1500)]
    high = ResourceMeter(CPU, alone=True).peak_mib()
    del before[:-1]
    found = ResourceMeter(CPU, alone=True)
    low = found.peak_mib()
    after = [torch.zeros(2**14) for _ in range(1500)]
    del after

    assert low < high - 64
    assert found.peak_mib() > low + 64
    assert found.energy_j() is None


def test_peak_without_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Elsewhere it is the process's since it began."""
    monkeypatch.setattr(resource_meter, "PROCESS", tmp_path / "none")

    assert ResourceMeter(CPU, alone=True).peak_mib() > 50


def test_a_record_tells_what_its_cell_took(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Energy and cells at a time are with the process that trained; an interrupted one's, too."""
    cell = store.find_plan(measured, "tiny").cells[0]

    class Fake(ResourceMeter):
        def energy_j(self) -> float | None:
            return 2.5

    monkeypatch.setattr(resource_meter, "ResourceMeter", Fake)
    asked = iter([False] * 3)
    train(cell, tmp_path, RunLink(halted=lambda: next(asked, True)))
    train(cell, tmp_path)
    record: Any = store.find_record(tmp_path, cell)

    made = [*record.earlier, record.provenance]
    assert [(p.energy_j, p.cells_at_once) for p in made] == [(2.5, 3), (2.5, 3)]
    assert store.seal_holds(record)


def train(cell: Cell, root: Path, link: RunLink | None = None) -> None:
    job = Job(cell, root, "cpu", 1, 0, False, root, (), (), 1e9, cells_at_once=3)
    cell_run.run(job, link)
