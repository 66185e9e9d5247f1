"""Trackers are told what a run does, and harm none."""

import importlib
import json
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from bench.errors import EnvironmentProblem, UsageError
from bench.execution import tracking as tracker
from bench.execution.events import Elsewhere, Ended, Progressed, Retrying, Started, Stopping
from bench.execution.tracking import Tracking
from bench.results import store
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def trackio(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Anew for each test: it writes to one folder in a process."""
    pytest.importorskip("trackio", reason="trackio is not installed")
    for name in [n for n in sys.modules if n.split(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [n for n in sys.modules if n.split(".")[0] == "trackio"]:
        del sys.modules[name]


class Fake:
    """Writes down what it is told, until it has had enough."""

    command = "cat fake"

    def __init__(self, enough: int = 99) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.enough = enough

    def _tell(self, *what: Any) -> None:
        self.told.append(what)
        if len(self.told) > self.enough:
            message = "no disk"
            raise OSError(message)

    def begin(self, cell: Cell, parameters: Mapping[str, str | float]) -> None:
        self._tell("begin", cell.id, dict(parameters))

    def log(self, cell: Cell, values: Mapping[int, Mapping[str, float]]) -> None:
        self._tell("log", cell.id, {epoch: dict(told) for epoch, told in values.items()})

    def end(self, cell: Cell, status: str, reason: str) -> None:
        self._tell("end", cell.id, status, reason)

    def close(self) -> None:
        self._tell("close")


@pytest.fixture
def cells(measured: Path) -> list[Cell]:
    return list(store.find_plan(measured, "tiny").cells)


def tracking(root: Path, cells: list[Cell], **trackers: Fake) -> tuple[Tracking, list[str]]:
    said: list[str] = []
    found = Tracking({**trackers}, root, said.append)
    found.cells |= {cell.id: cell for cell in cells}
    return found, said


def test_accuracy_comes_at_once_and_the_rest_from_the_record(
    measured: Path, cells: list[Cell]
) -> None:
    """Each value is told once, with its epoch; a cell that another run has is not told."""
    fake = Fake()
    hear, _ = tracking(measured, cells, fake=fake)
    one, other = cells[0].id, cells[1].id
    for event in [
        Started(one),
        Progressed(one),
        Progressed(one, epoch=1, acc=0.25),
        Progressed(one, epoch=1, fraction=0.5),
        Elsewhere(other, reason="far"),
        Ended(one, status=CellStatus.OK, acc=0.5),
        Ended(other, status=CellStatus.OK),
        Stopping(),
    ]:
        hear(event)
    hear.close()
    record = store.find_record(measured, cells[0])
    assert record is not None

    assert [(t[0], *t[1:2]) for t in fake.told] == [
        ("begin", one), ("log", one), ("log", one), ("end", one), ("close",),
    ]  # fmt: skip
    assert fake.told[1][2] == {1: {"test_acc": 0.25}}
    rest = fake.told[2][2]
    assert [values["train_loss"] for values in rest.values()] == record.curves["train_loss"]
    assert {*rest[2]} == {"train_loss", "test_top5", "lr", "e_W", "s_W", "e_A", "s_A"}
    assert fake.told[0][2].items() >= {
        "recipe.lr": 0.1, "weights.name": "ste", "backbone.width": 2, "wa": "1/1", "seed": 0,
    }.items()  # fmt: skip


def test_a_cell_that_was_never_heard_is_told_whole(measured: Path, cells: list[Cell]) -> None:
    """Where no epoch came while it trained, accuracy is told from the record."""
    fake = Fake()
    hear, _ = tracking(measured, cells, fake=fake)
    hear(Started(cells[0].id))
    hear(Ended(cells[0].id, status=CellStatus.OK))
    record = store.find_record(measured, cells[0])
    assert record is not None

    assert [v["test_acc"] for v in fake.told[1][2].values()] == record.curves["test_acc"]


def test_every_try_has_its_end(tmp_path: Path, cells: list[Cell]) -> None:
    """A cell that is tried again, and one that is stopped, end as they did, without curves."""
    fake = Fake()
    hear, _ = tracking(tmp_path, cells, fake=fake)
    one = cells[0].id
    hear(Started(one))
    hear(Retrying(one, status=CellStatus.FAILED, reason="RuntimeError: no; try 2 of 2 follows"))
    hear(Started(one))
    hear(Ended(one, status=CellStatus.INTERRUPTED))

    assert [t[0] for t in fake.told] == ["begin", "end", "begin", "end"]
    assert [t[2] for t in fake.told if t[0] == "end"] == ["failed", "interrupted"]


def test_one_that_fails_is_told_no_more(tmp_path: Path, cells: list[Cell]) -> None:
    """It is said once, the run goes on, and so do the others."""
    bad, good = Fake(enough=1), Fake()
    hear, said = tracking(tmp_path, cells, bad=bad, good=good)
    for _ in range(3):
        hear(Started(cells[0].id))
        hear(Ended(cells[0].id, status=CellStatus.INTERRUPTED))
    hear.close()

    assert said == ["note: bad is told no more: OSError: no disk"]
    assert len(bad.told) == 2
    assert len(good.told) == 7


def test_real_weights_have_parameters(cells: list[Cell]) -> None:
    """Full precision, which has no estimator, can be told too."""
    real = cells[0].model_copy(update={"weights": None, "activations": None})
    asked = tracker.parameters(real)

    assert asked["wa"] == "32/32"
    assert all(isinstance(value, (str, float, int)) for value in asked.values())


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (["tensorbord"], UsageError, "`tensorbord`: no such tracker; did you mean `tensorboard`?"),
        (["fake", "fake:x"], UsageError, "--track fake is asked for twice"),
        (["absent"], EnvironmentProblem, "`pip install 'signbench[absent]'`"),
        (["broken"], EnvironmentProblem, "--track broken: AttributeError: "),
    ],
)
def test_what_cannot_track_is_one_error(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    kind: type[Exception],
    message: str,
) -> None:
    """A strange name, a missing package and a broken plugin are named before anything runs."""
    added = {
        "absent": "no_such_package:Tracker",
        "broken": "bench.spec.cell:Tracker",
        "fake": "x:y",
    }

    def found(**asked: str) -> list[EntryPoint]:
        named = [EntryPoint(k, v, tracker.GROUP) for k, v in added.items()]
        return [e for e in named if asked.get("name", e.name) == e.name]

    def loads(name: str) -> Any:
        return (lambda *_: Fake()) if name == "fake" else real(name)

    real = tracker._load  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(tracker, "entry_points", found)
    monkeypatch.setattr(tracker, "_load", loads)
    with pytest.raises(kind) as caught:
        tracker.open_trackers(words, tmp_path, "tiny")

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_extras_are_the_trackers() -> None:
    """For each tracker here there is an extra of its name to install."""
    import tomllib

    text = (Path(__file__).parent.parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    others = {entry.name for entry in entry_points(group=tracker.GROUP)}

    assert set(tracker.names()) - others == {"tensorboard", "trackio"} == set(extras) & {
        "tensorboard", "trackio",
    }  # fmt: skip


@pytest.mark.usefixtures("here", "trackio")
def test_a_run_is_tracked(
    tiny: Path, tmp_path: Path, ask: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorBoard and trackio hold a run's curves and parameters, and no network was asked for."""
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")

    def refused(*_: object, **__: object) -> None:
        pytest.fail("the network was asked for")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    root = tmp_path / "r"
    code, out, err = ask(
        "run", tiny, "--results", root, "-j", "1",
        "--track", f"tensorboard:{tmp_path / 'tb'}", "--track", "trackio",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert f"tracked: `tensorboard --logdir {tmp_path / 'tb'}` shows it" in out
    assert out.count("trackio") == 2, "beside that it prints nothing"

    record = store.find_record(root, store.find_plan(root, "tiny").cells[0])
    assert record is not None
    curves = tracker.curves(record)
    from_tensorboard(tmp_path / "tb" / "tiny" / record.cell.slug, curves)
    from_trackio(root / "trackio" / "tiny.db", record.cell, curves)


def from_tensorboard(folder: Path, curves: dict[int, dict[str, float]]) -> None:
    module = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    found = module.EventAccumulator(str(folder))
    found.Reload()
    assert {*found.Tags()["scalars"]} == {*curves[1]}
    for name in curves[1]:
        told = [(event.step, event.value) for event in found.Scalars(name)]
        assert told == [(epoch, pytest.approx(v[name], rel=1e-6)) for epoch, v in curves.items()]
    assert {"_hparams_/session_start_info", "_hparams_/session_end_info"} <= {
        *found.summary_metadata
    }


def from_trackio(path: Path, cell: Cell, curves: dict[int, dict[str, float]]) -> None:
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT step, metrics FROM metrics WHERE run_name = ?", [cell.slug])
        told: dict[int, dict[str, float]] = {}
        for step, metrics in rows:
            told.setdefault(step, {}).update(json.loads(metrics))
        asked = database.execute("SELECT config FROM configs WHERE run_name = ?", [cell.slug])
        ((config,),) = asked.fetchall()
    database.close()
    assert {step: values for step, values in told.items() if step} == curves
    assert json.loads(config).items() >= {"recipe.lr": 0.1, "status": "ok"}.items()
