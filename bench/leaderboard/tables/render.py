"""A board printed in the format that a command asks for."""

from typing import TYPE_CHECKING

from rich.console import Console

from bench.leaderboard.board import Board
from bench.leaderboard.tables import csv, terminal
from bench.leaderboard.tables.formats import TableFormat

if TYPE_CHECKING:  # no format of a file needs it
    import pandas as pd


def render(board: Board, form: str, console: Console, style: str = "") -> None:
    """
    Print the board; all but a terminal's goes out as it is, for pipes.

    Args:
        form: a word of `TableFormat`.
        style: `paper:table3` and the like; the board's own layout if empty.

    Raises:
        UsageError: no such style, or none for this format or board.
    """
    if form == TableFormat.TERMINAL:
        console.print(terminal.table(board, console.width, style), crop=console.is_terminal)
    else:
        console.file.write(text(board, form, style))


def text(board: Board, form: str, style: str = "") -> str:
    """
    The board as a file of its format holds it.

    Raises:
        UsageError: as `render`.
    """
    return TableFormat(form).write(board, style)


def frame(board: Board) -> "pd.DataFrame":
    """Return a line for each row, in the tables' order; columns are those of CSV."""
    import pandas as pd

    return pd.DataFrame([csv.flat(row) for row in board.rows])
