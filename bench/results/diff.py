"""
What differs between two cells, or between two results folders.

Two cells may be compared if nothing but the estimator and the seed differs. What else differs is
named, and then their accuracies say nothing about the estimators.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from bench.errors import UsageError
from bench.results import cell_folders, store, weight_files
from bench.results.cell_folders import CellFolder
from bench.results.record import Receipt, Record
from bench.results.record_diff import (
    FieldDifference,
    describe_result,
    diff_records,
    first_differing_step,
)
from bench.spec.cell import Cell

MAY_DIFFER = {"weights", "activations", "seed", "start", "teacher"}
CAUSES = {"device", "threads", "compiled", "versions.torch", "versions.python", "commit", "dirty"}


@dataclass(frozen=True)
class CellDiff:
    """Two cells side by side."""

    a: str
    b: str
    same_cell: bool
    obstacles: list[str]  # why they cannot be compared; empty: they can
    cell: list[FieldDifference]
    made_on: list[FieldDifference]
    outcome: list[FieldDifference]
    causes: list[str] = field(default_factory=list[str])  # why bits may differ in one cell

    @property
    def agree(self) -> bool:
        """Is there nothing amiss: comparable, and the same bits if it is the same cell?"""
        return not self.obstacles and not (self.same_cell and self.parted)

    @property
    def parted(self) -> bool:
        """Did they come to other outcomes?"""
        return bool(self.outcome)


@dataclass(frozen=True)
class CellPair:
    """One cell, in both folders."""

    name: str
    a: str
    b: str
    differ: list[str]


@dataclass(frozen=True)
class FolderDiff:
    """Two results folders side by side; every cell is in one list."""

    a: str
    b: str
    only_a: list[str]
    only_b: list[str]
    same: list[str]
    other: list[CellPair]  # measured in both, not the same bits
    states: list[CellPair]  # not measured in one of them
    code: list[CellPair]  # the same training by other code or on other data, so another cell
    damaged: list[str]  # weights files that are not what their record says

    @property
    def agree(self) -> bool:
        alone = self.only_a or self.only_b
        return not (alone or self.other or self.states or self.code or self.damaged)


def diff_targets(a: str, b: str, root: Path) -> CellDiff | FolderDiff:
    """
    Compare two results folders, or two cells: names in `root`, cell folders or record files.

    Raises:
        UsageError: one of them does not exist or cannot be read, or they are of two kinds.
    """
    if is_results_folder(a) and is_results_folder(b):
        return diff_folders(Path(a), Path(b))
    for one, other in ((a, b), (b, a)):
        if is_results_folder(one):
            message = f"`{one}` is a results folder, `{other}` is not: it has no folder `cells`"
            raise UsageError(message)
    return diff_cells(_record(a, root), _record(b, root))


def is_results_folder(text: str) -> bool:
    """Is this the path of a results folder?"""
    return (Path(text) / "cells").is_dir()


def _record(text: str, root: Path) -> Record:
    """The record that a path or a name stands for."""
    path = Path(text)
    file = path / "record.json" if path.is_dir() else path
    if file.is_file():
        return store.read_record(file)
    if path.exists() and ("/" in text or not (root / "cells").is_dir()):
        message = f"`{text}` is no results folder and no cell's: no `cells`, no record.json in it"
        raise UsageError(message)
    cell = cell_folders.find_folder(root, text)
    if cell.record is None:
        message = f"`{cell.home}`: {cell.problem}; there is nothing to compare"
        raise UsageError(message)
    return cell.record


def diff_cells(a: Record, b: Record) -> CellDiff:
    """Two records, field by field."""
    of_cell = _between(a.cell.model_dump(mode="json"), b.cell.model_dump(mode="json"))
    made = _between(_made(a), _made(b))
    same = a.cell.id == b.cell.id
    outcome = _accuracies(a, b) + diff_records(a, b)
    return CellDiff(
        a=a.cell.slug,
        b=b.cell.slug,
        same_cell=same,
        obstacles=[] if same else _obstacles(a.cell, b.cell, of_cell),
        cell=of_cell,
        made_on=made + _receipts(a.receipt, b.receipt),
        outcome=outcome,
        causes=_causes(made, a.receipt, b.receipt) if same and outcome else [],
    )


def _made(record: Record) -> dict[str, str]:
    """What the processes that trained say of themselves; of several, one after the other."""
    processes = [_flat(p.model_dump(mode="json")) for p in (*record.earlier, record.provenance)]
    names = dict.fromkeys(name for process in processes for name in process)
    return {
        name: ", then ".join(dict.fromkeys(_show(p.get(name)) for p in processes)) for name in names
    }


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """`{"recipe": {"lr": 0.1}}` as `{"recipe.lr": 0.1}`."""
    if not _mapping(value):
        return {name: value}
    named = {f"{name}.{key}" if name else key: inner for key, inner in value.items()}
    return {k: v for key, inner in named.items() for k, v in _flat(inner, key).items()}


def _mapping(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _between(a: dict[str, Any], b: dict[str, Any]) -> list[FieldDifference]:
    """What differs between two mappings, by dotted name."""
    ours, theirs = _flat(a), _flat(b)
    return [
        FieldDifference(name, _show(ours.get(name)), _show(theirs.get(name)))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) != theirs.get(name)
    ]


def _show(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _obstacles(a: Cell, b: Cell, differences: list[FieldDifference]) -> list[str]:
    """What differs beside estimator and seed, one phrase each."""
    names = {difference.name for difference in differences}
    obstacles = [FieldDifference("W/A", a.wa, b.wa)] if a.wa != b.wa else []
    for difference in differences:
        head, _, rest = difference.name.partition(".")
        other = f"{head}.name" in names and rest != "name"  # another one: its fields say no more
        if head not in MAY_DIFFER and not other:
            obstacles.append(FieldDifference(_word(head, rest), difference.a, difference.b))
    return [str(difference) for difference in obstacles]


def _word(head: str, rest: str) -> str:
    """`data`, `epochs`, `backbone width`: a field's name as people say it."""
    if head in {"core", "numerics"}:
        return f"numeric core{f' {rest}' * bool(rest)}"
    if head in {"recipe", "binarization"}:
        return rest
    return head if rest == "name" else f"{head} {rest.removeprefix('params.')}"


