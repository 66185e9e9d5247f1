"""The leaderboard of a suite that ran: `bench.board`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.api.arguments import Overrides, spell_overrides
from bench.api.recorded_cells import RecordList
from bench.leaderboard import cell_table, saved
from bench.leaderboard.board import Board
from bench.leaderboard.tables import render
from bench.leaderboard.tables.choice import TablePart
from bench.results.cell_state import read_saved_states
from bench.spec.choices import Correction, Definition
from bench.spec.plan import Plan

if TYPE_CHECKING:  # it is imported where a frame is made
    import pandas as pd


@dataclass(frozen=True, repr=False)
class SuiteBoard:
    """
    A suite's ranked tables, and the cells that they are made of.

    Attributes:
        plan: what was to run.
        board: sections of rows that may be compared, and what must be said with them.
        results: the results folder.
        warnings: those of the notes that are of the folder's state, as of records that are stale.
    """

    plan: Plan
    board: Board
    results: Path
    warnings: list[str]

    @property
    def complete(self) -> bool:
        """Has every cell of the suite a measurement that is used?"""
        return self.board.recorded == self.board.total

    @property
    def notes(self) -> list[str]:
        """What must be said with the numbers."""
        return self.board.notes

    def frame(self) -> "pd.DataFrame":
        """Return a line for each row, in the tables' order; columns are those of `--format csv`."""
        return render.frame(self.board)

    def cells(self) -> "pd.DataFrame":
        """Return a line for each cell of the suite, as `bench.cells` does."""
        return cell_table.tabulate(self._lines)

    def records(self) -> RecordList:
        """Return the records of the suite's cells, with their curves and indicators."""
        return RecordList(self._lines)

    def text(
        self,
        form: str = "md",
        style: str = "",
        columns: Iterable[str] = (),
        part: TablePart | Literal[""] = "",
    ) -> str:
        """
        Return the tables as text.

        Args:
            form: md, tex, html, csv or json, as `bench leaderboard --format` has it.
            style: of a paper's table, as in `paper:table3`; empty: the board's own.
            columns: keys of columns, as in `["acc", "n"]`; none: the format's own.
            part: of LaTeX macros, table or notes; empty: all.

        Raises:
            UsageError: no such format, style or column, or none for this board or format.
        """
        return render.text(self.board, form, style, columns, part)

    @property
    def _lines(self) -> list[cell_table.CellLine]:
        states = read_saved_states(self.results, self.plan)[0].by_id
        return [*cell_table.plan_lines(self.plan, states, self.plan.equilibrium)]

    def __repr__(self) -> str:
        told = f"{self.board.recorded} of {self.board.total} cells recorded"
        return f"<board of {self.board.suite}: {len(self.board.rows)} rows, {told}>"

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return self.text("md")


def board(
    suite: str | Path,
    overrides: Overrides = (),
    *,
    results: str | Path = "results",
    equilibrium: Definition | None = None,
    correction: Correction = "holm",
    allow_stale: bool = False,
) -> SuiteBoard:
    """
    Rebuild a suite's leaderboard from what ran, as `bench leaderboard` does; no torch is needed.

    Args:
        suite: its file, or the name of a suite that ran.
        overrides: that it ran with.
        results: the results folder.
        equilibrium: which e and s, `paper`, `code` or `scale_free`; None: the suite's own.
        correction: of the tests between rows, `holm` or `fdr`.
        allow_stale: use records that other code made, marked, where there are no others.

    Raises:
        UsageError: the suite never ran here, or its plan cannot be read.
    """
    root = Path(results)
    name = saved.name_of(root, Path(suite), spell_overrides(overrides))
    plan, ranked, warnings = saved.board(root, name, equilibrium, correction, stale=allow_stale)
    return SuiteBoard(plan, ranked, root, warnings)
