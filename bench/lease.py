"""
Who works on a cell: a lease in the cell's folder, so that runs can share one results folder.

    ROOT/cells/<slug>/lease.json    while a run has the cell
    ROOT/.lock                      held while any lease changes

A lease is dead if its owner is a process of this machine that is gone or, elsewhere, if it did
not change for `DEAD_S` seconds of our own steady clock: no two clocks are ever compared.
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

from filelock import FileLock, Timeout
from pydantic import ValidationError

from bench import store
from bench.cell import Cell, Frozen
from bench.errors import EnvironmentProblem

NAME = "lease.json"
BEAT_S = 10.0
DEAD_S = 60.0
LOCK_S = 60.0
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
    """Does its process run? None: it is not of this machine."""
    if not owner.place or owner.place != _place():
        return None
    return _began(owner.pid) == owner.began


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
        with self._locked():
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
        with suppress(EnvironmentProblem), self._locked():  # a full disk must not end a run
            self._beat += 1
            for cell in list(self._held.values()):
                if self._mine(cell):
                    self._write(cell)
                else:
                    lost.append(self._held.pop(cell.id))
        return lost

    def release(self, cell: Cell) -> None:
        """Let the cell go. A lease that cannot be removed is dead with its process."""
        if self._held.pop(cell.id, None):
            with suppress(EnvironmentProblem, OSError), self._locked():
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
        store.write(self._path(cell), lease.model_dump_json() + "\n")

    def _path(self, cell: Cell) -> Path:
        return store.folder(self.root, cell) / NAME

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        path = self.root / ".lock"
        lock = FileLock(path, timeout=LOCK_S, fallback_to_soft=False)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
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


def _read(path: Path) -> bytes | None:
    """
    The content of a lease; None if there is none.

    Raises:
        EnvironmentProblem: it is there and cannot be read.
    """
    try:
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


@cache
def _place() -> str:
    """This boot of this machine, and whose process numbers are ours; empty without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
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
