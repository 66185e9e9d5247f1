"""Several processes of a worker that train one cell: what becomes of it where one is lost."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.execution.events import Event, Progressed
from bench.execution.executor import execute
from bench.execution.job import Slot
from bench.execution.settings import Settings
from bench.planning.planner import plan
from bench.results import store
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus

SUITE = """
estimators: [reste]
wa: [1/1]
backbones: {resnet20: {width: 2}}
data: {digits: {train: 96, test: 50}}
seeds: [0]
train: {epochs: 8, batch_size: 32}
"""


def children(pid: int) -> list[int]:
    """Processes that a process has started with multiprocessing."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(child) for path in found for child in path.read_text("ascii").split()]
    return [p for p in pids if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]


def is_gone(pid: int) -> bool:
    """Has a process ended, or will within some seconds?"""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


class Killer:
    """Kills a process of a cell in some epoch; `which` finds it among those of the worker."""

    def __init__(self, epoch: int, which: Callable[[int], int]) -> None:
        self.epoch, self.which = epoch, which
        self.family: list[int] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progressed) and event.epoch >= self.epoch and not self.family:
            (worker,) = children(os.getpid())
            self.family = [worker, *children(worker)]
            os.kill(self.which(worker), signal.SIGKILL)


def settings(root: Path, ranks: int) -> Settings:
    slot = Slot("cpu", 1, ("cpu",) * (ranks - 1))
    return Settings(root=root, data=Path("data"), slots=(slot,), checkpoint_s=0.0)


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    suite = tmp_path / "suite.yaml"
    suite.write_text(SUITE, encoding="utf-8")
    return plan(suite).cells[0]


@pytest.mark.slow
def test_a_lost_process_ends_all_and_the_cell_goes_on(cell: Cell, tmp_path: Path) -> None:
    """One beside, then the one that leads is killed; one process ends what two had begun."""
    log, ended = store.cell_path(tmp_path, cell) / "log.txt", dict[str, str]()
    killers = {
        "process 2 of 2 died (SIGKILL)": Killer(1, lambda worker: children(worker)[0]),
        "its worker process died (SIGKILL)": Killer(3, lambda worker: worker),
    }
    for reason, killer in killers.items():
        result = execute([cell], settings(tmp_path, 2), killer)
        ended[reason] = result.ended[cell.id].reason
        assert len(killer.family) == 2
        assert all(map(is_gone, killer.family))
    assert {*ended} == {*ended.values()}
    result = execute([cell], settings(tmp_path, 1), lambda _: None)
    record = store.find_record(tmp_path, cell)

    assert result.ended[cell.id].status is CellStatus.OK
    assert record is not None
    assert [process.processes for process in record.earlier] == [2, 2]
    assert record.provenance.processes == 1
    assert "2 processes" in log.read_text("utf-8")
    assert "not as before the interruption: processes 1, was 2" in log.read_text("utf-8")


def test_too_many_processes_are_refused_before_anything_runs(
    ask: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the cell; no results folder is made."""
    monkeypatch.chdir(tmp_path)
    Path("suite.yaml").write_text(SUITE, encoding="utf-8")
    code, _, err = ask("run", "suite.yaml", "--ranks", "33", "--device", "cpu")

    assert code == 2
    (line,) = err.strip().splitlines()
    assert line.endswith("cannot be trained by 33 processes: its batches have 32 images")
    assert line.startswith("error: reste-resnet20-w1a1-s0")
    assert not [*tmp_path.glob("results/cells/*")]
