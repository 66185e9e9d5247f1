"""What no table needs of a results folder: `bench gc` lists it, and moves it to the attic."""

import os
import re
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.base import machine
from bench.base.files import read_small
from bench.results import cell_folders, lease, source_digest, store
from bench.results.attic import move_durably, new_path
from bench.results.cell_folders import CellFolder
from bench.results.merge import GARBAGE, MERGES, SCRATCH
from bench.spec.cell import Cell

SHORT = re.compile(rb"(?:try|measure)-[0-9a-f]{8}")  # jobs that try or measure a machine
NAMED = re.compile(rb'"submission":"(' + SHORT.pattern + rb')"')  # by a batch
PART = re.compile(r"^\..+\.[a-z0-9_]{8}$")  # what `write_file` writes before it renames


@dataclass(frozen=True)
class Leftover:
    """Something below the results folder that no table needs."""

    path: Path
    reason: str
    size: int  # bytes
    home: Path | None = None  # the folder, of a cell or of jobs, that it is part of
    held: bool = False  # by a run that is at work there, or anywhere if it is of no cell


def report_garbage(root: Path, *, move: bool) -> Iterator[str]:
    """
    A line for each leftover; with `move` those that no run holds go to the attic.

    Raises:
        UsageError, EnvironmentProblem: as `find_leftovers`.
        EnvironmentProblem: something cannot be moved; what was moved before it stays there.
    """
    with _alone(root, move=move) as at_work:
        yield from _report(root, move=move and not at_work, at_work=at_work)


def _report(root: Path, *, move: bool, at_work: bool) -> Iterator[str]:
    leftovers = [replace(each, held=each.held or at_work) for each in find_leftovers(root)]
    for leftover in leftovers:
        who = f"a merge is at work (leases/{MERGES})" if at_work else "a run is at work there"
        held = f"; {who}, so it stays" if leftover.held else ""
        where = leftover.path.relative_to(root)
        yield f"{where}  {leftover.size / 1e6:.1f} MB  {leftover.reason}{held}"
    loose = [leftover for leftover in leftovers if not leftover.held]
    if not move or not loose:
        yield _sum(loose) + "; --move takes them to the attic, nothing is deleted" * bool(loose)
        return
    to = new_path(root, "gc")
    moved = [leftover for leftover in loose if _taken(leftover, root, to)]
    yield f"{_sum(moved)}, moved to {to}; back with: cp -a {to}/. {root}/"


@contextmanager
def _alone(root: Path, *, move: bool) -> Generator[bool, None, None]:
    """
    A time in which no merge begins; yields whether one is at work: what it brought it may yet need.

    Raises:
        Held: another `bench gc` is at work, and does not end.
    """
    if not move:
        yield bool(lease.held(root, MERGES))
        return
    with lease.idle(root, root / GARBAGE):
        yield bool(lease.held(root, MERGES))


def find_leftovers(root: Path) -> list[Leftover]:
    """
    What no kept plan of `root` wants, what is stale or damaged, and what a cut write left behind.

    Raises:
        UsageError: `root` is no results folder, or a kept plan cannot be read, without which
            nobody knows what is wanted.
        EnvironmentProblem: a folder of it is a link that leads out of `root`.
    """
    if not (root / "suites").is_dir():  # as a run leaves it that ended before its first cell
        cell_folders.list_paths(root)
    plan_files = sorted((root / "suites").glob("*/plan.json"))
    plans = [store.find_plan(root, path.parent.name) for path in plan_files]
    cell_folders.add_plugins(root, plans)
    wanted = [cell for plan in plans for cell in plan.possible]
    by_key = {cell.key: cell for cell in wanted}
    slugs = {cell.slug for cell in wanted}
    leftovers: list[Leftover] = []
    for home in sorted((root / "cells").glob("*")):
        held = bool(lease.holder(home))
        leftovers += [
            Leftover(path, reason, _size(path), home, held)
            for path, reason in _of_cell(home, slugs, by_key)
        ]
    leftovers += _of_short_jobs(root)
    for folder in {leftover.path.parent for leftover in leftovers} - {root}:
        store.path_inside(root, str(folder.parent.relative_to(root)), folder.name)
    named = {leftover.path for leftover in leftovers}
    at_work = bool(lease.held(root))
    return leftovers + [
        Leftover(path, "left by what was cut short", _size(path), held=at_work)
        for path in _cut(root)
        if not named & {path, *path.parents} and root / "attic" not in path.parents
    ]


