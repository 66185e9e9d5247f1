"""`bench plan --calibrate` and `--budget`: what a suite costs on this machine."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench.execution.job import OtherNode, Slot
from bench.planning.planner import plan
from bench.registry import ESTIMATORS
from bench.results import store
from bench.results.cell_state import CellStates
from bench.speed import budget, calibration, measure, packing, processes
from bench.speed.measure import CopyMeasurement, CopyTask, Measurer, Unmeasured
from bench.speed.step_time import StepTimes
from bench.speed.throughput import graph_key
from bench.train import checkpoint

Ask = Callable[..., tuple[int, str, str]]
ONE = (Slot("cpu", 1),)


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[CopyTask]]:
    """An epoch takes 10 seconds, RBNN cannot be trained; returns what was measured."""
    asked: list[Sequence[CopyTask]] = []

    def together(tasks: Sequence[CopyTask]) -> list[CopyMeasurement]:
        asked.append(tasks)
        estimator = tasks[0].cell.weights
        if estimator and estimator.name == "rbnn":
            message = "RuntimeError: no slope today"
            raise Unmeasured(message)
        pace, epoch_s = StepTimes((1.0,), 2.0, 64, 500.0), 10.0 * tasks[0].slot.threads
        return [CopyMeasurement(pace, 64.0, epoch_s, 3.0, 600.0, 0.0, None)] * len(tasks)

    monkeypatch.setattr(measure, "measure_copies", together)
    monkeypatch.setattr(calibration, "cores", lambda: 2)
    monkeypatch.setattr(budget, "MOST_EPOCHS", 3)
    monkeypatch.setattr(budget, "MOST_SEEDS", 3)
    return asked


@pytest.fixture
def suite(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three estimators and two seeds, in an empty folder: 20 seconds a cell."""
    monkeypatch.chdir(tmp_path)
    text = tiny.read_text(encoding="utf-8").replace("[ste, reste]", "[ste, reste, rbnn]")
    tiny.write_text(text.replace("seeds: [0]", "seeds: 0..1"), encoding="utf-8")
    return "tiny.yaml"


def test_each_graph_is_measured_once(
    ask: Ask, suite: str, steady: list[Sequence[CopyTask]]
) -> None:
    """A row for each, however many seeds; side by side as they would run; and kept."""
    code, out, err = ask("plan", suite, "--calibrate", "-j", "2")
    again = ask("plan", suite, "train.epochs=9", "--calibrate", "-j", "2")

    assert code == 0
    (row,) = (line for line in out.splitlines() if line.startswith("  ste"))
    assert row.split()[-6:] == ["64", "10.00", "2.0", "500", "2", "0:00:20"]
    assert "not measured: rbnn x resnet20 x 1/1 x default: RuntimeError: no slope today" in out
    assert out.splitlines()[-1] == (
        "2 cells at a time on cpu, 1 thread each: 4 cells left, about 0:00:45; 2 cells not measured"
    )
    assert err.splitlines()[0] == "measuring ste-resnet20-w1a1: 2 x cpu"
    assert len({task.cell.seed for tasks in steady for task in tasks}) == 1
    assert again[2] == "measuring rbnn-resnet20-w1a1: 2 x cpu\n"  # the others are known
    assert "4 cells left, about 0:03:05" in again[1]


def test_the_ways_to_share_a_cpu(ask: Ask, suite: str, steady: list[Sequence[CopyTask]]) -> None:
    """Threads for each cell against cells, by all their images a second."""
    _, out, _ = ask("plan", suite, "--calibrate", "-j", "1", "--filter", "estimator=ste")

    assert (
        "images/s of 2 cells x 1 thread (`-j 2 --threads 1`): 2.00 times 1 cell x 1 thread, "
        "2.00 times 1 cell x 2 threads"
    ) in out
    assert {len(tasks) for tasks in steady} == {1, 2}


