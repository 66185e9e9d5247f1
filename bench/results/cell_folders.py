"""What lies in a results folder: cells as they are on disk, damaged and unfinished ones too."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from bench.base.files import real_path
from bench.base.text import count, suggest
from bench.errors import UsageError
from bench.registry import add_folders
from bench.results import plan_owner, store
from bench.results.indexed_record import IndexedRecord
from bench.results.record import Record
from bench.results.record_index import RecordIndex
from bench.spec.cell import Cell
from bench.spec.plan import Plan

Seal: TypeAlias = Literal["holds", "none", "broken"]


@dataclass(frozen=True)
class CellFolder:
    """A cell's folder: its record, or why there is none to use."""

    home: Path
    record: Record | None
    problem: str = ""

    @property
    def slug(self) -> str:
        return self.home.name

    @property
    def unfinished(self) -> bool:
        """Is there a folder, and no record in it yet?"""
        return self.problem == NO_RECORD

    @property
    def state(self) -> str:
        """The record's status, or why there is none."""
        return self.record.status if self.record else self.problem


NO_RECORD = "no record"
FULL = re.compile(r"^(none|full[ _-]precision)-")  # as a slug does not begin


def read_folder(home: Path) -> CellFolder:
    """
    A cell's folder; a record that is damaged, was changed or is another cell's is none.

    The folder's name may end in an id that an earlier version gave the cell.

    Raises:
        EnvironmentProblem: the disk does not let the record be read.
    """
    path = home / "record.json"
    try:
        record = store.read_record(path)
    except FileNotFoundError:
        return CellFolder(home, None, NO_RECORD)
    except UsageError as error:
        return CellFolder(home, None, str(error).replace(f"`{path}` ", "its record ", 1))
    if record.cell.name != home.name.rpartition("__")[0]:
        return CellFolder(home, None, f"its record is that of `{record.cell.slug}`")
    return CellFolder(home, record)


def describe_seal(record: Record) -> Seal:
    """Is a record as it was written? Records of older versions have no seal."""
    if isinstance(record, IndexedRecord):  # it held when its file was indexed
        return "holds" if record.seal else "none"
    seals: dict[bool | None, Seal] = {True: "holds", False: "broken", None: "none"}
    return seals[store.seal_holds(record)]


def read_folders(root: Path) -> list[CellFolder]:
    """
    Every cell's folder, by name.

    Raises:
        UsageError: `root` is no results folder.
    """
    return [read_folder(home) for home in list_paths(root)]


def list_paths(root: Path) -> list[Path]:
    """
    The folders of all cells, sorted; what begins with a dot is somebody's unfinished work.

    Raises:
        UsageError: `root` is no results folder.
    """
    if not (root / "cells").is_dir():
        what = "there is no such folder" if not root.exists() else "it has no folder `cells`"
        message = (
            f"`{root}` is no results folder: {what}; `bench run` makes one, --results names it"
        )
        raise UsageError(message)
    return sorted(p for p in (root / "cells").iterdir() if p.is_dir() and p.name[0] != ".")


def list_suites(root: Path) -> list[str]:
    """The names of the suites that ran here."""
    return sorted(path.parent.name for path in (root / "suites").glob("*/plan.json"))


def find_folder(root: Path, name: str) -> CellFolder:
    """
    The one cell that `name` stands for, as `match_slugs` says.

    Raises:
        UsageError: none, or several; or `root` is no results folder.
    """
    there = list_paths(root)
    matches = match_slugs(name, [home.name for home in there])
    if len(matches) == 1:
        return read_folder(root / "cells" / matches[0])
    if matches:
        some = ", ".join(matches[:5])
        more = ", ..." if len(matches) > 5 else ""
        message = f"`{name}` names {len(matches)} cells of `{root}`: {some}{more}"
        raise UsageError(message)
    names = [*list_suites(root), *(part for home in there for part in home.name.split("__"))]
    hint = suggest(name, dict.fromkeys(names))
    message = f"no suite and no cell of `{root}` is called `{name}`"
    there_are = f"; there: {count(len(there), 'cell')}"
    raise UsageError(message + (hint if len(hint) < 200 else there_are))


def find_record(root: Path, name: str) -> Record:
    """
    The record of the one cell that `name` stands for, as `match_slugs` says.

    Raises:
        UsageError: none, or several; or its record is missing, damaged or was changed.
    """
    folder = find_folder(root, name)
    if folder.record is None:
        message = f"`{folder.home}`: {folder.problem}"
        raise UsageError(message)
    return folder.record


def match_slugs(name: str, slugs: Iterable[str]) -> list[str]:
    """
    The cells whose id `name` is or whose slug begins with it, or else those that contain it.

    Slugs call full precision `real`; as tables and suites call it, it is found, too.
    """
    name = FULL.sub("real-", name)
    inside = [slug for slug in slugs if name in slug]
    first = [s for s in inside if s.startswith(name) or s.endswith(f"__{name}")]
    return first or inside


def select_folders(
    root: Path, names: list[str], *, told: bool = False
) -> tuple[list[CellFolder], list[Plan]]:
    """
    The cells that names of suites and of cells stand for, and those suites; all of no names.

    Cells that these rest on, and that are there, come with them.

    Args:
        told: records of suites' cells are told by the index, where it knows their files; else
            each file is read, and its seal.

    Raises:
        UsageError: a name stands for nothing, or for several cells.
    """
    index = RecordIndex(root) if told else None
    plans: list[Plan] = [] if names else read_plans(root)
    chosen: dict[str, CellFolder] = {}
    if not names:
        known = {cell.slug: cell for plan in plans for cell in plan.possible}
        homes = list_paths(root)
        chosen = {home.name: _told(home, known.get(home.name), index) for home in homes}
    for name in names:
        if not is_suite(root, name):
            folder = find_folder(root, name)
            chosen[folder.slug] = folder
            cells = folder.record.cell.ancestry() if folder.record else []
        else:
            plan = store.find_plan(root, name)
            plans.append(plan)
            cells = plan.possible
        folders = ((store.cell_path(root, cell), cell) for cell in cells)
        chosen |= {home.name: _told(home, cell, index) for home, cell in folders if home.is_dir()}
    if index:
        index.keep()
    return [chosen[slug] for slug in sorted(chosen)], plans


def _told(home: Path, cell: Cell | None, index: RecordIndex | None) -> CellFolder:
    """A cell's folder, its record by the index if that knows it."""
    record = index.find_record(cell) if index and cell else None
    return CellFolder(home, record) if record else read_folder(home)


def read_plans(root: Path) -> list[Plan]:
    """The plans of all suites that ran here and can be read."""
    plans: list[Plan] = []
    for name in list_suites(root):
        try:
            plans.append(store.find_plan(root, name))
        except UsageError:  # damaged: `bench run` makes it again
            continue
    return plans


def add_plugins(root: Path, plans: Iterable[Plan]) -> None:
    """
    Look for plugins where this user's kept plans say that they are, too.

    But nowhere in `root`: results may be anybody's, and nothing in them is run.
    """
    home = real_path(root)
    own = filter(plan_owner.is_own, plans)
    folders = (real_path(Path(folder)) for plan in own for folder in plan.plugins)
    add_folders(folder for folder in folders if not folder.is_relative_to(home))


def is_suite(root: Path, name: str) -> bool:
    """Did a suite of that name run here?"""
    return name in list_suites(root)
