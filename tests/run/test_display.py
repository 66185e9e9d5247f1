"""What `bench run` shows, at any width, and what it says where there is no terminal."""

import io
import re
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from bench.planning.planner import plan
from bench.run.display import Board, Plain, Terminal, board, counter, redraws, sparkline
from bench.run.worker import Event
from bench.spec.plan import Plan


@pytest.fixture(scope="module")
def quickstart() -> Plan:
    return plan(Path("quickstart"))


def console(width: int, height: int = 40) -> Console:
    return Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None
    )


def text_of(view: Terminal) -> str:
    with view.console.capture() as captured:
        view.console.print(view._draw())  # pyright: ignore[reportPrivateUsage]
    return captured.get()


def all_of(plan: Plan) -> Board:
    return board(plan, [cell.id for cell in plan.cells], Path("results"))


def events(board: Board) -> list[Event]:
    """Three cells that train, end and fail."""
    ids = list(board.states)
    return [
        *(Event(cell, "start") for cell in ids[:3]),
        Event(ids[0], "progress"),
        Event(ids[0], "progress", epoch=3, fraction=0.5, acc=0.5, images_per_s=1234.0),
        Event(ids[1], "end", status="ok", acc=0.75),
        Event(ids[2], "progress", epoch=2, fraction=0.0, acc=0.1),
        Event(ids[2], "end", status="failed", reason="RuntimeError: no"),
    ]


@pytest.mark.parametrize("width", [56, 64, 80, 100, 160])
def test_every_state_can_be_read(quickstart: Plan, width: int) -> None:
    """Name, state, epoch and accuracy are whole at any width."""
    states = all_of(quickstart)
    view = Terminal(states, console(width))
    for event in events(states):
        states.hear(event)
    first = next(iter(states.states.values()))
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
        "none seed 2",
    ):
        assert word in text
    assert "2/21 cells done, 1 failed" in text
    assert ("1,234" in text) == (width >= 80)


def test_a_short_terminal_counts_what_it_hides(quickstart: Plan) -> None:
    """Where not all cells have room, those in motion are shown and the others counted."""
    states = all_of(quickstart)
    view = Terminal(states, console(100, height=14))
    for event in events(states):
        states.hear(event)
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
    states = all_of(quickstart)
    for event in events(states):
        states.hear(event)
    text = text_of(Terminal(states, console(*size)))
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
    states = all_of(quickstart)
    cell = next(iter(states.states))
    states.hear(Event(cell, "progress", epoch=9, acc=0.9))
    states.hear(Event(cell, "start"))
    for epoch, acc in enumerate([0.1, 0.2, 0.8], start=1):
        states.hear(Event(cell, "progress", epoch=epoch, fraction=0.5))
        states.hear(Event(cell, "progress", epoch=epoch, acc=acc))
    states.hear(Event(cell, "end", status="ok", acc=0.8))
    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")

    assert "curve" in text_of(Terminal(states, console(80)))
    assert " ▁▂█ " in text_of(Terminal(states, console(80)))
    assert "curve" not in text_of(Terminal(states, Console(file=latin, width=80)))


