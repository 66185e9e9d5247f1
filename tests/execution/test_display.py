"""What `bench run` shows, at any width, and what it says where there is no terminal."""

import io
import re
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from bench.execution.display import LineView, TableView, redraws, sparkline
from bench.execution.events import (
    Elsewhere,
    Ended,
    Event,
    Noted,
    Progressed,
    Retrying,
    Started,
    Stopping,
    TakenOver,
)
from bench.execution.progress import RunProgress, run_progress
from bench.planning.planner import plan
from bench.spec.cell_status import CellStatus
from bench.spec.plan import Plan


@pytest.fixture(scope="module")
def quickstart() -> Plan:
    return plan(Path("quickstart"), ["seeds=0..2"])


def console(width: int, height: int = 40) -> Console:
    return Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None
    )


def text_of(view: TableView) -> str:
    with view.console.capture() as captured:
        view.console.print(view._draw())  # pyright: ignore[reportPrivateUsage]
    return captured.get()


def all_of(plan: Plan) -> RunProgress:
    return run_progress(plan, [cell.id for cell in plan.cells], Path("results"))


def events(run: RunProgress) -> list[Event]:
    """Three cells that train, end and fail."""
    ids = list(run.cells)
    return [
        *(Started(cell) for cell in ids[:3]),
        Progressed(ids[0]),
        Progressed(ids[0], epoch=3, fraction=0.5, acc=0.5, images_per_s=1234.0),
        Ended(ids[1], status=CellStatus.OK, acc=0.75),
        Progressed(ids[2], epoch=2, fraction=0.0, acc=0.1),
        Ended(ids[2], status=CellStatus.FAILED, reason="RuntimeError: no"),
    ]


@pytest.mark.parametrize("width", [56, 64, 80, 100, 160])
def test_every_state_can_be_read(quickstart: Plan, width: int) -> None:
    """Name, state, epoch and accuracy are whole at any width."""
    run = all_of(quickstart)
    view = TableView(run, console(width))
    for event in events(run):
        run.update(event)
    first = next(iter(run.cells.values()))
    assert first.since is not None
    first.since = (first.since[0] - 1000, first.since[1])
    text = text_of(view)

    assert re.search(r" 1:18:[0-5]\d", text)
    assert max(map(len, text.splitlines())) <= width
    for word in (
        "running",
        "waiting",
        "failed",
        "3/20",
        "20/20",
        "2/20",
        "50.00",
        "75.00",
        "full precisi",
    ):
        assert word in text
    assert "2/21 cells done, 1 failed" in text
    assert ("1,234" in text) == (width >= 80)


def test_a_short_terminal_counts_what_it_hides(quickstart: Plan) -> None:
    """Where not all cells have room, those in motion are shown and the others counted."""
    run = all_of(quickstart)
    view = TableView(run, console(100, height=14))
    for event in events(run):
        run.update(event)
    text = text_of(view)

    assert len(text.splitlines()) <= 14
    assert text.index("running") < text.index("waiting")
    assert "running" in text
    assert "failed" in text
    assert "ok" in text
    assert "… and 12 more: 12 waiting" in text


@pytest.mark.parametrize("size", [(40, 24), (20, 24), (60, 10), (20, 10)])
def test_a_small_terminal_is_not_overrun(quickstart: Plan, size: tuple[int, int]) -> None:
    """However small, no line is broken, a result or a state is whole, and the rest is counted."""
    run = all_of(quickstart)
    for event in events(run):
        run.update(event)
    text = text_of(TableView(run, console(*size)))
    lines = text.splitlines()

    assert len(lines) <= size[1]
    assert max(map(len, lines)) <= size[0]
    assert "75.00" in text
    assert "failed" in text
    assert "more: " in lines[-1]


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([0.5], "▁"),
        ([0.5, 0.5], "▁▁"),
        ([0.0, 0.5, 1.0], "▁▅█"),
        ([i / 8 for i in range(8)], "▁▂▃▄▅▆▇█"),
        ([*range(100)], "▁▂▃▃▄▅▆▆▇█"),
        ([1.0] * 99 + [0.0], "█████████▁"),
    ],
)
def test_a_curve_in_blocks(values: list[float], drawn: str) -> None:
    """From its least to its greatest value, in ten blocks at most, the last value always shown."""
    assert sparkline(values) == drawn


def test_the_curve_stands_beside_the_accuracy(quickstart: Plan) -> None:
    """Accuracy by epoch, begun anew with the cell; none where the encoding has no blocks."""
    run = all_of(quickstart)
    cell = next(iter(run.cells))
    run.update(Progressed(cell, epoch=9, acc=0.9))
    run.update(Started(cell))
    for epoch, acc in enumerate([0.1, 0.2, 0.8], start=1):
        run.update(Progressed(cell, epoch=epoch, fraction=0.5))
        run.update(Progressed(cell, epoch=epoch, acc=acc))
    run.update(Ended(cell, status=CellStatus.OK, acc=0.8))
    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")

    assert "curve" in text_of(TableView(run, console(80)))
    assert " ▁▂█ " in text_of(TableView(run, console(80)))
    assert "curve" not in text_of(TableView(run, Console(file=latin, width=80)))


