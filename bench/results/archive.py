"""
Results in one file: a gzipped tar of the oldest plain form, with a manifest of digests.

    cells/<slug>/record.json  log.txt  {last,best}.safetensors  checkpoints/...
    suites/<suite>/plan.json  leaderboard.{md,csv,json}
    manifest.json

The same results give the same bytes: names are sorted, times and owners are zero. What is read
back may come from anybody: there are no entries but plain files under the names above, so links,
devices, folders and extended headers end the reading, and nothing is believed before the manifest
at the end has agreed.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from bench.base.files import open_atomic
from bench.errors import EnvironmentProblem, UsageError
from bench.results.cell_folders import CellFolder
from bench.spec.plan import Plan

FORMAT, MANIFEST = "signbench results 1", "manifest.json"
TENSORS = ("last.safetensors", "best.safetensors")
FILES = ("log.txt", "record.json")
TABLES = ("leaderboard.csv", "leaderboard.json", "leaderboard.md", "plan.json")
_PART = r"[^/\\.\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*"
_CHECKPOINT = rf"checkpoints/{_PART}(?:/{_PART})?"
CELL = re.compile(
    rf"cells/{_PART}/(?:{'|'.join(map(re.escape, (*FILES, *TENSORS)))}|{_CHECKPOINT})"
)
SUITE = re.compile(rf"suites/{_PART}/(?:{'|'.join(map(re.escape, TABLES))})")
BLOCK, CHUNK = 512, 2**20
SMALL, LARGE = 2**26, 2**32  # bytes: of what is read at once, and of tensors
MANY = 200_000  # files
RATIO, SPARE = 100, 2**26  # what is unpacked is at most so often what was packed, and bytes more


def list_cell_files(
    cell: CellFolder, weights: Iterable[str] = TENSORS, checkpoints: bool = True
) -> Iterator[tuple[str, Path]]:
    """Each file of a cell that travels, these weights among them, and its name; links do not."""
    paths = [cell.home / name for name in (*FILES, *weights)]
    if checkpoints and not (cell.home / "checkpoints").is_symlink():
        paths += (cell.home / "checkpoints").rglob("*")
    for path in paths:
        name = f"cells/{cell.slug}/{path.relative_to(cell.home).as_posix()}"
        if path.is_file() and not path.is_symlink() and CELL.fullmatch(name):
            yield name, path


def list_suite_files(root: Path, plan: Plan) -> Iterator[tuple[str, Path]]:
    """The same of a suite."""
    for name in TABLES:
        path = root / "suites" / plan.suite / name
        if path.is_file() and not path.is_symlink():
            yield f"suites/{plan.suite}/{name}", path


def write_archive(target: Path, members: Iterable[tuple[str, Path]], effort: int = 9) -> int:
    """
    Write files to an archive, whole or not at all; returns its size in bytes.

    Args:
        effort: of gzip, from 1, the quickest, to 9.

    Raises:
        UsageError: `target` exists.
        EnvironmentProblem: a file cannot be read, or the disk is full.
    """
    if target.exists():
        message = f"`{target}` exists; name another file, or remove it"
        raise UsageError(message)
    try:
        with open_atomic(target) as file:
            _write(file, sorted(members), effort)
        return target.stat().st_size
    except (OSError, ValueError) as error:
        raise _unwritten(error, f"`{target}`") from None


def pack_archive(members: Iterable[tuple[str, Path]], effort: int = 9) -> bytes:
    """
    Write files to an archive in memory, of which nothing is left if this process is killed.

    Raises:
        EnvironmentProblem: a file cannot be read.
    """
    packed = io.BytesIO()
    try:
        _write(packed, sorted(members), effort)
    except (OSError, ValueError) as error:
        raise _unwritten(error) from None
    return packed.getvalue()


def _unwritten(error: OSError | ValueError, what: str = "an archive") -> EnvironmentProblem:
    """Say why an archive is not; tarfile calls a name that is too long a wrong value."""
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return EnvironmentProblem(f"cannot write {what}: {reason}")


def _write(file: IO[bytes], members: list[tuple[str, Path]], effort: int) -> None:
    known: dict[str, str] = {}
    with (
        gzip.GzipFile("", "wb", effort, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, path in members:
            with path.open("rb") as source:
                info = tarfile.TarInfo(name)
                info.size = os.fstat(source.fileno()).st_size
                reader = _Hashed(source)
                tar.addfile(info, reader)  # pyright: ignore[reportArgumentType] - it only reads
                known[name] = reader.sha.hexdigest()
        text = json.dumps({"format": FORMAT, "sha256": known}, indent=1, ensure_ascii=False)
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(text.encode())
        tar.addfile(info, io.BytesIO(text.encode()))


class _Hashed:
    """A file that digests what is read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sha = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        content = self.file.read(size)
        self.sha.update(content)
        return content


