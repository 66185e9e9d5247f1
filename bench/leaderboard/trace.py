"""
From a number in a leaderboard to what made it: cells, records, commands, machines, files.

A row's number is the mean of a column of its seeds; each seed is a cell; a cell's trail names
every file that it left and every process that worked on it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bench.base.text import suggest
from bench.errors import UsageError
from bench.leaderboard.board import MeasuredRow
from bench.leaderboard.cell_trace import CellTrace, Mentions, trace_cell
from bench.leaderboard.columns.column import SeedRecords
from bench.leaderboard.columns.selection import traced
from bench.leaderboard.measured_rows import choices, key
from bench.leaderboard.ranking import rank
from bench.leaderboard.saved import name_of
from bench.leaderboard.yardsticks import Yardsticks
from bench.results import cell_folders, cell_state, store
from bench.results.record import Record
from bench.spec.cell import Cell, Role
from bench.spec.choices import Definition
from bench.spec.plan import FULL_PRECISION, Plan, RoleInfo, Row

Values: TypeAlias = dict[str, float]
OVERRIDE = re.compile(r"[A-Za-z_][\w.-]*=.*")


@dataclass(frozen=True)
class SeedTrace:
    """What one cell gives to the numbers of its row."""

    seed: int
    cell: str
    state: str
    values: Values  # by the keys of columns; what is absent enters no mean


@dataclass(frozen=True)
class RowTrace:
    """A row of a table: its numbers, what they are means of, and the cells."""

    suite: str
    row: MeasuredRow
    definition: Definition  # of e and s
    table: str  # the folder of plan and table
    source: str  # the suite file
    seeds: list[SeedTrace]
    baseline: list[SeedTrace]  # what the difference is taken to
    held_out: list[SeedTrace]  # what tuning chose by
    classes: int  # of the data: with ten, the table leaves top-5 out
    sample: Cell  # one of its cells
    roles: dict[Role, RoleInfo]  # what is said of its estimators
    cells: list[CellTrace]


def trace_target(
    target: str,
    words: list[str],
    root: Path,
    definition: Definition | None = None,
    *,
    stale: bool = False,
) -> list[RowTrace] | CellTrace:
    """
    The rows of a kept suite that all `words` fit, or else what there is of one cell.

    Words that are overrides are part of the suite's name, as for `bench leaderboard`.

    Args:
        stale: rows are those of a table that has stale records, too.

    Raises:
        UsageError: there is no such suite, row or cell.
    """
    plan, rest = _plan(target, words, root)
    if plan is None:
        if words:
            known = ", ".join(cell_folders.list_suites(root)) or "none"
            message = f"no suite `{target}` ran in `{root}`; there: {known}"
            raise UsageError(message)
        folder = cell_folders.find_folder(root, target)
        return trace_cell(folder, Mentions(root, cell_folders.read_plans(root)))
    return SuiteTrace(plan, root, definition or plan.equilibrium, stale=stale).fitting(rest)


def _plan(target: str, words: list[str], root: Path) -> tuple[Plan | None, list[str]]:
    """The plan that was kept under this name, and the words that are not part of the name."""
    overrides = [word for word in words if OVERRIDE.fullmatch(word)]
    others = [word for word in words if word not in overrides]
    for name, rest in ((name_of(root, Path(target), overrides), others), (target, words)):
        if cell_folders.is_suite(root, name):
            return store.find_plan(root, name), rest
    return None, words


class FolderTrace:
    """What the suites of a results folder share, so that each of its records is read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plans = cell_folders.read_plans(root)
        self.states = cell_state.CellStates(root, ())
        self.mentions = Mentions(root, self.plans)