def test_a_dumb_terminal_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cursor cannot move there is no table to redraw."""
    assert redraws(console(80))
    monkeypatch.setenv("TERM", "dumb")
    assert not redraws(console(80))


def test_plain_lines(quickstart: Plan) -> None:
    """Without a terminal each cell that ends has one line, with the reason of a failure."""
    run = all_of(quickstart)
    out = Console(file=io.StringIO(), width=40)
    with LineView(run, out) as hear:
        for event in events(run):
            hear(event)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]

    assert len(lines) == 2
    assert lines[0].startswith("[1/21] dsq seed 0: ok, acc 75.00 %")
    assert lines[1].startswith(
        "[2/21] ede seed 0: failed, acc 10.00 %, RuntimeError: no, log: results/"
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_time_left_counts_from_where_a_cell_goes_on(quickstart: Plan) -> None:
    """Epochs of an earlier process took no time of this one: 2 in 100 s, so 8 in 400 s."""
    run = all_of(quickstart)
    cell, state = next(iter(run.cells.items()))
    run.update(Started(cell), now=0.0)
    run.update(Progressed(cell, epoch=10), now=50.0)
    assert state.left(now=60.0) == ""
    run.update(Progressed(cell, epoch=12, acc=0.5), now=150.0)

    assert state.left(now=150.0) == "0:06:40"


def test_a_run_lasts_as_long_as_its_slowest_cell(quickstart: Plan) -> None:
    """One cell ran through its epochs while another did one: what that needs is what is left."""
    ids = [cell.id for cell in quickstart.cells[:2]]
    run = run_progress(quickstart, ids, Path("results"))
    slow = run.cells[ids[1]]
    now = time.monotonic()
    for cell in ids:
        run.update(Started(cell), now=now - 100)
        run.update(Progressed(cell), now=now - 100)
    run.update(Ended(ids[0], status=CellStatus.OK), now=now)
    run.update(Progressed(ids[1], epoch=slow.epochs // 10, acc=0.5), now=now)

    assert run.left == slow.left(time.monotonic()) != ""


def test_a_cell_starts_before_it_runs(quickstart: Plan) -> None:
    """While its worker imports torch and reads data a cell says `starting`."""
    run = all_of(quickstart)
    cell, state = next(iter(run.cells.items()))
    run.update(Started(cell))
    assert state.status == "starting"
    run.update(Progressed(cell))
    assert state.status == "running"


def test_a_run_that_stops_has_no_time_left(quickstart: Plan) -> None:
    """What is left of it is told by the cells, not by a time that nobody works for."""
    run = run_progress(quickstart, [cell.id for cell in quickstart.cells], Path("results"))
    cell = next(iter(run.cells))
    now = time.monotonic()
    run.update(Started(cell), now=now - 100)
    run.update(Progressed(cell), now=now - 100)
    run.update(Progressed(cell, epoch=10, acc=0.5), now=now)
    assert " left" in run.headline
    run.update(Stopping(reason="waiting for 1 cell"))
    run.update(Ended(cell, status=CellStatus.INTERRUPTED))

    assert " left" not in run.headline


@pytest.mark.parametrize("width", [56, 80, 100])
def test_what_befalls_cells_can_be_read(quickstart: Plan, width: int) -> None:
    """Each state has its word in the table, and its count in the headline."""
    run = all_of(quickstart)
    view = TableView(run, console(width))
    ids = list(run.cells)
    for event in befallen(ids):
        run.update(event)
    text = text_of(view)

    assert max(map(len, text.splitlines())) <= width
    for word in ("interrupted", "elsewhere", "timeout", "out_of_memory", "retrying"):
        assert f"\n{word} " in text
    flat = " ".join(text.split())
    assert (
        "2/21 cells done, 1 timeout, 1 out_of_memory, 1 interrupted, 1 retrying, 1 elsewhere"
        in flat
    )


def befallen(ids: list[str]) -> list[Event]:
    return [
        *(Started(cell) for cell in ids[:4]),
        Ended(ids[0], status=CellStatus.INTERRUPTED, epoch=7),
        Ended(ids[1], status=CellStatus.TIMEOUT, reason="took longer than 1:00:00"),
        Ended(ids[2], status=CellStatus.OUT_OF_MEMORY, reason="out of memory"),
        Retrying(ids[3], status=CellStatus.FAILED, reason="RuntimeError: no; try 2 of 3 follows"),
        Elsewhere(ids[4], reason="far, process 7"),
    ]


@pytest.mark.parametrize("view", [LineView, TableView])
def test_failures_are_said_at_once_with_the_log(quickstart: Plan, view: type[LineView]) -> None:
    """What failed, is tried again or was taken over has its line, in pipes and on terminals."""
    run = all_of(quickstart)
    out = Console(file=io.StringIO(), width=300)
    ids = list(run.cells)
    hear = view(run, out)
    for event in befallen(ids):
        hear(event)
    hear(TakenOver(ids[5], reason="far, process 8"))
    hear(Noted(ids[6], reason="no checkpoint: the disk is full"))
    hear(Stopping(reason="waiting for 2 cells"))
    text = written(out)

    for n in (1, 2, 3):
        name, log = list(run.cells.values())[n].name, f"results/cells/.*__{ids[n]}/log.txt"
        assert re.search(f"{name}: .*log: {log}", text)
    assert "try 2 of 3 follows" in text
    assert "was of a run that died (far, process 8), and is ours now" in text
    assert re.search(f"no checkpoint: the disk is full; log: .*__{ids[6]}/log.txt", text)
    assert "stopping: waiting for 2 cells" in text


class Gone(io.StringIO):
    """A pipe that nobody reads."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError


def test_a_reader_that_went_away_ends_no_run(
    quickstart: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bench run | tee log` and Ctrl-C: tee is gone first, and the run goes on to checkpoint."""
    monkeypatch.setattr(Console, "on_broken_pipe", lambda _: sys.exit(1))  # all of it but dup2
    run = all_of(quickstart)
    with LineView(run, Console(file=Gone(), width=80)) as hear:
        for event in events(run):
            hear(event)

    assert run.count(CellStatus.OK, CellStatus.FAILED) == 2
