"""
Who works on a cell: a lease, so that runs can share a results folder on any machines and disks.

    ROOT/leases/cells/<slug>/lease-<n>.json    while a run has the cell, and until it has a record

The highest number owns. An owner that let go or is dead is followed by the next number, which of
all who try for it one gets (`lease_files`); its beats replace its own file, and nobody else writes
there. So nothing rests on file locks, which on many shared disks exclude on one machine only, and
a listing that comes late leads to a number that is taken. Numbers begin anew with a cell's record.

A lease is dead if its owner is a process of this machine that is gone, or a job that its queue has
started again; elsewhere, if it did not change for `DEAD_S` seconds of our own steady clock. No two
clocks are ever compared.
"""

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem
from bench.results import store
from bench.results.lease_files import OLD, LeaseFolder
from bench.results.owner import Owner, alive, myself
from bench.spec.cell import Cell

BEAT_S = 10.0
DEAD_S = 60.0
MOMENT_S = 20.0  # for which what only moves a cell is waited for; well below DEAD_S
AGAIN_S = 0.05


class Lease(Frozen):
    """
    What a lease file says.

    Args:
        at: UTC by the owner's clock, for people.
        over: its owner let go.
        brief: its owner only moves what it has, and lets go in a moment.
    """

    owner: Owner
    beat: int
    at: str
    over: Annotated[bool, Field(exclude_if=lambda value: not value)] = False
    brief: Annotated[bool, Field(exclude_if=lambda value: not value)] = False


@dataclass(frozen=True)
class Answer:
    """May this run have the cell? `other` has it or, if it is ours, had it and died."""

    ours: bool
    other: Owner | None = None
    brief: bool = False  # it will be free in a moment


class Held(EnvironmentProblem):
    """A run is at work where something else was to be done."""


def holder(home: Path) -> str:
    """
    Who has the cell whose folder this is, in words; empty if nobody.

    A process of this machine that is gone has nothing. Whether one elsewhere lives is not asked.
    """
    return _holder(LeaseFolder(home).top()[1])


def refuse_held(home: Path, owner: Owner | None = None) -> None:
    """
    Nothing, unless a run other than `owner` has the cell whose folder this is.

    Raises:
        Held: one has it.
    """
    n, content = LeaseFolder(home).top()
    who = _holder(content)
    if who and (owner is None or _owner(content) != owner):
        where = LeaseFolder(home).path if n else home / OLD
        message = f"{who} has this cell; wait, or remove `{where}` if nobody is at work"
        raise Held(message)


def held(root: Path, kind: str = "cells") -> list[Path]:
    """The folders of the cells that runs have, or of what else of one `kind` has leases."""
    old = [path.parent.name for path in (root / kind).glob(f"*/{OLD}")]
    with suppress(FileNotFoundError, NotADirectoryError):  # it may go while it is looked at
        old += os.listdir(root / "leases" / kind)  # noqa: PTH208 - names are all that is asked for
    names = set(old)
    return [home for name in sorted(names) if holder(home := root / kind / name)]


@contextmanager
def idle(
    root: Path, home: Path | None = None, owner: Owner | None = None
) -> Generator[None, None, None]:
    """
    A time in which no run takes the cell of `home`, nor has it, but for `owner`.

    Without `home`: no run had any cell of `root` when it began.

    Raises:
        Held: one has it.
        EnvironmentProblem: the folder cannot be written.
    """
    if home is None or owner is not None:
        for each in [home] if home else held(root):
            refuse_held(each, owner)
        yield
        return
    leases, end = Leases(root, myself(), brief=True), time.monotonic() + MOMENT_S
    while not (answer := leases.take_folder(home)).ours:
        if not answer.brief:
            refuse_held(home)
        if time.monotonic() > end:
            where = LeaseFolder(home).path
            who = f"{answer.other} has moved `{home}` for {MOMENT_S:.0f} s"
            message = f"{who}; wait, or remove `{where}` if nobody is at work"
            raise Held(message)
        time.sleep(AGAIN_S)
    try:
        yield
    finally:
        leases.release_all()


