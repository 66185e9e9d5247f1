"""A board as `bench run` leaves it on the screen."""

import io

import pytest
from rich.console import Console
from samples import board_of_four

from bench.leaderboard.tables.formats import TableFormat
from bench.leaderboard.tables.render import render, render_short


def printed(*, terminal: bool, width: int = 110) -> str:
    """What is left of a board of four rows."""
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, no_color=True)
    render_short(board_of_four(), console, "more: bench leaderboard s")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 110])
def test_a_terminal_has_what_a_screen_holds(width: int) -> None:
    """Answers, ranks, accuracy and seeds, and where the rest is; no legend."""
    text = printed(terminal=True, width=width)

    assert "acc, %" in text
    assert "images/s" not in text
    assert len(text.splitlines()) < 24
    assert text.rstrip().splitlines()[-1].endswith("more: bench leaderboard s\x1b[0m")


def test_a_pipe_has_the_whole_board() -> None:
    """As `bench leaderboard` prints it."""
    console = Console(file=io.StringIO(), width=110)
    render(board_of_four(), TableFormat.TERMINAL, console)

    assert isinstance(console.file, io.StringIO)
    assert printed(terminal=False) == console.file.getvalue()
