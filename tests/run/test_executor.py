"""Cells in, records out: resume, isolation, determinism across processes."""

from pathlib import Path

import pytest

from bench.errors import EnvironmentProblem
from bench.planning.planner import plan
from bench.results import store
from bench.results.cell_state import CellStates
from bench.results.record import Record
from bench.results.record_diff import VOLATILE
from bench.run.events import Event
from bench.run.executor import RunResult, execute
from bench.run.job import Slot
from bench.run.settings import Settings
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


@pytest.fixture
def hostile(tmp_path: Path, tiny: Path) -> list[Cell]:
    """A suite in which one plugin raises, one kills its process, and STE is between them."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    bodies = {"raiser": 'raise RuntimeError("no slope today")',
              "killer": "os.kill(os.getpid(), signal.SIGKILL)"}  # fmt: skip
    for name, body in bodies.items():
        (folder / f"{name}.py").write_text(PLUGIN.format(name=name, body=body), encoding="utf-8")
    suite = tiny.read_text(encoding="utf-8").replace("[ste, reste]", "[killer, ste, raiser]")
    tiny.write_text(suite + "plugins: [./plugins]\n", encoding="utf-8")
    return plan(tiny).cells


def states(root: Path, cells: list[Cell]) -> list[str]:
    return [standing.state for standing in CellStates(root, cells).by_id.values()]


def records(root: Path, cells: list[Cell]) -> list[Record]:
    found = [store.find_record(root, cell) for cell in cells]
    return [record for record in found if record]


def test_a_suite_runs_once_and_bitwise_alike(tiny: Path, tmp_path: Path, measured: Path) -> None:
    """Records are whole, and two workers give the bits that this process gives."""
    cells = plan(tiny).cells
    result, events = run(cells, tmp_path / "a", n=2)
    first, second = records(tmp_path / "a", cells), records(measured, cells)

    assert not result.failed
    assert states(tmp_path / "a", cells) == ["recorded", "recorded"]
    assert {"start", "progress", "end"} == {event.kind for event in events}
    assert [r.status for r in first] == ["ok", "ok"]
    for a, b in zip(first, second, strict=True):
        assert a.model_dump(exclude={*VOLATILE}) == b.model_dump(exclude={*VOLATILE})
    assert first[0].weights_digest
    assert first[0].provenance.threads == 1
    for cell in cells:
        names = {p.name for p in store.cell_path(tmp_path / "a", cell).iterdir()}
        assert names == {"record.json", "log.txt", "last.safetensors", "best.safetensors"}


def test_one_bad_cell_ends_alone(hostile: list[Cell], tmp_path: Path) -> None:
    """An exception and a killed process each fail their own cell; the others are measured."""
    result, _ = run(hostile, tmp_path)
    by_name = {r.cell.slug.split("-")[0]: r for r in records(tmp_path, hostile)}

    assert by_name["ste"].status == "ok"
    assert by_name["raiser"].status == by_name["killer"].status == "failed"
    assert by_name["raiser"].reason == "RuntimeError: no slope today"
    assert by_name["killer"].reason == "its worker process died (SIGKILL)"
    assert {e.reason for e in result.failed} == {r.reason for r in by_name.values()} - {""}
    log = store.cell_path(tmp_path, by_name["raiser"].cell) / "log.txt"
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert states(tmp_path, hostile) == ["failed", "recorded", "failed"]


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
    assert problem == f"cannot lock `{tmp_path}/blocked/.lock`: File exists"
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
