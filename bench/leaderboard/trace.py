"""
From a number in a leaderboard to what made it: cells, records, commands, machines, files.

A row's number is the mean of a column of its seeds; each seed is a cell; a cell's trail names
every file that it left and every process that worked on it.
"""

import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bench.base.files import is_file
from bench.base.text import suggest
from bench.errors import UsageError
from bench.leaderboard import board, resources, tuning
from bench.leaderboard.board import Line
from bench.leaderboard.equilibrium import indicators
from bench.results import cell_folders, cell_state, store
from bench.results.cell_folders import CellFolder
from bench.results.record import Record
from bench.spec.cell import Cell, Role
from bench.spec.choices import Definition
from bench.spec.plan import Plan, RoleInfo, Row, name_of

Values: TypeAlias = dict[str, float]
MAIN = ("record.json", "log.txt", "last.safetensors", "best.safetensors")
OVERRIDE = re.compile(r"[A-Za-z_][\w.-]*=.*")
NUMBERS = {  # of a row: where a record holds what its mean is taken of
    "acc": "the last of `curves.test_acc`",
    "best": "the highest of it",
    "top5": "the last of `curves.test_top5`",
    "difference": "acc less the baseline's on the same seed",
    "e": "from `indicators`, the weights' layers",
    "s": "from `indicators`, the weights' layers",
    "images_per_s": "`images_per_s`",
    "step_ratio": "`images_per_s` of STE's cell of the seed over its own, their mean geometric",
    "peak_mib": "`peak_mib`, printed the highest",
    "energy_j": "`energy_j` of every process that trained",
}


@dataclass(frozen=True)
class Trail:
    """All that there is of one cell; paths are as they can be opened from here."""

    cell: str
    id: str
    state: str  # the record's status and reason, or why there is no record
    outcome: str
    seal: str
    record: str
    processes: list[dict[str, Any]]  # provenance of each that worked on it, the last one last
    receipt: dict[str, Any] | None
    digests: dict[str, str]  # of weights, data and plugins, as the record has them
    weights: dict[str, str]  # file → the digest that the record has of it
    log: str
    checkpoints: list[str]
    others: list[str]
    journals: dict[str, int]  # of runs → how many of its lines name the cell
    rows: list[str]  # where its numbers are printed, as `bench trace` takes them


@dataclass(frozen=True)
class Seed:
    """What one cell gives to the numbers of its row."""

    seed: int
    cell: str
    state: str
    values: Values  # by the names of NUMBERS; what is absent enters no mean


@dataclass(frozen=True)
class RowTrail:
    """A row of a table: its numbers, what they are means of, and the cells."""

    suite: str
    line: Line
    definition: Definition  # of e and s
    table: str  # the folder of plan and table
    source: str  # the suite file
    seeds: list[Seed]
    baseline: list[Seed]  # what the difference is taken to
    held_out: list[Seed]  # what tuning chose by
    classes: int  # of the data: with ten, the table leaves top-5 out
    sample: Cell  # one of its cells
    roles: dict[Role, RoleInfo]  # what is said of its estimators
    trails: list[Trail]


