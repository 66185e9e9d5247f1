"""
Results from elsewhere: each cell lands whole or not at all, and nothing that is here is lost.

A source is an archive of `bench export` or a results folder. What it says is checked before it
lands: a record belongs to its folder's cell, its seal holds, and weights are those that it
recorded; weights that are not stay behind. What gives way here goes to ROOT/attic.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from bench.base.text import count
from bench.errors import BenchError, EnvironmentProblem, UsageError
from bench.results import archive, attic, cell_folders, lease, store, weight_files
from bench.results.cell_folders import CellFolder
from bench.results.record import Record
from bench.results.record_diff import describe_result, diff_records
from bench.spec.plan import Plan

Prefer: TypeAlias = Literal["ours", "theirs"]
MergeKind: TypeAlias = Literal[
    "new", "completed", "replaced", "equal", "kept", "conflict", "refused"
]
SCRATCH = ".merge-"  # how the folder begins that a merge works in
DECIDE = "nothing was changed: --prefer ours or --prefer theirs"


@dataclass(frozen=True)
class MergeResult:
    """What became of one cell or suite of a source."""

    kind: MergeKind
    name: str
    text: str = ""

    @property
    def settled(self) -> bool:
        """Is there nothing left for somebody to decide?"""
        return self.kind not in {"conflict", "refused"}


def merge_into(
    source: Path, root: Path, prefer: Prefer | None = None, *, dry: bool = False
) -> Iterator[MergeResult]:
    """
    Bring the cells and plans of a source to `root`; yields what became of each.

    Args:
        prefer: whose outcome stays where both measured a cell and do not agree; None: ours, and
            the step says conflict.
        dry: change nothing.

    Raises:
        UsageError: the source is no archive and no results folder, or `root` holds links where
            results would go.
        EnvironmentProblem: the disk is full, or `root` cannot be written.
    """
    if not source.exists():
        message = f"no `{source}`: expected an archive of `bench export`, or a results folder"
        raise UsageError(message)
    for name in ("cells", "suites", "attic"):
        if (root / name).is_symlink():
            message = f"`{root / name}` is a link; merge into the folder that it leads to"
            raise UsageError(message)
    with _disk(root), _scratch(root, dry) as scratch:
        tree = source
        if not source.is_dir():
            tree = Path(scratch) / "tree"
            (tree / "cells").mkdir(parents=True)
            archive.read_archive(source, tree)
        join = _Join(tree, root, Path(scratch), prefer, dry)
        for folder in cell_folders.read_folders(tree):
            yield from join.cell(folder)
        for name in cell_folders.list_suites(tree):
            yield join.suite(name)


def _scratch(root: Path, dry: bool) -> tempfile.TemporaryDirectory[str]:
    """A folder on the disk of `root`, gone in the end."""
    if dry:
        return tempfile.TemporaryDirectory(prefix="bench-merge-")
    root.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=SCRATCH, dir=root)


@contextmanager
def _disk(root: Path) -> Generator[None, None, None]:
    """What goes wrong with the disk, in a line that names the folder."""
    try:
        yield
    except OSError as error:
        message = f"cannot write to `{root}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None


@dataclass(frozen=True)
class _Offer(CellFolder):
    """A cell of a source."""

    sound: tuple[str, ...] = ()  # its weights files that are what its record says


@dataclass(frozen=True)
class _Join:
    """One source that goes into one results folder."""

    tree: Path
    root: Path
    scratch: Path
    prefer: Prefer | None
    dry: bool

    def cell(self, theirs: CellFolder) -> Iterator[MergeResult]:
        """Decide on one cell, and do it; weights that are damaged are told apart."""
        problems = weight_files.check_weight_files(theirs)
        sound = tuple(name for name, why in problems.items() if not why)
        try:
            yield self._cell(_Offer(theirs.home, theirs.record, theirs.problem, sound))
        except lease.Held as held:
            yield MergeResult("refused", theirs.slug, str(held))
        yield from (MergeResult("refused", theirs.slug, why) for why in problems.values() if why)

    def _cell(self, theirs: _Offer) -> MergeResult:
        home = self.root / "cells" / theirs.slug
        if home.is_symlink() or (home.exists() and not home.is_dir()):
            return MergeResult("refused", theirs.slug, f"`{home}` is a link or a file, and stays")
        if theirs.record is None and not theirs.unfinished:
            return MergeResult("refused", theirs.slug, theirs.problem)
        if theirs.record and theirs.record.cell.slug != theirs.slug:
            text = f"its record is that of `{theirs.record.cell.slug}`"
            return MergeResult("refused", theirs.slug, text)
        if not home.exists():
            return self._new(theirs, home)
        ours = cell_folders.read_folder(home)
        if theirs.record is None:
            return MergeResult("kept", theirs.slug, f"theirs is unfinished, ours: {ours.state}")
        if ours.record is None:
            return self._replace(theirs, ours, ours.problem)
        return self._over_record(theirs, ours, theirs.record, ours.record)

    def _new(self, theirs: _Offer, home: Path) -> MergeResult:
        if theirs.record is None:
            if lease.holder(theirs.home) or not (theirs.home / "checkpoints").is_dir():
                return MergeResult("kept", theirs.slug, "theirs is unfinished")
            self._land(theirs, home)
            return MergeResult("new", theirs.slug, "unfinished, with its checkpoints")
        self._land(theirs, home)
        return MergeResult("new", theirs.slug, describe_result(theirs.record))

    def _over_record(
        self, theirs: _Offer, ours: CellFolder, new: Record, old: Record
    ) -> MergeResult:
        if not old.measured and new.measured:
            return self._replace(theirs, ours, describe_result(old))
        if not new.measured:
            return MergeResult(
                "kept", theirs.slug, f"ours: {describe_result(old)}, theirs: {describe_result(new)}"
            )
        parted = diff_records(old, new)
        if not parted:
            return self._complete(theirs, ours)
        told = f"{'; '.join(map(str, parted[:3]))}; ours {_made(old)}; theirs {_made(new)}"
        if self.prefer == "theirs":
            return self._replace(theirs, ours, told)
        if self.prefer == "ours":
            return MergeResult("kept", theirs.slug, told)
        return MergeResult("conflict", theirs.slug, f"{told}; {DECIDE}")

    def _complete(self, theirs: _Offer, ours: CellFolder) -> MergeResult:
        """The same outcome: what is missing here, and weights damaged here, come from there."""
        have = {path.name for path in ours.home.iterdir()}
        bad = {name: why for name, why in weight_files.check_weight_files(ours).items() if why}
        there = [
            path for _, path in archive.list_cell_files(theirs, theirs.sound, checkpoints=False)
        ]
        wanted = [path for path in there if path.name not in have or path.name in bad]
        if not wanted:
            return MergeResult("equal", theirs.slug)
        room = attic.new_path(self.root, theirs.slug)
        with self._idle(ours):
            for path in wanted if not self.dry else ():
                copy = _copied(path, self.scratch / path.name)
                if path.name in bad:
                    attic.move_durably(ours.home / path.name, room / path.name)
                attic.move_durably(copy, ours.home / path.name)
        set_aside = [
            f"ours: {bad[p.name]}; it is kept in `{room}`" for p in wanted if p.name in bad
        ]
        return MergeResult(
            "completed", theirs.slug, "; ".join([*(p.name for p in wanted), *set_aside])
        )

    def _replace(self, theirs: _Offer, ours: CellFolder, why: str) -> MergeResult:
        """Theirs lands, ours goes to the attic."""
        room = attic.new_path(self.root, theirs.slug)
        staged = None if self.dry else self._staged(theirs)
        with self._idle(ours):
            if staged:
                attic.move_durably(ours.home, room)
                attic.move_durably(staged, ours.home)
        return MergeResult("replaced", theirs.slug, f"{why}; ours is kept as `{room}`")

    @contextmanager
    def _idle(self, ours: CellFolder) -> Generator[None, None, None]:
        """
        A time in which ours may be changed.

        Raises:
            Held: a run has it, or has just changed it.
        """
        if self.dry:
            lease.refuse_held(ours.home)
            yield
            return
        with lease.idle(self.root, ours.home):
            if cell_folders.read_folder(ours.home) != ours:
                message = "a run has just ended it here; merge again"
                raise lease.Held(message)
            yield

    def _land(self, theirs: _Offer, home: Path) -> None:
        if not self.dry:
            attic.move_durably(self._staged(theirs), home)

    def _staged(self, theirs: _Offer) -> Path:
        """The files of a cell that travel, in a folder on our disk."""
        staged = self.scratch / "staged" / theirs.slug
        for name, path in archive.list_cell_files(theirs, theirs.sound):
            _copied(path, staged / Path(name).relative_to(f"cells/{theirs.slug}"))
        return staged

    def suite(self, name: str) -> MergeResult:
        """Decide on one suite's plan, and do it; its tables come with it."""
        home, label = self.root / "suites" / name, f"suites/{name}"
        theirs, problem = _plan(self.tree, name)
        if theirs is None or home.is_symlink():
            return MergeResult("refused", label, problem or f"`{home}` is a link, and stays")
        if not (home / "plan.json").exists():
            self._tables(theirs, home)
            return MergeResult("new", label)
        ours, _ = _plan(self.root, name)
        if ours and _same(ours, theirs):
            return MergeResult("equal", label)
        difference = "the suites differ" if ours else "ours is damaged"
        if self.prefer == "ours":
            return MergeResult("kept", label, difference)
        if ours and self.prefer is None:
            return MergeResult("conflict", label, f"{difference}; {DECIDE}")
        room = attic.new_path(self.root, name)
        if not self.dry:
            attic.move_durably(home, room)
        self._tables(theirs, home)
        return MergeResult("replaced", label, f"{difference}; ours is kept as `{room}`")

    def _tables(self, plan: Plan, home: Path) -> None:
        if self.dry:
            return
        staged = self.scratch / "suite" / plan.suite
        for name, path in archive.list_suite_files(self.tree, plan):
            _copied(path, staged / Path(name).name)
        if home.exists():  # with tables, and no plan that they belong to
            attic.move_durably(home, attic.new_path(self.root, plan.suite))
        attic.move_durably(staged, home)


def _plan(root: Path, name: str) -> tuple[Plan | None, str]:
    """A suite's plan, or why there is none."""
    try:
        return store.find_plan(root, name), ""
    except BenchError as error:
        return None, re.sub("^`[^`]*plan.json` ", "its plan ", str(error))


def _same(ours: Plan, theirs: Plan) -> bool:
    """Do two plans mean the same, wherever their suite files and local plugins lie?"""
    paths = {"source": theirs.source, "plugins": theirs.plugins}
    return ours.model_copy(update=paths) == theirs


def _made(record: Record) -> str:
    """Which outcome, and where it comes from."""
    p = record.provenance
    torch = p.versions.get("torch", "?")
    threads = count(p.threads, "thread")
    where = f"{p.host}, {p.device}, {threads}, torch {torch}, commit {p.commit[:7] or '?'}"
    return f"{describe_result(record)} ({where}, {p.started})"


def _copied(path: Path, to: Path) -> Path:
    """A copy that is on the disk before it is believed."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as source, to.open("wb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    return to