def read_archive(path: Path, into: Path) -> None:
    """
    Read an archive of `write_archive` into the empty folder `into`.

    Raises:
        UsageError: it is something else, cut short, damaged, or made to do harm.
        EnvironmentProblem: there is no room for it.
    """
    if not path.is_file():  # a pipe would be waited for, and a device has no end
        raise _refused(path, "it is no file")
    try:
        with path.open("rb") as file, gzip.GzipFile(fileobj=file) as stream:
            most = RATIO * os.fstat(file.fileno()).st_size + SPARE
            digests = _entries(stream, into, most)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _refused(path, "it is cut short, damaged, or no gzipped file") from None
    except _Wrong as wrong:
        raise _refused(path, str(wrong)) from None
    except OSError as error:
        message = f"cannot unpack `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    if digests.pop(MANIFEST, None) is None or _promised(into / MANIFEST) != digests:
        raise _refused(path, "its files are not those of its manifest")


class _Wrong(Exception):
    """Why an archive is not one of ours."""


def _refused(path: Path, reason: str) -> UsageError:
    return UsageError(f"`{path}` is not an archive of `bench export`: {reason}")


def _promised(path: Path) -> Any:
    """What the manifest says of the files, or nothing."""
    try:
        manifest: Any = json.loads(path.read_bytes())
        return manifest["sha256"] if manifest["format"] == FORMAT else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _entries(stream: gzip.GzipFile, into: Path, most: int) -> dict[str, str]:
    """Write every entry below `into`, `most` bytes in all; returns their digests."""
    digests: dict[str, str] = {}
    while (header := _exactly(stream, BLOCK)) != bytes(BLOCK):
        info = _header(header)
        if info.name in digests or len(digests) >= MANY:
            message = f"it holds `{info.name[:80]}` twice, or more than {MANY:,} files"
            raise _Wrong(message)
        most -= info.size
        if most < 0:
            message = f"it unpacks to more than {RATIO} times its size"
            raise _Wrong(message)
        if shutil.disk_usage(into).free < info.size:
            message = f"no room for `{info.name}` of {info.size:,} bytes in `{into.parent}`"
            raise EnvironmentProblem(message)
        digests[info.name] = _copy(stream, info, into / info.name)
    rest = stream.read(CHUNK)
    if rest.strip(b"\0") or len(rest) == CHUNK:
        message = "something stands after its end"
        raise _Wrong(message)
    return digests


def _header(block: bytes) -> tarfile.TarInfo:
    """One entry's name and size, if both are such as `write_archive` writes."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError):
        message = "it holds no tar, or a damaged one"
        raise _Wrong(message) from None
    name = info.name
    if info.type != tarfile.REGTYPE:
        message = f"its entry {name[:80]!r} is no plain file"
        raise _Wrong(message)
    if not (name == MANIFEST or CELL.fullmatch(name) or SUITE.fullmatch(name)):
        message = f"it holds {name[:80]!r}, which is no file of a cell or a suite"
        raise _Wrong(message)
    most = LARGE if name.endswith(TENSORS) or "/checkpoints/" in name else SMALL
    if not 0 <= info.size <= most:
        message = f"its entry {name[:80]!r} has {info.size:,} bytes, the most is {most:,}"
        raise _Wrong(message)
    return info


def _copy(stream: gzip.GzipFile, info: tarfile.TarInfo, path: Path) -> str:
    """Write one entry; returns its digest."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("xb")
    except (FileExistsError, NotADirectoryError):  # `checkpoints/a` and `checkpoints/a/b`
        message = f"its entry {info.name[:80]!r} is both a file and a folder"
        raise _Wrong(message) from None
    sha, left = hashlib.sha256(), info.size
    with opened as file:
        while left:
            content = _exactly(stream, min(left, CHUNK))
            left -= len(content)
            sha.update(content)
            file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _exactly(stream, -info.size % BLOCK)
    return sha.hexdigest()


def _exactly(stream: gzip.GzipFile, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content