class SuiteTrace:
    """
    The rows of one kept suite, its board, and the records that they are made of.

    Args:
        shared: of the folder, where several of its suites are read.
    """

    def __init__(
        self,
        plan: Plan,
        root: Path,
        definition: Definition,
        *,
        stale: bool,
        shared: FolderTrace | None = None,
    ) -> None:
        self.plan, self.root = plan, root
        self.definition: Definition = definition
        known = shared.states if shared else None
        states, self.notes = cell_state.read_saved_states(root, plan, known)
        records = states.records(stale=stale)
        self.states = states.by_id
        self.known = {record.cell.id: record for record in records}
        self.chosen = choices(plan, self.known)
        self.board = rank(plan, records, definition, states.stale, self.notes)
        self.yardsticks = Yardsticks(plan)
        self.planned = {key(row): row for row in reversed(plan.rows)}
        self.mentions = shared.mentions if shared else FolderTrace(root).mentions

    def fitting(self, words: list[str]) -> list[RowTrace]:
        """
        The rows that have every word as a name: label, backbone, W/A, schedule, `tuned`.

        Raises:
            UsageError: none has.
        """
        rows = self.board.measured
        names = [name for row in rows for name in names_of(row)]
        for word in words:
            if word not in names:
                message = f"no row of `{self.plan.suite}` is called `{word}`"
                raise UsageError(message + suggest(word, dict.fromkeys(names)))
        fitting = [row for row in rows if set(words) <= set(names_of(row))]
        if not fitting:
            message = f"no row of `{self.plan.suite}` is all of {', '.join(words)}"
            raise UsageError(message)
        return [self.row(row) for row in fitting]

    def row(self, row: MeasuredRow) -> RowTrace:
        """What stands behind a row of the board."""
        planned = self.planned[row.key]
        tuned = row.tuned is not None
        trial = self.chosen.get(row.key) if tuned else None
        cells = trial.cells if trial else planned.cells
        theirs = self._cells(self.yardsticks.baseline(planned), tuned=tuned)
        ste = self._cells(self.yardsticks.ste(planned), tuned=tuned)
        return RowTrace(
            suite=self.plan.suite,
            row=row,
            definition=self.definition,
            table=str(store.suite_path(self.root, self.plan.suite)),
            source=self.plan.source,
            seeds=[self._seed(cell, theirs, ste) for cell in cells],
            baseline=[self._seed(cell) for cell in theirs],
            held_out=[self._seed(c) for c in trial.held_out] if trial else [],
            classes=planned.classes,
            sample=cells[0],
            roles=(trial or planned).roles,
            cells=[self._cell(cell) for cell in cells],
        )

    def _cells(self, row: Row | None, *, tuned: bool) -> list[Cell]:
        """The cells of a row that another is compared with."""
        if row is None or not tuned:
            return row.cells if row else []
        trial = self.chosen.get(key(row))
        return trial.cells if trial else []

    def _on(self, seed: int, cells: Sequence[Cell]) -> Record | None:
        """The record of a seed."""
        return next((self.known.get(cell.id) for cell in cells if cell.seed == seed), None)

    def _seed(
        self, cell: Cell, baseline: Sequence[Cell] = (), ste: Sequence[Cell] = ()
    ) -> SeedTrace:
        record, state = self.known.get(cell.id), self.states[cell.id]
        stale = f"stale: {state.note}" if state.stale else ""
        if record is None:
            return SeedTrace(cell.seed, state.id, stale or state.note or "no record", {})
        theirs, timed = self._on(cell.seed, baseline), self._on(cell.seed, ste)
        values: Values = {}
        if record.status == "ok":
            values = _values(SeedRecords(record, theirs, timed, self.definition, self.known))
        return SeedTrace(cell.seed, state.id, stale or record.status, values)

    def _cell(self, cell: Cell) -> CellTrace:
        """What there is of a cell; a record that is known already is not read again."""
        state = self.states[cell.id]
        home = (
            store.find_cell_path(self.root, state.record.cell)
            if state.record
            else store.cell_path(self.root, cell)
        )
        if state.record and not state.damage:
            folder = cell_folders.CellFolder(home, state.record)
        else:
            folder = cell_folders.read_folder(home)
        return trace_cell(folder, self.mentions)


def names_of(row: MeasuredRow) -> list[str]:
    """What a row may be called by."""
    label = [FULL_PRECISION] if row.label == "none" else []
    tuned = "tuned" if row.tuned else "untuned"
    return [row.label, *label, row.backbone, row.wa, row.schedule, tuned]


def _values(seed: SeedRecords) -> Values:
    """What a seed gives to each column that is a mean over cells."""
    values = {column.key: column.of_seed(seed) for column in traced() if column.of_seed}
    return {name: value for name, value in values.items() if value is not None}
