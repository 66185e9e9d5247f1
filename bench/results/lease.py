"""
Who works on a cell: a lease in the cell's folder, so that runs can share one results folder.

    ROOT/cells/<slug>/lease.json    while a run has the cell
    ROOT/.lock                      held while any lease changes, or a cell's folder is moved

A lease is dead if its owner is a process of this machine that is gone or, elsewhere, if it did
not change for `DEAD_S` seconds of our own steady clock: no two clocks are ever compared. Machines
are told apart by their host names.
"""

import errno
import os
import socket
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from stat import S_ISREG

from filelock import FileLock, Timeout
from pydantic import ValidationError

from bench.base import machine
from bench.base.files import write_file
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem
from bench.results import store
from bench.spec.cell import Cell

NAME = "lease.json"
BEAT_S = 10.0
DEAD_S = 60.0
LOCK_S = 20.0  # well below DEAD_S: a run that waits for the lock must not be taken for dead
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


class Owner(Frozen):
    """A process of some machine, told apart from a later one that has its number."""

    host: str
    pid: int
    place: str  # boot and process namespace; empty where the system does not tell
    began: str  # in ticks since boot
    run: str  # tells two runs of one process apart

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"


class Lease(Frozen):
    """What a lease file says."""

    owner: Owner
    beat: int
    at: str  # UTC by the owner's clock, for people


@dataclass(frozen=True)
class Answer:
    """May this run have the cell? `other` has it or, if it is ours, had it and died."""

    ours: bool
    other: Owner | None = None


def myself() -> Owner:
    """This process, under a name for one run."""
    pid = os.getpid()
    return Owner(
        host=socket.gethostname(),
        pid=pid,
        place=_place(),
        began=_began(pid),
        run=uuid.uuid4().hex[:12],
    )


def alive(owner: Owner) -> bool | None:
    """Does its process run? None: it is of another machine, or of a container of this one."""
    place = _place()
    if owner.place and owner.place == place:
        return _began(owner.pid) == owner.began
    if owner.host != socket.gethostname():
        return None
    if not owner.place and not place:
        return _there(owner.pid)
    booted = owner.place and place and _boot(owner.place) != _boot(place)
    return False if booted else None


def holder(home: Path) -> str:
    """
    Who has the cell whose folder this is, in words; empty if nobody.

    A process of this machine that is gone has nothing. Whether one elsewhere lives is not asked.
    """
    content = _read(home / NAME)
    owner = _owner(content)
    if content is None or (owner and alive(owner) is False):
        return ""
    return str(owner or "somebody whose lease cannot be read")


class Held(EnvironmentProblem):
    """A run is at work where something else was to be done."""


def refuse_held(home: Path, owner: Owner | None = None) -> None:
    """
    Nothing, unless a run other than `owner` has the cell whose folder this is.

    Raises:
        Held: one has it.
    """
    who = holder(home)
    if who and (owner is None or _owner(_read(home / NAME)) != owner):
        message = f"{who} has this cell; wait, or remove `{home / NAME}` if nobody is at work"
        raise Held(message)


@contextmanager
def idle(
    root: Path, home: Path | None = None, owner: Owner | None = None
) -> Generator[None, None, None]:
    """
    A time in which no run takes a cell of `root`, and none but `owner` has `home`; None: any.

    Raises:
        Held: one has it.
        EnvironmentProblem: the folder cannot be locked.
    """
    with locked(root):
        for each in [home] if home else held(root):
            refuse_held(each, owner)
        yield


def held(root: Path) -> list[Path]:
    """The folders of the cells that runs have."""
    homes = [path.parent for path in (root / "cells").glob(f"*/{NAME}")]
    return [home for home in homes if holder(home)]


@contextmanager
def locked(root: Path) -> Generator[None, None, None]:
    """
    The lock under which leases change.

    Raises:
        EnvironmentProblem: the folder cannot be locked, or another program keeps the lock.
    """
    path = root / ".lock"
    lock = FileLock(path, timeout=LOCK_S, fallback_to_soft=False)
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        message = f"`{path}` is locked by another program for {LOCK_S:.0f} s"
        raise EnvironmentProblem(message) from None
    except OSError as error:
        message = f"cannot lock `{path}`: {error.strerror or error}"
        if error.errno in NO_LOCKS:
            message += "; give --results on a file system that has locks"
        raise EnvironmentProblem(message) from None
    try:
        yield
    finally:
        lock.release()


