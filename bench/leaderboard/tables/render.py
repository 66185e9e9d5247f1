"""A board printed in the format that a command asks for."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from bench.leaderboard.board import Board
from bench.leaderboard.tables import csv, terminal
from bench.leaderboard.tables.choice import TableChoice, TablePart
from bench.leaderboard.tables.formats import TableFormat

if TYPE_CHECKING:  # no format of a file needs it
    import pandas as pd


def render(board: Board, form: str, console: Console, choice: TableChoice | None = None) -> None:
    """
    Print the board; all but a terminal's goes out as it is, for pipes.

    Args:
        form: a word of `TableFormat`.
        choice: style, columns and part; the format's own layout if None.

    Raises:
        UsageError: no such style or column, or none for this format or board.
    """
    choice = choice or TableChoice()
    if form == TableFormat.TERMINAL:
        choice.refuse("rich", "part")
        console.print(terminal.table(board, console.width, choice), crop=console.is_terminal)
    else:
        console.file.write(TableFormat(form).write(board, choice))


def render_short(board: Board, console: Console, more: str) -> None:
    """Print what a screen of a terminal has room for, elsewhere all; `more` names the rest."""
    if console.is_terminal:
        console.print(terminal.short(board, console.width, more))
    else:
        render(board, TableFormat.TERMINAL, console)


def text(
    board: Board,
    form: str,
    style: str = "",
    columns: Iterable[str] = (),
    part: TablePart | Literal[""] = "",
) -> str:
    """
    The board as a file of its format holds it; style, columns and part as `TableChoice` has them.

    Raises:
        UsageError: as `render`.
    """
    return TableFormat(form).write(board, TableChoice(style, tuple(columns), part))


def frame(board: Board) -> "pd.DataFrame":
    """Return a line for each row, in the tables' order; columns are those of CSV."""
    import pandas as pd

    return pd.DataFrame([csv.flat(row) for row in board.rows])
