"""
Results from elsewhere: each cell lands whole or not at all, and nothing that is here is lost.

A source is an archive of `bench export` or a results folder. What it says is checked before it
lands: a record belongs to its folder's cell, its seal holds, and weights are those that it
recorded; weights that are not stay behind. What gives way here goes to ROOT/attic.

What changes here changes under a lease, as if a run had it, and what another merge or a run has
changed since it was looked at is looked at again.
"""

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
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
MERGES, GARBAGE = "merges", "garbage/all"  # what merges, and `bench gc`, have leases of
DECIDE = "nothing was changed: --prefer ours or --prefer theirs"
TRIES = 5  # to decide on what others change at the same time


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


@contextmanager
def _scratch(root: Path, dry: bool) -> Generator[str, None, None]:
    """
    A folder on the disk of `root`, gone in the end.

    Meanwhile `bench gc` moves nothing; one that is at work is waited for.
    """
    if dry:
        with tempfile.TemporaryDirectory(prefix="bench-merge-") as name:
            yield name
        return
    root.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex[:8]
    with lease.idle(root, root / MERGES / mark):
        with lease.idle(root, root / GARBAGE):
            pass
        folder = root / f"{SCRATCH}{mark}"
        folder.mkdir(mode=0o700)
        try:
            yield str(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


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
        offer = _Offer(theirs.home, theirs.record, theirs.problem, sound)
        yield _settled(lambda: self._cell(offer), theirs.slug)
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
        paths = wanted if not self.dry else ()
        copies = [_copied(path, self.scratch / path.name) for path in paths]
        with self._idle(ours.home, ours):
            if {path.name for path in ours.home.iterdir()} != have:
                raise Changed
            for copy in copies:
                if copy.name in bad:
                    attic.move_durably(ours.home / copy.name, room / copy.name)
                attic.move_durably(copy, ours.home / copy.name)
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
        with self._idle(ours.home, ours):
            if staged:
                attic.move_durably(ours.home, room)
                attic.move_durably(staged, ours.home)
        return MergeResult("replaced", theirs.slug, f"{why}; ours is kept as `{room}`")

    @contextmanager
    def _idle(self, home: Path, ours: CellFolder | None) -> Generator[None, None, None]:
        """
        A time in which what is at `home` may be changed; None: there is nothing.

        Raises:
            Held: a run has it.
            Changed: it is not as it was any more.
        """
        if self.dry:
            lease.refuse_held(home)
            yield
            return
        with lease.idle(self.root, home):
            if (cell_folders.read_folder(home) if home.exists() else None) != ours:
                raise Changed
            yield

    def _land(self, theirs: _Offer, home: Path) -> None:
        if not self.dry:
            staged = self._staged(theirs)
            with self._idle(home, None):
                attic.move_durably(staged, home)

    def _staged(self, theirs: _Offer) -> Path:
        """The files of a cell that travel, in a folder on our disk."""
        staged = self.scratch / "staged" / theirs.slug
        for name, path in archive.list_cell_files(theirs, theirs.sound):
            _copied(path, staged / Path(name).relative_to(f"cells/{theirs.slug}"))
        return staged

    def suite(self, name: str) -> MergeResult:
        """Decide on one suite's plan, and do it; its tables come with it."""

        def decide() -> MergeResult:
            if self.dry:
                return self._suite(name)
            with lease.idle(self.root, self.root / "suites" / name):
                return self._suite(name)

        return _settled(decide, f"suites/{name}")

    def _suite(self, name: str) -> MergeResult:
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


class Changed(Exception):
    """What was decided on is not as it was any more."""


def _settled(decide: Callable[[], MergeResult], name: str) -> MergeResult:
    """What is decided, once nobody else is at it; refused if that does not come to be."""
    try:
        for _ in range(TRIES):
            with suppress(Changed):
                return decide()
    except lease.Held as held:
        return MergeResult("refused", name, str(held))
    return MergeResult("refused", name, "others change it at the same time; merge again")


def _plan(root: Path, name: str) -> tuple[Plan | None, str]:
    """A suite's plan, or why there is none."""
    try:
        return store.find_plan(root, name), ""
    except BenchError as error:
        return None, re.sub("^`[^`]*plan.json` ", "its plan ", str(error))


def _same(ours: Plan, theirs: Plan) -> bool:
    """Do two plans mean the same, wherever their suite files and local plugins lie?"""
    aside = {"source", "plugins", "question"}
    return ours.model_copy(update={name: getattr(theirs, name) for name in aside}) == theirs


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
