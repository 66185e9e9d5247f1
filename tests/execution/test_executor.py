"""Cells in, records out: resume, isolation, determinism across processes."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes import TINY

from bench.errors import EnvironmentProblem
from bench.execution.events import Event
from bench.execution.executor import RunResult, execute
from bench.execution.job import Slot
from bench.execution.settings import Settings
from bench.planning.planner import plan
from bench.registry import ESTIMATORS
from bench.results import store
from bench.results.cell_state import CellStates
from bench.results.record import Record
from bench.results.record_diff import VOLATILE
from bench.spec.cell import Cell
from bench.speed.slots import SlotOptions, lay_out_slots

PLUGIN = '''"""
{name}.

    forward    y = sign(z)
    value      f(z) = z
    backward   {body}
    knob       none

Reference: none.
"""

import os
import signal

from torch import Tensor

from bench.plugin import Surrogate


class Hostile(Surrogate):
    formula = "f(z) = z"
    kind = "hostile"

    def value(self, z: Tensor, _: Tensor, /) -> Tensor:
        return z

    def slope(self, z: Tensor, _: Tensor, /) -> Tensor:
        if z.dtype.itemsize == 4:  # training; the checks come in float64
            {body}
        return z * 0 + 1
'''


def run(cells: list[Cell], root: Path, n: int = 1) -> tuple[RunResult, list[Event]]:
    events: list[Event] = []
    settings = Settings(root=root, data=Path("data"), slots=(Slot("cpu", 1),) * n)
    return execute(cells, settings, events.append), events


@dataclass(frozen=True)
class Ran:
    """A run with two workers of a suite of four cells, two of which do not end well."""

    root: Path
    cells: list[Cell]  # killer, ste, raiser, reste
    result: RunResult
    events: list[Event]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, measured: Path) -> Iterator[Ran]:
    """One plugin raises, one kills its process; STE and ReSTE are between them and after them."""
    home = tmp_path_factory.mktemp("hostile")
    shutil.copytree(measured / "receipts", home / "results" / "receipts")  # they take a second
    (home / "plugins").mkdir()
    bodies = {"raiser": 'raise RuntimeError("no slope today")',
              "killer": "os.kill(os.getpid(), signal.SIGKILL)"}  # fmt: skip
    for name, body in bodies.items():
        text = PLUGIN.format(name=name, body=body)
        (home / "plugins" / f"{name}.py").write_text(text, encoding="utf-8")
    suite = TINY.replace("[ste, reste]", "[killer, ste, raiser, reste]")
    (home / "tiny.yaml").write_text(suite + "plugins: [./plugins]\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ESTIMATORS, "folders", [])
        patch.setattr(ESTIMATORS, "_loaded", {})
        cells = plan(home / "tiny.yaml").cells
        yield Ran(home / "results", cells, *run(cells, home / "results", n=2))


def states(root: Path, cells: list[Cell]) -> list[str]:
    return [standing.state for standing in CellStates(root, cells).by_id.values()]


def records(root: Path, cells: list[Cell]) -> list[Record]:
    found = [store.find_record(root, cell) for cell in cells]
    return [record for record in found if record]


@pytest.mark.slow
def test_two_workers_give_the_bits_of_one_process(ran: Ran, measured: Path) -> None:
    """Records are whole, and two workers give the bits that this process gives."""
    cells = [ran.cells[1], ran.cells[3]]
    first, second = records(ran.root, cells), records(measured, cells)

    assert {"start", "progress", "end"} == {event.kind for event in ran.events}
    assert [r.status for r in first] == ["ok", "ok"]
    for a, b in zip(first, second, strict=True):
        assert a.model_dump(exclude={*VOLATILE}) == b.model_dump(exclude={*VOLATILE})
    assert first[0].weights_digest
    assert first[0].provenance.threads == 1
    for cell in cells:
        names = {p.name for p in store.cell_path(ran.root, cell).iterdir()}
        assert names == {"record.json", "log.txt", "last.safetensors", "best.safetensors"}


@pytest.mark.slow
def test_one_bad_cell_ends_alone(ran: Ran) -> None:
    """An exception and a killed process each fail their own cell; the others are measured."""
    killer, ste, raiser, reste = records(ran.root, ran.cells)

    assert ste.status == reste.status == "ok"
    assert raiser.status == killer.status == "failed"
    assert re.fullmatch(r"RuntimeError: no slope today \(raiser.py:\d+, in slope\)", raiser.reason)
    assert killer.reason == "its worker process died (SIGKILL)"
    assert {e.reason for e in ran.result.failed} == {raiser.reason, killer.reason}
    log = store.cell_path(ran.root, raiser.cell) / "log.txt"
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert states(ran.root, ran.cells) == ["failed", "recorded", "failed", "recorded"]


@pytest.mark.usefixtures("here")
def test_divergence_is_measured(tiny: Path, tmp_path: Path) -> None:
    """A diverged cell has a record, with the epoch, and is not run again."""
    cells = plan(tiny, ["train.lr=1e30", "estimators=[ste]"]).cells
    run(cells, tmp_path)
    (record,) = records(tmp_path, cells)

    assert record.status == "diverged"
    assert "in epoch" in record.reason
    assert states(tmp_path, cells) == ["recorded"]


@pytest.mark.usefixtures("here")
def test_changed_data_fails_the_cell(tiny: Path, tmp_path: Path) -> None:
    """A cell whose data is not what it was planned with fails, and says so."""
    (cell, *_) = plan(tiny).cells
    other = cell.model_copy(update={"data": cell.data.model_copy(update={"fingerprint": "f" * 16})})
    result, _ = run([other], tmp_path)

    assert "the data or its transform changed" in result.failed[0].reason


def test_an_unwritable_results_folder_is_an_error_not_a_loss(tiny: Path, tmp_path: Path) -> None:
    """Where nothing can be written nothing is trained; the error says where and how to go on."""
    (tmp_path / "blocked").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(EnvironmentProblem) as caught:
        run(plan(tiny).cells, tmp_path / "blocked")

    problem, left = str(caught.value).splitlines()
    assert problem.startswith(f"cannot write `{tmp_path}/blocked/leases/")
    assert problem.endswith(": Not a directory")
    assert left == "2 of 2 cells left; what is recorded stays, run again to continue"


@pytest.mark.gpu
def test_a_gpu_trains_a_cell(tiny: Path, tmp_path: Path) -> None:
    """On a GPU a cell is measured, twice with the same bits."""
    cells = plan(tiny).cells
    settings = [
        Settings(root=tmp_path / name, data=Path("data"), slots=lay_out_slots(SlotOptions("cuda")))
        for name in "ab"
    ]
    for one in settings:
        assert not execute(cells, one, lambda _: None).failed
    first, second = (records(one.root, cells) for one in settings)

    assert [r.weights_digest for r in first] == [r.weights_digest for r in second]
