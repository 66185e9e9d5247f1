"""
The formats of a board; a module of this package writes each.

Modules are imported when they write: the names alone are what a command's `--help` needs.
"""

from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from bench.leaderboard.board import Board
    from bench.leaderboard.tables.choice import TableChoice

Write: TypeAlias = "Callable[[Board, TableChoice], str]"


class TableFormat(StrEnum):
    """
    How a board is printed, by the word that `--format` takes.

    To add a format is to add a name, and a module that is called like it and has a `write`.
    """

    TERMINAL = "rich"  # as wide as the terminal, in colours; it alone is no file
    MARKDOWN = "md"
    LATEX = "tex"
    HTML = "html"
    CSV = "csv"
    JSON = "json"

    @property
    def write(self) -> Write:
        """What turns a board into a file of this format."""
        return import_module(f"{__package__}.{self.name.lower()}").write


FILES = tuple(form for form in TableFormat if form is not TableFormat.TERMINAL)
KEPT = (TableFormat.MARKDOWN, TableFormat.CSV, TableFormat.JSON)  # a run writes leaderboard.NAME
