"""
What a job sends home from a node that sees no results folder: checkpoints on the way, then records.

An archive is read as one for `bench merge` is: it may say anything. But its cells are leased to who
lands them, so what is unfinished here gives way, and a newer checkpoint takes an older one's place.
"""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.base.files import write_file
from bench.results import archive, attic, cell_folders, lease, store, weight_files
from bench.results.cell_folders import CellFolder
from bench.results.merge import SCRATCH
from bench.spec.cell import Cell
from bench.train import checkpoint_folders


def land(
    content: bytes,
    root: Path,
    owner: lease.Owner,
    cells: Iterable[Cell],
    before: Mapping[str, str],
) -> list[str]:
    """
    Bring cells of an archive to `root`; returns what stays behind, and why.

    Args:
        content: an archive as `archive.write_archive` writes it.
        owner: who has leased the cells.
        cells: that it may hold.
        before: seals of records that are to be replaced, by the cell's id; a measurement with
            another seal was made since, and stays.

    Raises:
        UsageError: it is no archive, or a damaged one.
        EnvironmentProblem: the disk is full, or `root` cannot be written.
    """
    expected = {cell.slug: cell for cell in cells}
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=root) as scratch:
        path, tree = Path(scratch, "cells.tar.gz"), Path(scratch, "tree")
        (tree / "cells").mkdir(parents=True)
        archive.read_archive(write_file(path, content), tree)
        problems: list[str] = []
        for theirs in cell_folders.read_folders(tree):
            cell = expected.get(theirs.slug)
            try:
                why = _land(theirs, cell, root, owner, before) if cell else ["nobody asked for it"]
            except lease.Held as held:  # by a run that took this one for dead
                why = [str(held)]
            problems += [f"{theirs.slug}: {reason}" for reason in why]
        return problems


def _land(
    theirs: CellFolder, cell: Cell, root: Path, owner: lease.Owner, before: Mapping[str, str]
) -> list[str]:
    """Land one cell; returns what stays behind of it."""
    record = theirs.record
    if record is None and not theirs.unfinished:
        return [theirs.problem]
    if record is not None and record.cell.id != cell.id:
        return [f"its record is that of `{record.cell.slug}`"]
    ours = store.find_record(root, cell)
    if ours is not None and ours.measured:
        if ours.seal != before.get(cell.id):
            return ["it was measured here meanwhile"] if record else []
        attic.move_cell(root, cell, owner)
    home = store.cell_path(root, cell)
    with lease.idle(root, home, owner):
        if record is None or not record.measured:
            checkpoint_folders.adopt(home, theirs.home)
        if record is None:
            _move(theirs.home, home, ("log.txt",))
            return []
        store.set_record_aside(root, cell)
        problems = weight_files.check_weight_files(theirs)
        sound = [name for name, why in problems.items() if not why]
        _move(theirs.home, home, (*sound, "log.txt", "record.json"))  # the record comes last
        if record.measured:
            checkpoint_folders.remove_all(home)
    return [why for why in problems.values() if why]


def _move(theirs: Path, home: Path, names: Iterable[str]) -> None:
    for name in names:
        if (theirs / name).is_file():
            attic.move_durably(theirs / name, home / name)