def test_a_budget_says_what_fits(ask: Ask, suite: str, steady: list[Sequence[CopyTask]]) -> None:
    """Which cells end in it, seeds outermost, and the largest overrides by which all do."""
    words = ("plan", suite, "--budget", "50", "-j", "1", "--filter", "estimator=ste,reste")
    _, out, _ = ask(*words)
    lines = [" ".join(line.split()[1:]) for line in out.splitlines() if " seed " in line]

    assert lines == [
        "fits 0:00:25 ste x resnet20 x 1/1 x default x seed 0",
        "fits 0:00:45 reste x resnet20 x 1/1 x default x seed 0",
        "later 0:01:05 ste x resnet20 x 1/1 x default x seed 1",
        "later 0:01:25 reste x resnet20 x 1/1 x default x seed 1",
    ]
    assert [line.split()[-3:] for line in out.splitlines() if "default    " in line][-1:] == [
        ["0", "1", "2"]
    ]
    where = "--filter estimator=ste,reste -j 1"
    assert out.splitlines()[-4:] == [
        "2 of 4 cells left fit into 0:00:50",
        "for another day: 2 cells, about 0:00:35 more if the run is stopped then and goes on",
        f"all of it in 0:00:45: bench run tiny.yaml train.epochs=1 {where}",
        f"all of it in 0:00:45: bench run tiny.yaml seeds=0 {where}",
    ]


def test_a_program_reads_the_same(ask: Ask, suite: str, steady: list[Sequence[CopyTask]]) -> None:
    """--json: graphs with their throughputs, ends of cells, and the budget."""
    _, out, _ = ask("plan", suite, "--budget", "50", "-j", "1", "--json")
    told = json.loads(out)

    assert [g["name"].split()[0] for g in told["graphs"]] == ["ste", "reste", "rbnn"]
    assert [g["tempo"] and g["tempo"]["images_per_s"] for g in told["graphs"]] == [64, 64, None]
    assert told["budget"]["fits"] == list(told["ends"])[:2]
    assert told["budget"]["offers"][0] == {"override": "train.epochs=1", "left_s": 45}


def test_wrong_words_are_refused(ask: Ask, suite: str) -> None:
    """Each with what to give instead."""
    for words, why in (
        (("--budget", "soon"), "--budget `soon`: expected a time above 0"),
        (("--calibrate", "--slots-per-gpu", "0"), "`0`: expected a number above 0, or auto"),
        (("--calibrate", "--device", "cpu", "--slots-per-gpu", "auto"), "run on the CPU here"),
    ):
        code, _, err = ask("plan", suite, *words)
        assert (code, why in err) == (2, True)


def test_nothing_is_left_to_measure(
    ask: Ask, measured: Path, steady: list[Sequence[CopyTask]]
) -> None:
    """Where every cell is recorded nothing is trained, and no time is left."""
    _, out, _ = ask("plan", measured.parent / "tiny.yaml", "--results", measured, "--calibrate")

    assert "0 cells left, about 0:00:00" in out
    assert not steady


def test_a_checkpoint_shortens_what_is_left(tiny: Path, tmp_path: Path, steady: object) -> None:
    """Epochs that a cell's newest checkpoint has are not counted."""
    resolved = plan(tiny)
    cells = resolved.cells[:1]
    whole = calibration.calibrate(resolved, cells, ONE, Measurer(tmp_path, None)).left_s
    (checkpoint.folder(store.cell_path(tmp_path, cells[0])) / "000001-00000001").mkdir(parents=True)
    rest = calibration.calibrate(resolved, cells, ONE, Measurer(tmp_path, None)).left_s

    assert (whole, rest) == (25, 15)


def test_what_tuning_may_choose_is_left(tmp_path: Path) -> None:
    """First the rows' own cells, then the held-out ones, then those of one setting for each row."""
    resolved = plan(Path("tuned-mini"))
    cells = calibration.list_cells_left(
        resolved, resolved.possible, CellStates(tmp_path, resolved.possible)
    )
    parts = [
        dict.fromkeys(part for _, part, c in resolved.walk_cells() if c == cell) for cell in cells
    ]

    assert cells[:12] == resolved.cells
    assert all(part.startswith("held out") for words in parts[12:48] for part in words)
    assert all(part.startswith("tuned") for words in parts[48:] for part in words)
    assert len(parts[48:]) == len(resolved.cells)


def test_what_costs_alike_is_one_graph(tiny: Path) -> None:
    """Seeds, epochs and learning rates are not part of a graph; batch and estimator are."""
    first, second = plan(tiny).cells
    long, large = (
        plan(tiny, words).cells[0]
        for words in (["train.epochs=9", "train.lr=0.3", "seeds=[7]"], ["train.batch_size=8"])
    )

    assert graph_key(first) == graph_key(long)
    assert len({graph_key(cell) for cell in (first, second, large)}) == 3