def trace(
    target: str,
    words: list[str],
    root: Path,
    definition: Definition | None = None,
    *,
    stale: bool = False,
) -> list[RowTrail] | Trail:
    """
    The rows of a kept suite that all `words` fit, or else one cell's trail.

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
        return trail(cell_folders.find_folder(root, target), root, cell_folders.read_plans(root))
    return Rows(plan, root, definition or plan.equilibrium, stale=stale).fitting(rest)


def _plan(target: str, words: list[str], root: Path) -> tuple[Plan | None, list[str]]:
    """The plan that was kept under this name, and the words that are not part of the name."""
    overrides = [word for word in words if OVERRIDE.fullmatch(word)]
    others = [word for word in words if word not in overrides]
    for name, rest in ((name_of(Path(target), overrides), others), (target, words)):
        if cell_folders.is_suite(root, name):
            return store.find_plan(root, name), rest
    return None, words


class Rows:
    """The rows of one kept suite, its board, and the records that they are made of."""

    def __init__(self, plan: Plan, root: Path, definition: Definition, *, stale: bool) -> None:
        self.plan, self.root = plan, root
        self.definition: Definition = definition
        standings, self.notes = cell_state.of_kept(root, plan)
        records = standings.records(stale=stale)
        self.standings = standings.of
        self.known = {record.cell.id: record for record in records}
        self.board = board.rank(plan, records, definition, standings.stale, self.notes)
        self.plans = cell_folders.read_plans(root)

    def fitting(self, words: list[str]) -> list[RowTrail]:
        """
        The rows that have every word as a name: label, backbone, W/A, schedule, `tuned`.

        Raises:
            UsageError: none has.
        """
        lines = [line for s in self.board.sections for line in s.lines if line.cells]
        names = [name for line in lines for name in names_of(line)]
        for word in words:
            if word not in names:
                message = f"no row of `{self.plan.suite}` is called `{word}`"
                raise UsageError(message + suggest(word, dict.fromkeys(names)))
        found = [line for line in lines if set(words) <= set(names_of(line))]
        if not found:
            message = f"no row of `{self.plan.suite}` is all of {', '.join(words)}"
            raise UsageError(message)
        return [self.row(line) for line in found]

    def row(self, line: Line) -> RowTrail:
        """What stands behind a line of the board that has cells."""
        row = next(row for row in self.plan.rows if _is(row, line))
        trial = tuning.chosen(row, self.known) if line.chosen else None
        cells = trial.cells if trial else row.cells
        tuned = trial is not None
        theirs = self._cells(board.baseline(self.plan, row), tuned=tuned)
        ste = self._cells(board.yardstick(self.plan, row), tuned=tuned)
        return RowTrail(
            suite=self.plan.suite,
            line=line,
            definition=self.definition,
            table=str(store.suite_path(self.root, self.plan.suite)),
            source=self.plan.source,
            seeds=[self._seed(cell, theirs, ste) for cell in cells],
            baseline=[self._seed(cell) for cell in theirs],
            held_out=[self._seed(c) for c in trial.held_out] if trial else [],
            classes=row.classes,
            sample=cells[0],
            roles=(trial or row).roles,
            trails=[self.trail(cell) for cell in cells],
        )

    def _cells(self, row: Row | None, *, tuned: bool) -> list[Cell]:
        """The cells of a row that another is compared with."""
        if row is None or not tuned:
            return row.cells if row else []
        trial = tuning.chosen(row, self.known)
        return trial.cells if trial else []

    def _on(self, seed: int, cells: Sequence[Cell]) -> Record | None:
        """The record of a seed."""
        return next((self.known.get(cell.id) for cell in cells if cell.seed == seed), None)

    def _seed(self, cell: Cell, baseline: Sequence[Cell] = (), ste: Sequence[Cell] = ()) -> Seed:
        record, found = self.known.get(cell.id), self.standings[cell.id]
        stale = f"stale: {found.note}" if found.stale else ""
        if record is None:
            return Seed(cell.seed, found.id, stale or found.note or "no record", {})
        theirs, timed = self._on(cell.seed, baseline), self._on(cell.seed, ste)
        values = _values(record, theirs, timed, self.definition) if record.status == "ok" else {}
        return Seed(cell.seed, found.id, stale or record.status, values)

    def trail(self, cell: Cell) -> Trail:
        record = self.standings[cell.id].record
        home = store.find_cell_path(self.root, record.cell if record else cell)
        folder = CellFolder(home, record) if record else cell_folders.read_folder(home)
        return trail(folder, self.root, self.plans)


def _is(row: Row, line: Line) -> bool:
    one = (row.label, row.backbone, row.wa, row.schedule)
    return one == (line.label, line.backbone, line.wa, line.schedule)


def names_of(line: Line) -> list[str]:
    """What a row may be called by."""
    label = ["full precision"] if line.label == "none" else []
    tuned = "tuned" if line.chosen else "untuned"
    return [line.label, *label, line.backbone, line.wa, line.schedule, tuned]


def _values(
    record: Record, baseline: Record | None, ste: Record | None, definition: Definition
) -> Values:
    pair = indicators(record, definition) or (None, None)
    ours, theirs = record.last_acc, baseline.last_acc if baseline else None
    found = (
        *(ours, record.best_acc, record.last_top5),
        *(None if ours is None or theirs is None else ours - theirs, *pair),
        record.images_per_s or None,
        resources.step_ratio(record, ste) if ste else None,
        *(record.peak_mib or None, resources.energy_j(record)),
    )
    return {name: value for name, value in zip(NUMBERS, found, strict=True) if value is not None}


def trail(kept: CellFolder, root: Path, plans: list[Plan]) -> Trail:
    """Everything that a results folder holds of one cell."""
    record, home = kept.record, kept.home
    made = [*record.earlier, record.provenance] if record else []
    digests = (record.weights_digest, record.best_digest) if record else ("", "")
    weights = zip(("last.safetensors", "best.safetensors"), digests, strict=True)
    there = sorted(str(p) for p in home.rglob("*") if p.is_file()) if home.is_dir() else []
    checkpoints = [path for path in there if path.startswith(f"{home / 'checkpoints'}/")]
    main = {str(home / name) for name in MAIN}
    cell_id = home.name.rpartition("__")[2]
    reason = f": {record.reason}" if record and record.reason else ""
    return Trail(
        cell=home.name,
        id=cell_id,
        state=kept.state + reason,
        outcome=_outcome(record) if record else "",
        seal=cell_folders.describe_seal(record) if record else "",
        record=_there(home / "record.json"),
        processes=[process.model_dump(mode="json") for process in made],
        receipt=record.receipt.model_dump(mode="json") if record and record.receipt else None,
        digests=_digests(record) if record else {},
        weights={str(home / n): digest for n, digest in weights if (home / n).is_file()},
        log=_there(home / "log.txt"),
        checkpoints=checkpoints,
        others=[path for path in there if path not in {*main, *checkpoints}],
        journals=_journals(root, cell_id),
        rows=_printed(plans, cell_id),
    )


def _digests(record: Record) -> dict[str, str]:
    """By what they are of; those that an older record lacks are left out."""
    cell = record.cell
    plugins = {ref.name: ref.source for ref in (cell.weights, cell.activations) if ref}
    found = {
        "last weights": record.weights_digest,
        "best weights": record.best_digest,
        "data": cell.data.fingerprint,
        **plugins,
        cell.backbone.name: cell.backbone.source,
    }
    return {name: digest for name, digest in found.items() if digest}


def _there(path: Path) -> str:
    return str(path) if path.is_file() else ""


def _outcome(record: Record) -> str:
    """Accuracy and its epochs, in words."""
    curve = record.curves.get("test_acc") or []
    if not curve:
        return ""
    best = max(curve)
    return (
        f"test accuracy {100 * curve[-1]:.2f} % after epoch {len(curve)}, "
        f"best {100 * best:.2f} % after epoch {curve.index(best) + 1}"
    )


def _journals(root: Path, cell_id: str) -> dict[str, int]:
    """The journals of runs that name a cell."""
    found: dict[str, int] = {}
    for path in sorted((root / "events").glob("*.jsonl")):
        if not is_file(path):  # a pipe would be waited for
            continue
        with suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
            if count := sum(cell_id in line for line in lines):
                found[str(path)] = count
    return found


def _printed(plans: list[Plan], cell_id: str) -> list[str]:
    """The rows of kept suites whose numbers a cell enters."""
    return list(
        dict.fromkeys(
            shlex.join([plan.suite, row.label, row.backbone, row.wa]) + f" ({part})" * bool(part)
            for plan in plans
            for row, part, cell in plan.every()
            if cell.id == cell_id
        )
    )
