"""What `bench run` shows, at any width, and what it says where there is no terminal."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from bench.crossing import plan
from bench.live import Board, Plain, Terminal, counter
from bench.plan import Plan
from bench.worker import Event


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


def events(board: Board) -> list[Event]:
    """Three cells that train, end and fail."""
    ids = list(board.states)
    return [
        *(Event(cell, "start") for cell in ids[:3]),
        Event(ids[0], "progress", epoch=3, fraction=0.5, acc=0.5, images_per_s=1234.0),
        Event(ids[1], "end", status="ok", acc=0.75),
        Event(ids[2], "progress", epoch=2, fraction=0.0, acc=0.1),
        Event(ids[2], "end", status="failed", reason="RuntimeError: no"),
    ]


@pytest.mark.parametrize("width", [56, 64, 80, 100, 160])
def test_every_state_can_be_read(quickstart: Plan, width: int) -> None:
    """Name, state, epoch and accuracy are whole at any width."""
    board = Board(quickstart, [cell.id for cell in quickstart.cells])
    view = Terminal(board, console(width))
    for event in events(board):
        board.hear(event)
    board.states[next(iter(board.states))].started -= 1000
    text = text_of(view)

    assert re.search(r" 1:18:[0-5]\d| 1:1\d:\d\d", text)
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
    board = Board(quickstart, [cell.id for cell in quickstart.cells])
    view = Terminal(board, console(100, height=14))
    for event in events(board):
        board.hear(event)
    text = text_of(view)

    assert len(text.splitlines()) <= 14
    assert "running" in text
    assert "failed" in text
    assert "… and 14 more: 1 ok, 13 waiting" in text


def test_plain_lines(quickstart: Plan) -> None:
    """Without a terminal each cell that ends has one line, with the reason of a failure."""
    board = Board(quickstart, [cell.id for cell in quickstart.cells])
    out = Console(file=io.StringIO(), width=40)
    with Plain(board, out) as hear:
        for event in events(board):
            hear(event)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]

    assert len(lines) == 2
    assert lines[0].startswith("[1/21] dsq seed 0: ok, acc 75.00 %")
    assert lines[1].startswith("[2/21] ede seed 0: failed, acc 10.00 %, RuntimeError")


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
