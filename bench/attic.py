"""
The attic: what is out of use is moved there, and nothing is ever deleted.

    ROOT/attic/<slug>@<UTC time>/    a measured cell that was run again
    ROOT/attic/gc@<UTC time>/        what `bench gc --move` took, each thing at its path below ROOT
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bench import identity, lease, store
from bench.cell import Cell
from bench.errors import EnvironmentProblem, UsageError
from bench.record import Record

PART = re.compile(r"^\..+\.[a-z0-9_]{8}$")  # what `store.write` writes before it renames


@dataclass(frozen=True)
class Leftover:
    """Something below the results folder that no table needs."""

    path: Path
    reason: str
    size: int  # bytes
    held: bool = False  # by a run that is at work there: not to be moved


def put(root: Path, cell: Cell) -> Path:
    """
    Move a cell's folder away, so that it runs again; returns where to.

    Raises:
        EnvironmentProblem: a run is at work there, or it cannot be moved.
    """
    home = store.home(root, cell)
    if owner := lease.holder(home):
        path = home / lease.NAME
        message = f"{owner} has this cell; wait, or remove `{path}` if nobody is at work"
        raise EnvironmentProblem(message)
    room = _room(root, home.name)
    _move(home, room)
    return room


def leftovers(root: Path) -> list[Leftover]:
    """
    What no kept plan of `root` wants, what is stale or damaged, and what a cut write left behind.

    Raises:
        UsageError: there is no such folder, or a kept plan cannot be read, without which nobody
            knows what is wanted.
    """
    if not root.is_dir():
        message = f"no results folder `{root}`"
        raise UsageError(message)
    kept = sorted((root / "suites").glob("*/plan.json"))
    wanted = [cell for path in kept for cell in store.find_plan(root, path.parent.name).possible]
    by_key = {cell.key: cell for cell in wanted}
    slugs = {cell.slug for cell in wanted} | {""}
    found: list[Leftover] = []
    for home in sorted((root / "cells").glob("*")):
        record = _record(home / "record.json")
        held = bool(lease.holder(home))
        needed = {home.name, record.cell.slug if record else ""} & slugs
        if home.is_symlink() or not needed - {""}:
            found.append(Leftover(home, _why(home, record, by_key), _size(home), held))
            continue
        damaged = [home / "record.json"] * (record is None)
        damaged = [path for path in (*damaged, home / "record.json.damaged") if path.exists()]
        found += [Leftover(path, "a damaged record", _size(path), held) for path in damaged]
        path = home / "checkpoints"
        if record and record.measured and path.exists():
            found.append(Leftover(path, "checkpoints of a measured cell", _size(path), held))
    at_work = any(lease.holder(path.parent) for path in (root / "cells").glob(f"*/{lease.NAME}"))
    told = {leftover.path for leftover in found}
    parts = (p for p in sorted(root.rglob(".*")) if PART.search(p.name) and p.is_file())
    return found + [
        Leftover(path, "left by a write that was cut short", _size(path), at_work)
        for path in parts
        if not told & {*path.parents} and root / "attic" not in path.parents
    ]


def _record(path: Path) -> Record | None:
    try:
        return Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _why(home: Path, record: Record | None, by_key: dict[str, Cell]) -> str:
    """Why a folder that no plan names is there."""
    if home.is_symlink():
        return f"a link, to `{home.readlink()}`"
    if record and record.measured and record.cell.key in by_key:
        changes = identity.changes(record.cell, by_key[record.cell.key])
        return f"stale: {', '.join(changes)}"
    return "no kept plan wants it"


def _size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder; a link is nothing."""
    files = [p for p in (path, *path.rglob("*")) if p.is_file() and not p.is_symlink()]
    return 0 if path.is_symlink() else sum(p.stat().st_size for p in files)


def report(root: Path, *, move: bool) -> Iterator[str]:
    """
    A line for each leftover; with `move` those that no run holds go to the attic.

    Raises:
        UsageError: as `leftovers`.
        EnvironmentProblem: something cannot be moved; what was moved before it stays there.
    """
    found = leftovers(root)
    for leftover in found:
        held = "; a run is at work there, so it stays" * leftover.held
        where = leftover.path.relative_to(root)
        yield f"{where}  {leftover.size / 1e6:.1f} MB  {leftover.reason}{held}"
    loose = [leftover for leftover in found if not leftover.held]
    size = f"{len(loose)} left over, {sum(x.size for x in loose) / 1e6:.1f} MB"
    if not move or not loose:
        yield size + "; --move takes them to the attic, nothing is deleted" * bool(loose)
        return
    room = _room(root, "gc")
    for leftover in loose:
        _move(leftover.path, room / leftover.path.relative_to(root))
    yield f"{size}, moved to {room}; back with: cp -a {room}/. {root}/"


def _room(root: Path, name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return store.inside(root, "attic", f"{name}@{stamp}")


def _move(path: Path, to: Path) -> None:
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)
    except OSError as error:
        message = f"cannot move `{path}` to `{to}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
