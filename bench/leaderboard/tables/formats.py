"""
The formats of a board by their names; a module of this package writes each.

Modules are imported when they write: the names alone are what a command's `--help` needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from bench.leaderboard.board import Board

TERMINAL = "rich"  # as wide as the terminal, in colours; all others are files
Write: TypeAlias = "Callable[[Board, str], str]"  # a board, and a style or ""


@dataclass(frozen=True)
class Format:
    """How a board becomes a file."""

    module: str  # whose `write` makes it
    kept: bool = False  # does a run write it beside its plan, as leaderboard.NAME?

    @property
    def write(self) -> Write:
        return import_module(f"{__package__}.{self.module}").write


FORMATS: dict[str, Format] = {
    "md": Format("markdown", kept=True),
    "tex": Format("latex"),
    "html": Format("html"),
    "csv": Format("csv", kept=True),
    "json": Format("json", kept=True),
}
NAMES = (TERMINAL, *FORMATS)  # what `--format` takes