def test_a_dumb_terminal_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cursor cannot move there is no table to redraw."""
    assert redraws(console(80))
    monkeypatch.setenv("TERM", "dumb")
    assert not redraws(console(80))


def test_plain_lines(quickstart: Plan) -> None:
    """Without a terminal each cell that ends has one line, with the reason of a failure."""
    states = all_of(quickstart)
    out = Console(file=io.StringIO(), width=40)
    with Plain(states, out) as hear:
        for event in events(states):
            hear(event)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]

    assert len(lines) == 2
    assert lines[0].startswith("[1/21] dsq seed 0: ok, acc 75.00 %")
    assert lines[1].startswith(
        "[2/21] ede seed 0: failed, acc 10.00 %, RuntimeError: no, log: results/"
    )


def test_files_are_counted() -> None:
    """One line that changes on a terminal; without one a line per tenth, the last one the total."""
    plain, terminal = Console(file=io.StringIO(), width=80), console(80)
    for place in (plain, terminal):
        with counter(place) as count:
            for n in range(1, 41):
                count(25 * n, 1000)
    lines = written(plain).splitlines()

    assert len(lines) == 10
    assert lines[-1] == "1,000 of 1,000 files decoded"
    assert "files decoded" in written(terminal)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_time_left_counts_from_where_a_cell_goes_on(quickstart: Plan) -> None:
    """Epochs of an earlier process took no time of this one: 2 in 100 s, so 8 in 400 s."""
    states = all_of(quickstart)
    cell, state = next(iter(states.states.items()))
    states.hear(Event(cell, "start"), now=0.0)
    states.hear(Event(cell, "progress", epoch=10), now=50.0)
    assert state.left(now=60.0) == ""
    states.hear(Event(cell, "progress", epoch=12, acc=0.5), now=150.0)

    assert state.left(now=150.0) == "0:06:40"


def test_a_run_lasts_as_long_as_its_slowest_cell(quickstart: Plan) -> None:
    """One cell ran through its epochs while another did one: what that needs is what is left."""
    ids = [cell.id for cell in quickstart.cells[:2]]
    states = board(quickstart, ids, Path("results"))
    slow = states.states[ids[1]]
    now = time.monotonic()
    for cell in ids:
        states.hear(Event(cell, "start"), now=now - 100)
        states.hear(Event(cell, "progress"), now=now - 100)
    states.hear(Event(ids[0], "end", status="ok"), now=now)
    states.hear(Event(ids[1], "progress", epoch=slow.epochs // 10, acc=0.5), now=now)

    assert states.left == slow.left(time.monotonic()) != ""


def test_a_cell_starts_before_it_runs(quickstart: Plan) -> None:
    """While its worker imports torch and reads data a cell says `starting`."""
    states = all_of(quickstart)
    cell, state = next(iter(states.states.items()))
    states.hear(Event(cell, "start"))
    assert state.state == "starting"
    states.hear(Event(cell, "progress"))
    assert state.state == "running"


def test_a_run_that_stops_has_no_time_left(quickstart: Plan) -> None:
    """What is left of it is told by the cells, not by a time that nobody works for."""
    states = board(quickstart, [cell.id for cell in quickstart.cells], Path("results"))
    cell = next(iter(states.states))
    now = time.monotonic()
    states.hear(Event(cell, "start"), now=now - 100)
    states.hear(Event(cell, "progress"), now=now - 100)
    states.hear(Event(cell, "progress", epoch=10, acc=0.5), now=now)
    assert " left" in states.headline
    states.hear(Event("", "stop", reason="waiting for 1 cell"))
    states.hear(Event(cell, "end", status="interrupted"))

    assert " left" not in states.headline


@pytest.mark.parametrize("width", [56, 80, 100])
def test_what_befalls_cells_can_be_read(quickstart: Plan, width: int) -> None:
    """Each state has its word in the table, and its count in the headline."""
    states = all_of(quickstart)
    view = Terminal(states, console(width))
    ids = list(states.states)
    for event in befallen(ids):
        states.hear(event)
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
        *(Event(cell, "start") for cell in ids[:4]),
        Event(ids[0], "end", status="interrupted", epoch=7),
        Event(ids[1], "end", status="timeout", reason="took longer than 1:00:00"),
        Event(ids[2], "end", status="out_of_memory", reason="out of memory"),
        Event(ids[3], "retry", status="failed", reason="RuntimeError: no; try 2 of 3 follows"),
        Event(ids[4], "elsewhere", reason="far, process 7"),
    ]


@pytest.mark.parametrize("view", [Plain, Terminal])
def test_failures_are_said_at_once_with_the_log(quickstart: Plan, view: type[Plain]) -> None:
    """What failed, is tried again or was taken over has its line, in pipes and on terminals."""
    states = all_of(quickstart)
    out = Console(file=io.StringIO(), width=300)
    ids = list(states.states)
    hear = view(states, out)
    for event in befallen(ids):
        hear(event)
    hear(Event(ids[5], "takeover", reason="far, process 8"))
    hear(Event(ids[6], "note", reason="no checkpoint: the disk is full"))
    hear(Event("", "stop", reason="waiting for 2 cells"))
    text = written(out)

    for n in (1, 2, 3):
        name, log = list(states.states.values())[n].name, f"results/cells/.*__{ids[n]}/log.txt"
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
    states = all_of(quickstart)
    with Plain(states, Console(file=Gone(), width=80)) as hear:
        for event in events(states):
            hear(event)

    assert states.count("ok", "failed") == 2