class Leases:
    """
    The leases that one run holds, and those of others that it has seen.

    Args:
        brief: the owner only moves what it has, and lets go in a moment.
    """

    def __init__(
        self,
        root: Path,
        owner: Owner,
        clock: Callable[[], float] = time.monotonic,
        *,
        brief: bool = False,
    ) -> None:
        self.root, self.owner, self.brief = root, owner, brief
        self._clock = clock
        self._held: dict[Path, int] = {}  # the number of its lease, by folder
        self._cells: dict[Path, Cell] = {}
        self._seen: dict[Path, tuple[bytes, float]] = {}  # a foreign lease, and since when so
        self._beat, self._beaten = 0, clock()

    def take(self, cell: Cell) -> Answer:
        """
        Have the cell, unless a living run has it.

        Raises:
            EnvironmentProblem: the folder cannot be written.
        """
        home = store.cell_path(self.root, cell)
        self._cells[home] = cell
        return self.take_folder(home)

    def take_folder(self, home: Path) -> Answer:
        """The same of what has the folder `home`."""
        if home in self._held:
            return Answer(ours=True)
        files = LeaseFolder(home)
        last, content = files.top()
        lease = _lease(content)
        ended = lease is not None and (lease.over or lease.owner == self.owner)  # ours, lost before
        other = lease.owner if lease and not ended else None
        free = content is None or ended
        if not free and not self._dead(home, content or b"", other):
            return Answer(ours=False, other=other, brief=bool(lease and lease.brief))
        n = last + 1
        if (last and content is None) or not files.claim(n, self._text()):
            return self._lost(files)
        if files.top()[0] != n or files.read(last) != content:
            files.remove(n)  # what we went by is no more
            return self._lost(files)
        self._held[home] = n
        return Answer(ours=True, other=other)

    def beat(self) -> list[Cell]:
        """Show now and then that this run lives; returns the cells that another run took over."""
        if self._clock() - self._beaten < BEAT_S:
            return []
        self._beaten = self._clock()
        lost: list[Cell] = []
        self._beat += 1
        for home, n in [*self._held.items()]:
            with suppress(EnvironmentProblem):  # a full disk must not end a run
                if self._mine(files := LeaseFolder(home), n):
                    files.replace(n, self._text())
                else:
                    del self._held[home]
                    lost.append(self._cells[home])
        return lost

    def release(self, cell: Cell) -> None:
        """Let the cell go. A lease that cannot be removed is dead with its process."""
        self._release(store.cell_path(self.root, cell))

    def release_all(self) -> None:
        for home in [*self._held]:
            self._release(home)

    def _release(self, home: Path) -> None:
        n, files = self._held.pop(home, 0), LeaseFolder(home)
        with suppress(EnvironmentProblem):
            if not n or not self._mine(files, n):
                return
            if not home.exists() or (home / "record.json").exists():
                files.clear(n)
                return
            with suppress(EnvironmentProblem):  # a full disk
                if not self.brief:
                    files.replace(n, self._text(over=True))
                    return
            files.remove(n)

    def _lost(self, files: LeaseFolder) -> Answer:
        """Another run was quicker."""
        lease = _lease(files.top()[1])
        return Answer(False, lease and lease.owner, brief=bool(lease and lease.brief))

    def _dead(self, home: Path, content: bytes, owner: Owner | None) -> bool:
        living = alive(owner) if owner else None  # one that cannot be read may be elsewhere
        if owner and self.owner.follows(owner):
            living = False
        if living is not None:
            return not living
        now = self._clock()
        before, since = self._seen.get(home, (b"", now))
        if before != content:
            self._seen[home] = (content, now)
            return False
        return now - since >= DEAD_S

    def _mine(self, files: LeaseFolder, n: int) -> bool:
        number, content = files.top()
        return number == n and _owner(content) == self.owner

    def _text(self, *, over: bool = False) -> str:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        lease = Lease(owner=self.owner, beat=self._beat, at=at, over=over, brief=self.brief)
        return lease.model_dump_json() + "\n"


def _holder(content: bytes | None) -> str:
    lease = _lease(content)
    if content is None or (lease and (lease.over or alive(lease.owner) is False)):
        return ""
    return str(lease.owner if lease else "somebody whose lease cannot be read")


def _owner(content: bytes | None) -> Owner | None:
    lease = _lease(content)
    return lease.owner if lease and not lease.over else None


def _lease(content: bytes | None) -> Lease | None:
    try:
        return Lease.model_validate_json(content or b"")
    except ValidationError:
        return None