def _of_cell(home: Path, slugs: set[str], by_key: dict[str, Cell]) -> Iterator[tuple[Path, str]]:
    """What is left over of a cell's folder, or in it, and why."""
    folder = cell_folders.read_folder(home)
    needed = {home.name} if folder.record is None else {home.name, folder.record.cell.slug}
    if home.is_symlink() or not needed & slugs:
        yield home, _why(folder, by_key)
        return
    if folder.record is None and not folder.unfinished:
        yield home / "record.json", folder.problem
    for path in sorted(home.glob("record.json.damaged*")):
        yield path, "a damaged record that was set aside"
    checkpoints = home / "checkpoints"
    if folder.record and folder.record.measured and checkpoints.exists():
        yield checkpoints, "checkpoints of a measured cell"
        return
    for path in sorted(checkpoints.glob("*.damaged")):
        yield path, "a damaged checkpoint"
    if (checkpoints / ".part").exists():
        yield checkpoints / ".part", "a checkpoint that was cut short"


def _of_short_jobs(root: Path) -> Iterator[Leftover]:
    """What a trial or a calibration of a machine left when it was killed; else it clears it."""
    names = {path: path.name.encode() for path in sorted((root / "jobs").glob("*-*"))}
    for path in sorted((root / "batches").glob("*.json")):
        with suppress(OSError):
            names[path] = match[1] if (match := NAMED.search(read_small(path))) else b""
    for path, name in names.items():
        if SHORT.fullmatch(name):
            home = root / "jobs" / name.decode()
            why = "of jobs that were to try or measure a machine, and were cut short"
            yield Leftover(path, why, _size(path), home, bool(lease.holder(home)))


def _cut(root: Path) -> Iterator[Path]:
    """What a write, a merge or a trial of the disk left when it was killed."""
    for mark in (SCRATCH, machine.MARK):
        yield from sorted(root.glob(f"{mark}*"))
    for path in sorted(_files(root)):
        of_scratch = path.relative_to(root).parts[0].startswith((SCRATCH, machine.MARK))
        if PART.search(path.name) and path.is_file() and not of_scratch:
            yield path


def _files(root: Path) -> Iterator[Path]:
    """All files below a folder in which others may be at work: what goes meanwhile is left out."""
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names)


def _why(folder: CellFolder, by_key: dict[str, Cell]) -> str:
    """Why a folder that no plan names is there."""
    if folder.home.is_symlink():
        return f"a link, to `{folder.home.readlink()}`"
    record = folder.record
    if record and record.measured and record.cell.key in by_key:
        changes = source_digest.changes(record.cell, by_key[record.cell.key])
        return f"stale: {', '.join(changes)}"
    return "no kept plan wants it"


def _size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder; a link is nothing."""
    if path.is_symlink():
        return 0
    size = 0
    for each in (path, *_files(path)):
        with suppress(FileNotFoundError):
            found = each.lstat()
            size += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return size


def _sum(leftovers: list[Leftover]) -> str:
    return (
        f"{len(leftovers)} left over, {sum(leftover.size for leftover in leftovers) / 1e6:.1f} MB"
    )


def _taken(leftover: Leftover, root: Path, to: Path) -> bool:
    """Move a leftover, unless a run has begun to work there since it was found."""
    try:
        with lease.idle(root, leftover.home):
            if not os.path.lexists(leftover.path):  # what was half written is whole
                return False
            move_durably(leftover.path, to / leftover.path.relative_to(root))
    except lease.Held:
        return False
    return True
