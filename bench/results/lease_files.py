"""
The leases of one cell on disk, numbered; made so that of all who try for a number one has it.

    ROOT/leases/cells/<slug>/lease-<n>.json

A hard link is made at once or not at all and replaces nothing, on shared disks, too; the answer
may be lost on the way from a server, so the links are counted. What has no hard links, as USB
sticks, has files that are created only where there is none.
"""

import errno
import os
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from bench.base.files import write_file
from bench.errors import EnvironmentProblem
from bench.results import store

OLD = "lease.json"  # in a cell's folder, of earlier versions: number 0
FILE = re.compile(r"lease-([1-9]\d*)\.json")
NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}
LOST = {errno.EEXIST, errno.ENOENT}
LARGEST = 2**16  # bytes of a lease
TRIES = 5  # to make a file in a folder that another process removes when it is done with it


@dataclass(frozen=True)
class LeaseFolder:
    """The leases of `home`, a folder two levels below a results folder, there or not."""

    home: Path

    @property
    def path(self) -> Path:
        return self.home.parent.parent / "leases" / self.home.parent.name / self.home.name

    def file(self, n: int) -> Path:
        return self.path / f"lease-{n}.json" if n else self.home / OLD

    def top(self) -> tuple[int, bytes | None]:
        """
        The highest number and what its lease says; 0 and None where there is none.

        A listing may be late, so its names are asked for, and those that follow.

        Raises:
            EnvironmentProblem: it is there and cannot be read, or is a link, a pipe or a folder.
        """
        listed = sorted(self._listed(), reverse=True)
        n = next((n for n in listed if os.path.lexists(self.file(n))), 0)
        while os.path.lexists(self.file(n + 1)):
            n += 1
        return n, self.read(n)

    def read(self, n: int) -> bytes | None:
        """What lease `n` says, None if there is none; raises as `top`."""
        path = self.file(n)
        try:
            if not S_ISREG(path.lstat().st_mode):
                message = f"`{path}` is not a file; remove it if nobody is at work"
                raise EnvironmentProblem(message)
            with path.open("rb") as file:
                return file.read(LARGEST)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            message = f"cannot read `{path}`: {error.strerror or error}"
            raise EnvironmentProblem(message) from None

    def claim(self, n: int, content: str) -> bool:
        """
        Make number `n`; returns whether it was made here.

        Raises:
            EnvironmentProblem: the folder cannot be written.
        """
        kind, name = self.home.parts[-2:]
        path = store.path_inside(self.home.parent.parent, f"leases/{kind}", name)
        try:
            for left in reversed(range(TRIES)):
                try:
                    path.mkdir(parents=True, exist_ok=True)
                    return _make(path / f"lease-{n}.json", content)
                except FileNotFoundError:
                    pass  # removed since
                except FileExistsError:  # removed while `mkdir` looked whether it is a folder
                    if not left:
                        raise  # it is none
        except OSError as error:
            message = f"cannot write `{path}`: {error.strerror or error}"
            raise EnvironmentProblem(message) from None
        return False

    def replace(self, n: int, content: str) -> None:
        """
        Write one's own lease anew.

        Raises:
            EnvironmentProblem: the folder cannot be written.
        """
        write_file(self.file(n), content)

    def remove(self, n: int) -> None:
        """Remove a lease, as far as that goes, and folders that are empty then."""
        self._remove([n])

    def clear(self, n: int) -> None:
        """Remove all of them, one's own, the highest, last."""
        self._remove([0, *sorted(self._listed() - {n}), n])

    def _remove(self, numbers: list[int]) -> None:
        for n in numbers:
            with suppress(OSError):
                self.file(n).unlink()
        with suppress(OSError):
            for folder in (self.path, *self.path.parents[:2]):
                folder.rmdir()

    def _listed(self) -> set[int]:
        try:
            names = os.listdir(self.path)  # noqa: PTH208 - a name is all that is asked for
        except (FileNotFoundError, NotADirectoryError):
            return set()
        except OSError as error:
            message = f"cannot read `{self.path}`: {error.strerror or error}"
            raise EnvironmentProblem(message) from None
        return {int(found[1]) for name in names if (found := FILE.fullmatch(name))}


def _make(path: Path, content: str) -> bool:
    """Make a file with all of its content where there is none; was it made here?"""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        try:
            os.link(part, path)
        except OSError as error:
            if error.errno in NO_LINKS:
                return _create(path, content)
            if error.errno not in LOST and part.stat().st_nlink < 2:
                raise
        return part.stat().st_nlink > 1
    except FileNotFoundError:  # somebody removed the part
        return path.is_file() and path.read_text(encoding="utf-8") == content
    finally:
        part.unlink(missing_ok=True)


def _create(path: Path, content: str) -> bool:
    """The same without links: whoever reads it too early takes it for one that is damaged."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
    return True
