"""Files that are written whole or not at all, and are on disk when the writer is told so."""

import errno
import os
import stat
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from bench.errors import EnvironmentProblem

SMALL = 2**26  # bytes that are read at once of what may be anybody's
NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


def is_file(path: Path) -> bool:
    """Is it a file? Not if its name is one that no file can have."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_plain_file(path: Path) -> bool:
    """Is it a file, and no link to one? In strangers' folders a link may lead to a reader's own."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def real_path(path: Path) -> Path:
    """Follow the links of a path as far as they lead; `Path.resolve` raises where they go round."""
    return Path(os.path.realpath(path))


def read_small(path: Path, most: int = SMALL, start: int = 0) -> bytes:
    """
    Read a file that may be anybody's, from byte `start` on: if it is a file, and not too long.

    Raises:
        OSError: it is not there, cannot be read, is a pipe, device or folder, or has more bytes.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no file", str(path))
    if status.st_size - start > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    with path.open("rb") as file:
        file.seek(start)
        return file.read(most)


def write_file(path: Path, content: str | bytes) -> Path:
    """
    Write a file whole or not at all.

    Raises:
        EnvironmentProblem: the disk is full, or the folder cannot be written.
    """
    try:
        with open_atomic(path) as file:
            file.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        message = f"cannot write `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    return path


def write_files(contents: Mapping[Path, str]) -> None:
    """
    Write many files of one folder, each whole or not at all; all are on disk at the end.

    The disk is waited for once and not for each of them.

    Raises:
        EnvironmentProblem: as `write_file`.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[path] = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
            parts[path].write_text(content, encoding="utf-8")
        os.sync()
        for path, part in parts.items():
            part.replace(path)
        for folder in {path.parent for path in parts}:
            sync_folder(folder)
    except OSError as error:
        message = f"cannot write `{error.filename}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def create_file(path: Path, content: str | bytes) -> bool:
    """
    Write a file, whole, where none of that name is; returns whether it was this call that did.

    Of several processes one succeeds, on any machine: a link never replaces what is there.

    Raises:
        EnvironmentProblem: the disk is full, or the folder cannot be written or has no links.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    write_file(part, content)
    try:
        with suppress(FileExistsError):
            os.link(part, path)
        made = part.stat().st_nlink > 1  # a network may repeat a request, and say that it failed
        sync_folder(path.parent)
    except OSError as error:
        message = f"cannot write `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    finally:
        part.unlink(missing_ok=True)
    return made


@contextmanager
def open_atomic(path: Path) -> Generator[IO[bytes], None, None]:
    """
    A file that is at `path`, and on disk, when all of it is written, or leaves nothing.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # others may read it
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_output(path: Path, content: bytes) -> Path:
    """
    Write a file where a person asked for it; through a link, and never over what is no file.

    Raises:
        EnvironmentProblem: something else is there, the disk is full, or it cannot be written.
    """
    if path.exists() and not path.is_file():
        message = f"cannot write `{path}`: it is there and no file; name another"
        raise EnvironmentProblem(message)
    write_file(real_path(path), content)
    return path


def append_text(path: Path, text: str) -> None:
    """
    Add to a log.

    Raises:
        EnvironmentProblem: the disk is full, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW  # a link may lead anywhere
        with os.fdopen(os.open(path, flags, 0o666), "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"cannot write `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None


def sync_folder(folder: Path) -> None:
    """
    Have a folder's entries on disk, where its file system can do that.

    Raises:
        OSError: the disk fails.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)
