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
from bench.results.cell_folders import Kept
from bench.results.record import Record
from bench.results.record_diff import differences, percent
from bench.spec.plan import Plan

Prefer: TypeAlias = Literal["ours", "theirs"]
Kind: TypeAlias = Literal["new", "completed", "replaced", "equal", "kept", "conflict", "refused"]
SCRATCH = ".merge-"  # how the folder begins that a merge works in
DECIDE = "nothing was changed: --prefer ours or --prefer theirs"


@dataclass(frozen=True)
class Step:
    """What became of one cell or suite of a source."""

    kind: Kind
    name: str
    text: str = ""

    @property
    def settled(self) -> bool:
        """Is there nothing left for somebody to decide?"""
        return self.kind not in {"conflict", "refused"}


def merge(
    source: Path, root: Path, prefer: Prefer | None = None, *, dry: bool = False
) -> Iterator[Step]:
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
            archive.unpack(source, tree)
        join = _Join(tree, root, Path(scratch), prefer, dry)
        for kept in cell_folders.cells(tree):
            yield from join.cell(kept)
        for name in cell_folders.suites(tree):
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
class _Offer(Kept):
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

    def cell(self, theirs: Kept) -> Iterator[Step]:
        """Decide on one cell, and do it; weights that are damaged are told apart."""
        found = weight_files.judged(theirs)
        sound = tuple(name for name, why in found.items() if not why)
        try:
            yield self._cell(_Offer(theirs.home, theirs.record, theirs.problem, sound))
        except lease.Held as held:
            yield Step("refused", theirs.slug, str(held))
        yield from (Step("refused", theirs.slug, why) for why in found.values() if why)

    def _cell(self, theirs: _Offer) -> Step:
        home = self.root / "cells" / theirs.slug
        if home.is_symlink() or (home.exists() and not home.is_dir()):
            return Step("refused", theirs.slug, f"`{home}` is a link or a file, and stays")
        if theirs.record is None and not theirs.unfinished:
            return Step("refused", theirs.slug, theirs.problem)
        if theirs.record and theirs.record.cell.slug != theirs.slug:
            text = f"its record is that of `{theirs.record.cell.slug}`"
            return Step("refused", theirs.slug, text)
        if not home.exists():
            return self._new(theirs, home)
        ours = cell_folders.read(home)
        if theirs.record is None:
            return Step("kept", theirs.slug, f"theirs is unfinished, ours: {ours.state}")
        if ours.record is None:
            return self._replace(theirs, ours, ours.problem)
        return self._over_record(theirs, ours, theirs.record, ours.record)

    def _new(self, theirs: _Offer, home: Path) -> Step:
        if theirs.record is None:
            if lease.holder(theirs.home) or not (theirs.home / "checkpoints").is_dir():
                return Step("kept", theirs.slug, "theirs is unfinished")
            self._land(theirs, home)
            return Step("new", theirs.slug, "unfinished, with its checkpoints")
        self._land(theirs, home)
        return Step("new", theirs.slug, percent(theirs.record))

    def _over_record(self, theirs: _Offer, ours: Kept, new: Record, old: Record) -> Step:
        if not old.measured and new.measured:
            return self._replace(theirs, ours, percent(old))
        if not new.measured:
            return Step("kept", theirs.slug, f"ours: {percent(old)}, theirs: {percent(new)}")
        parted = differences(old, new)
        if not parted:
            return self._complete(theirs, ours)
        told = f"{'; '.join(map(str, parted[:3]))}; ours {_made(old)}; theirs {_made(new)}"
        if self.prefer == "theirs":
            return self._replace(theirs, ours, told)
        if self.prefer == "ours":
            return Step("kept", theirs.slug, told)
        return Step("conflict", theirs.slug, f"{told}; {DECIDE}")

    def _complete(self, theirs: _Offer, ours: Kept) -> Step:
        """The same outcome: what is missing here, and weights damaged here, come from there."""
        have = {path.name for path in ours.home.iterdir()}
        bad = {name: why for name, why in weight_files.judged(ours).items() if why}
        there = [path for _, path in archive.files(theirs, theirs.sound, checkpoints=False)]
        wanted = [path for path in there if path.name not in have or path.name in bad]
        if not wanted:
            return Step("equal", theirs.slug)
        room = attic.room(self.root, theirs.slug)
        with self._idle(ours):
            for path in wanted if not self.dry else ():
                copy = _copied(path, self.scratch / path.name)
                if path.name in bad:
                    attic.move(ours.home / path.name, room / path.name)
                attic.move(copy, ours.home / path.name)
        told = [f"ours: {bad[p.name]}; it is kept in `{room}`" for p in wanted if p.name in bad]
        return Step("completed", theirs.slug, "; ".join([*(p.name for p in wanted), *told]))

    def _replace(self, theirs: _Offer, ours: Kept, why: str) -> Step:
        """Theirs lands, ours goes to the attic."""
        room = attic.room(self.root, theirs.slug)
        staged = None if self.dry else self._staged(theirs)
        with self._idle(ours):
            if staged:
                attic.move(ours.home, room)
                attic.move(staged, ours.home)
        return Step("replaced", theirs.slug, f"{why}; ours is kept as `{room}`")

    @contextmanager
    def _idle(self, ours: Kept) -> Generator[None, None, None]:
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
            if cell_folders.read(ours.home) != ours:
                message = "a run has just ended it here; merge again"
                raise lease.Held(message)
            yield

    def _land(self, theirs: _Offer, home: Path) -> None:
        if not self.dry:
            attic.move(self._staged(theirs), home)

    def _staged(self, theirs: _Offer) -> Path:
        """The files of a cell that travel, in a folder on our disk."""
        staged = self.scratch / "staged" / theirs.slug
        for name, path in archive.files(theirs, theirs.sound):
            _copied(path, staged / Path(name).relative_to(f"cells/{theirs.slug}"))
        return staged

    def suite(self, name: str) -> Step:
        """Decide on one suite's plan, and do it; its tables come with it."""
        home, label = self.root / "suites" / name, f"suites/{name}"
        theirs, problem = _plan(self.tree, name)
        if theirs is None or home.is_symlink():
            return Step("refused", label, problem or f"`{home}` is a link, and stays")
        if not (home / "plan.json").exists():
            self._tables(theirs, home)
            return Step("new", label)
        ours, _ = _plan(self.root, name)
        if ours and _same(ours, theirs):
            return Step("equal", label)
        told = "the suites differ" if ours else "ours is damaged"
        if self.prefer == "ours":
            return Step("kept", label, told)
        if ours and self.prefer is None:
            return Step("conflict", label, f"{told}; {DECIDE}")
        room = attic.room(self.root, name)
        if not self.dry:
            attic.move(home, room)
        self._tables(theirs, home)
        return Step("replaced", label, f"{told}; ours is kept as `{room}`")

    def _tables(self, plan: Plan, home: Path) -> None:
        if self.dry:
            return
        staged = self.scratch / "suite" / plan.suite
        for name, path in archive.tables(self.tree, plan):
            _copied(path, staged / Path(name).name)
        if home.exists():  # with tables, and no plan that they belong to
            attic.move(home, attic.room(self.root, plan.suite))
        attic.move(staged, home)


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
    return f"{percent(record)} ({where}, {p.started})"


def _copied(path: Path, to: Path) -> Path:
    """A copy that is on the disk before it is believed."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as source, to.open("wb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    return to