class Leases:
    """The leases that one run holds, and those of others that it has seen."""

    def __init__(
        self, root: Path, owner: Owner, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.root, self.owner = root, owner
        self._clock = clock
        self._held: dict[str, Cell] = {}
        self._seen: dict[str, tuple[bytes, float]] = {}  # a foreign lease, and since when so
        self._beat, self._beaten = 0, clock()

    def take(self, cell: Cell) -> Answer:
        """
        Have the cell, unless a living run has it.

        Raises:
            EnvironmentProblem: the folder cannot be written or locked.
        """
        if cell.id in self._held:
            return Answer(ours=True)
        with locked(self.root):
            content = _read(self._path(cell))
            other = _owner(content)
            if content is not None and not self._dead(cell, content, other):
                return Answer(ours=False, other=other)
            self._write(cell)
            self._held[cell.id] = cell
            return Answer(ours=True, other=other)

    def beat(self) -> list[Cell]:
        """Show now and then that this run lives; returns the cells that another run took over."""
        if self._clock() - self._beaten < BEAT_S:
            return []
        self._beaten = self._clock()
        lost: list[Cell] = []
        self._beat += 1
        with suppress(EnvironmentProblem), locked(self.root):
            for cell in list(self._held.values()):
                with suppress(EnvironmentProblem):  # a full disk must not end a run
                    if self._mine(cell):
                        self._write(cell)
                    else:
                        lost.append(self._held.pop(cell.id))
        return lost

    def release(self, cell: Cell) -> None:
        """Let the cell go. A lease that cannot be removed is dead with its process."""
        if self._held.pop(cell.id, None):
            with suppress(EnvironmentProblem, OSError), locked(self.root):
                if self._mine(cell):
                    self._path(cell).unlink()

    def release_all(self) -> None:
        for cell in list(self._held.values()):
            self.release(cell)

    def _dead(self, cell: Cell, content: bytes, owner: Owner | None) -> bool:
        living = alive(owner) if owner else None  # one that cannot be read may be elsewhere
        if living is not None:
            return not living
        now = self._clock()
        before, since = self._seen.get(cell.id, (b"", now))
        if before != content:
            self._seen[cell.id] = (content, now)
            return False
        return now - since >= DEAD_S

    def _mine(self, cell: Cell) -> bool:
        return _owner(_read(self._path(cell))) == self.owner

    def _write(self, cell: Cell) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        lease = Lease(owner=self.owner, beat=self._beat, at=at)
        write_file(self._path(cell), lease.model_dump_json() + "\n")

    def _path(self, cell: Cell) -> Path:
        return store.cell_path(self.root, cell) / NAME


def _read(path: Path) -> bytes | None:
    """
    The content of a lease; None if there is none.

    Raises:
        EnvironmentProblem: it is there and cannot be read, or is a link, a pipe or a folder.
    """
    try:
        if not S_ISREG(path.lstat().st_mode):
            message = f"`{path}` is not a file; remove it if nobody is at work"
            raise EnvironmentProblem(message)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        message = f"cannot read `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None


def _owner(content: bytes | None) -> Owner | None:
    try:
        return Lease.model_validate_json(content or b"").owner
    except ValidationError:
        return None


def _boot(place: str) -> str:
    return place.partition(" ")[0]


def _there(pid: int) -> bool:
    """Is there a process of that number? All that can be asked without /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return True


@cache
def _place() -> str:
    """This boot of this machine, and whose process numbers are ours; empty without /proc."""
    boot = machine.boot()
    try:
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}" if boot else ""
    except OSError:
        return ""


def _began(pid: int) -> str:
    """When a process began; empty if there is none, or only what its parent has yet to bury."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    words = stat.rpartition(")")[2].split()  # a process may have any name
    return "" if words[0] in "ZX" else words[19]