def test_a_failure_is_a_reason(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is raised while a copy trains is told in a line, want of memory by its name."""
    task = CopyTask(plan(tiny).cells[0], Slot("cpu", 1), None, (), False, 1, 0.0)

    def told(error: Exception) -> str:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(measure, "time_steps", fail)
        found = processes.call(measure.measure_copy, task, lambda: None)
        assert isinstance(found, processes.Failure)
        return found.reason

    assert told(KeyError("x")) == "KeyError: 'x'"
    assert told(RuntimeError("CUDA out of memory. Tried")) == "out of memory"


@pytest.mark.slow
def test_one_that_dies_ends_the_others(tiny: Path, tmp_path: Path) -> None:
    """A plugin that kills its process is a reason, and nobody waits for it."""
    (tmp_path / "plugins").mkdir()
    text = Path(str(ESTIMATORS.file("ste"))).read_text(encoding="utf-8")
    dies = (
        "if z.dtype.itemsize == 4:\n            __import__('os')._exit(3)\n        return z.clamp"
    )
    killer = tmp_path / "plugins" / "killer.py"
    killer.write_text(text.replace("return z.clamp", dies), encoding="utf-8")
    suite = tiny.read_text(encoding="utf-8").replace("[ste, reste]", "[killer]")
    tiny.write_text(suite.replace("ste\n", "killer\n") + "plugins: [./plugins]\n", encoding="utf-8")
    with pytest.raises(Unmeasured, match=r"its worker process exited \(code 3\)"):
        Measurer(tmp_path, None).measure(plan(tiny).cells[0], ONE * 2)


@pytest.mark.slow
def test_auto_measures_for_real(tiny: Path, tmp_path: Path) -> None:
    """
    Alone, then two side by side, as a GPU is packed; answer and figures are kept.

    Two processes that train one cell together are another figure, and over two nodes one more.
    """
    told: list[str] = []
    meter = Measurer(tmp_path, None, report=told.append)
    cells = plan(tiny, ["estimators=[ste]", "seeds=0..3"]).cells
    first = packing.best_per_gpu(cells, Slot("cpu", 1), meter, 2)

    assert first in {1, 2}
    assert told == ["measuring ste-resnet20-w1a1: 1 x cpu", "measuring ste-resnet20-w1a1: 2 x cpu"]
    assert packing.best_per_gpu(cells, Slot("cpu", 1), meter, 2) == first
    found = meter.measure(cells[0], ONE)
    assert (found.copies, found.threads, found.place) == (1, 1, "1 x cpu")
    assert min(found.images_per_s, found.start_s, found.first_s) > 0
    assert found.epoch_s > 64 / found.images_per_s  # evaluation
    assert len(told) == 2
    both = meter.measure(cells[0], (Slot("cpu", 1, ("cpu",)),))
    assert (both.copies, both.ranks, both.place) == (1, 2, "1 x cpu+cpu")
    assert both == meter.measure(cells[0], (Slot("cpu", 1, ("cpu",)),))
    there = OtherNode("n2", ("env",), "127.0.0.1")  # which is this machine
    apart = meter.measure(cells[0], (Slot("cpu", 1, (), (there,)),))
    assert (apart.ranks, apart.nodes, apart.place) == (2, 2, "1 x cpu on 2 nodes")
    assert meter.measure(cells[0], ONE) == found


@pytest.mark.gpu
def test_a_gpu_is_packed(tiny: Path, tmp_path: Path) -> None:
    """One cell and two side by side: each has its memory on the device, and both leave less."""
    meter, slot = Measurer(tmp_path, None), Slot("cuda:0", 1)
    cells = plan(tiny, ["estimators=[ste]", "seeds=0..3"]).cells
    n = packing.best_per_gpu(cells, slot, meter, 2)
    one, two = (meter.measure(cells[0], (slot,) * k) for k in (1, 2))

    assert n == (2 if two.total >= packing.GAIN * one.total else 1)
    assert one.free_mib is not None
    assert two.free_mib is not None
    assert two.free_mib < one.free_mib
    assert 0 < one.mib <= one.reserved_mib