def _accuracies(a: Record, b: Record) -> list[FieldDifference]:
    """The two accuracies, where they differ."""
    differences: list[FieldDifference] = []
    for name, x, y in (
        ("last accuracy", a.last_acc, b.last_acc),
        ("best accuracy", a.best_acc, b.best_acc),
    ):
        if x != y:
            words = ["-" if v is None else f"{100 * v:.2f} %" for v in (x, y)]
            differences.append(FieldDifference(name, *words))
    return differences


def _receipts(a: Receipt | None, b: Receipt | None) -> list[FieldDifference]:
    """Where the two machines' short trainings part."""
    differences: list[FieldDifference] = []
    for name, x, y in (
        ("receipt", *("none" if r is None else "made" for r in (a, b))),
        ("receipt, machine", *("" if r is None else r.environment for r in (a, b))),
        ("receipt, repeated alike", *("" if r is None else _repeats(r) for r in (a, b))),
    ):
        if x != y and x and y:
            differences.append(FieldDifference(name, x, y))
    if a and b and (step := first_differing_step(a.steps, b.steps)) is not None:
        pair = (r.steps[step][:12] if step < len(r.steps) else "-" for r in (a, b))
        differences.append(FieldDifference(f"receipt, step {step}", *pair))
    return differences


def _repeats(receipt: Receipt) -> str:
    step = receipt.first_difference
    return "yes" if step is None else f"no, from step {step}"


def _causes(made: list[FieldDifference], a: Receipt | None, b: Receipt | None) -> list[str]:
    """Why one cell may have come to other bits."""
    causes = [str(difference) for difference in made if difference.name in CAUSES]
    for which, receipt in (("first", a), ("second", b)):
        if receipt and receipt.first_difference is not None:
            step = receipt.first_difference
            causes.append(f"the {which} machine did not repeat itself, from step {step}")
    if a and b and (step := first_differing_step(a.steps, b.steps)) is not None:
        causes.append(
            f"the two machines' receipts differ from step {step}: they compute differently"
        )
    elif a and b:
        causes.append("the receipts agree, so the machines compute alike")
    elif made:
        causes.append("no receipt from both, so nothing says whether the machines compute alike")
    return causes or [
        "nothing recorded says why; `bench verify` tells whether the files are intact"
    ]


def diff_folders(a: Path, b: Path) -> FolderDiff:
    """Two results folders, cell by cell."""
    ours, theirs = (
        {cell.slug: cell for cell in cell_folders.read_folders(root)} for root in (a, b)
    )
    code = _by_other_code(ours, theirs)
    paired = {name for pair in code for name in (pair.a, pair.b)}
    folder_diff = FolderDiff(
        a=str(a),
        b=str(b),
        only_a=[name for name in ours if name not in theirs and name not in paired],
        only_b=[name for name in theirs if name not in ours and name not in paired],
        same=[],
        other=[],
        states=[],
        code=code,
        damaged=[*_damaged(a, ours), *_damaged(b, theirs)],
    )
    for name in (name for name in ours if name in theirs):
        _sort(name, ours[name], theirs[name], folder_diff)
    return folder_diff


def _damaged(root: Path, cells: dict[str, CellFolder]) -> Iterator[str]:
    """What is wrong with weights files of a results folder, a line each."""
    for slug, cell in cells.items():
        yield from (
            f"{root}: {slug}: {why}"
            for why in weight_files.check_weight_files(cell).values()
            if why
        )


def _sort(name: str, ours: CellFolder, theirs: CellFolder, folder_diff: FolderDiff) -> None:
    """Put a cell that both have into its list."""
    a, b = ours.record, theirs.record
    if a and b and a.measured and b.measured:
        parted = diff_records(a, b)
        if parted:
            names = [difference.name for difference in parted]
            folder_diff.other.append(CellPair(name, describe_result(a), describe_result(b), names))
            return
    elif ours.state != theirs.state:
        x, y = (describe_result(k.record) if k.record else k.problem for k in (ours, theirs))
        folder_diff.states.append(CellPair(name, x, y, []))
        return
    folder_diff.same.append(name)


def _by_other_code(ours: dict[str, CellFolder], theirs: dict[str, CellFolder]) -> list[CellPair]:
    """Cells that differ in code or data alone: one of them is stale."""
    cells = [[k.record.cell for k in x.values() if k.record] for x in (ours, theirs)]
    known = {cell.key: cell for cell in cells[1] if cell.slug not in ours}
    pairs: list[CellPair] = []
    for cell in (cell for cell in cells[0] if cell.slug not in theirs):
        if other := known.get(cell.key):
            parted = _between(cell.model_dump(mode="json"), other.model_dump(mode="json"))
            pairs.append(CellPair("same training", cell.slug, other.slug, [d.name for d in parted]))
    return pairs
