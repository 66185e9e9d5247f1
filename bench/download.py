"""
Files from the network: resumed, checked, from the first mirror that serves them.

Bytes gather in `<archive>.part` and are unpacked only when their MD5 is the published one,
so it does not matter who served them, nor over how many connections.
"""

import hashlib
import os
import re
import tarfile
import time
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from gzip import BadGzipFile
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from torchvision.datasets import CIFAR10  # pyright: ignore[reportMissingTypeStubs] - has none

from bench.document import suggest
from bench.errors import DataError, UsageError
from bench.sources import SOURCES, Cifar10

TIMEOUT_S, PAUSE_S = 30.0, 1.0  # of one wait for bytes; between two tries of one mirror
TRIES = 3  # in a row that bring nothing new
CHUNK = 1 << 18
RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
BY_HAND = {  # where, and what to put there
    "cifar10-partial": ("cifar-10-partial-py", "`test_batch` and any of `data_batch_1` to `_5`"),
    "fashion_mnist": (
        "fashion-mnist",
        "`{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`, four files; or on Debian: "
        "apt-get install dataset-fashion-mnist",
    ),
}


class _FailedError(Exception):
    """A try came to nothing; the same mirror deserves another."""


class _RefusedError(_FailedError):
    """A mirror does not have the file: on to the next."""


def prepare(
    name: str,
    folder: Path,
    *,
    mirrors: Sequence[str] = (),
    allowed: bool = True,
    report: Callable[[str], None],
) -> Path:
    """
    Make sure that a data set is in `folder`, downloading it where that is possible and `allowed`.

    `mirrors` are URLs of the archive, tried before `$BENCH_CIFAR10_URL` and torchvision's own;
    `report` is told in lines of text how it goes.

    Returns: the folder of CIFAR-10's batches; for other data sets `folder`.

    Raises:
        UsageError: no such data set.
        DataError: not there and not to be had; the message says what to do by hand.
    """
    if name not in SOURCES:
        message = f"no data set `{name}`{suggest(name, SOURCES)}"
        raise UsageError(message)
    home = folder / CIFAR10.base_folder if name == "cifar10" else folder
    try:
        label = SOURCES[name]().find(folder).label
    except DataError as error:
        problem = str(error).partition("; ")[0]
    else:
        report(f"{name}: {label} is there, nothing to download")
        return home
    if name != "cifar10":
        where, what = BY_HAND.get(name, ("", "its files"))
        message = f"{problem}; {name} is not downloaded: into `{folder / where}/` put {what}"
        raise DataError(message)
    archive, md5 = CIFAR10.filename, CIFAR10.tgz_md5
    by_hand = f"get `{archive}` (MD5 {md5}) from {CIFAR10.url} and unpack it as `{home}/`"
    if not allowed:
        message = f"{problem}; offline, so elsewhere {by_hand}"
        raise DataError(message)
    others = os.environ.get("BENCH_CIFAR10_URL", "").split(",")
    urls = dict.fromkeys(u.strip() for u in (*mirrors, *others, CIFAR10.url) if u.strip())
    for url in urls:
        if not url.lower().startswith(("http://", "https://")):
            message = f"`{url}`: a mirror is an http or https URL; or {by_hand}"
            raise DataError(message)
    part = folder / f"{archive}.part"
    with _disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if _md5(part) != md5:
            _download(list(urls), part, md5, by_hand, report)
        report(f"{archive}: MD5 {md5} as published, unpacking")
        _unpack(part, folder)
    Cifar10().find(folder)
    return home


def _download(
    urls: list[str], part: Path, md5: str, by_hand: str, report: Callable[[str], None]
) -> None:
    """Complete `part` from the first mirror that can."""
    problems: list[str] = []
    for url in urls:
        report(f"{part.stem}: from {url}")
        try:
            return _fetch(url, part, md5, report)
        except _FailedError as error:
            problems.append(f"{url}: {error}")
            report(f"{problems[-1]}; giving this mirror up")
    kept = f"run this again to resume `{part}`" if _size(part) else "try later"
    message = f"no mirror served `{part.stem}`; {kept}, name another by --mirror, or {by_hand}"
    raise DataError("\n".join([message, *problems]))


def _fetch(url: str, part: Path, md5: str, report: Callable[[str], None]) -> None:
    """Complete `part` from one mirror, resuming while that brings bytes never had before."""
    tries, most = 0, _size(part)
    while True:
        try:
            resumed = _receive(url, part, report)
            if (found := _md5(part)) == md5:
                return
            part.unlink(missing_ok=True)
            # What a resumption went on from may be another mirror's fault.
            raise (_FailedError if resumed else _RefusedError)(f"wrong bytes, their MD5 is {found}")
        except _FailedError as error:
            size = _size(part)
            tries = 0 if size > most else tries + 1
            most = max(most, size)
            if tries == TRIES or isinstance(error, _RefusedError):
                raise
            report(f"{url}: {error}; trying again from byte {size:,}")
            time.sleep(PAUSE_S)


def _receive(url: str, part: Path, report: Callable[[str], None]) -> bool:
    """One request for what `part` lacks; whether it went on from what was there."""
    start = _size(part)
    answer = _ask(url, start)
    if answer is None:
        return True
    with answer:
        resumed = answer.status == 206
        spot = RANGE.fullmatch(answer.headers.get("Content-Range", "")) if resumed else None
        if resumed and (spot is None or int(spot[1]) != start):
            part.unlink(missing_ok=True)
            message = "it sent another range than was asked for"
            raise _FailedError(message)
        done = start if resumed else 0
        length = answer.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else 0  # 0 where it does not say
        total = int(spot[2]) if spot and spot[2] != "*" else total
        with part.open("ab" if resumed else "wb") as file:
            while chunk := _read(answer):
                file.write(chunk)
                done += len(chunk)
                if total and 20 * done // total > 20 * (done - len(chunk)) // total:
                    report(f"{part.stem}: {100 * done // total} % of {total / 1e6:.1f} MB")
    if done < total:
        message = f"it broke off at byte {done:,} of {total:,}"
        raise _FailedError(message)
    return resumed


def _ask(url: str, start: int) -> HTTPResponse | None:
    """The file from byte `start` on; None where there is nothing beyond it."""
    headers = {"User-Agent": "signbench"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        with _network():
            answer: Any = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)
    except HTTPError as error:
        error.close()
        if error.code == 416 and start:
            return None
        kind = _FailedError if error.code >= 500 or error.code in {408, 429} else _RefusedError
        raise kind(f"HTTP {error.code} {error.reason}") from None
    if not isinstance(answer, HTTPResponse):
        answer.close()
        message = "it redirects to something other than http"
        raise _RefusedError(message)
    return answer


def _read(answer: HTTPResponse) -> bytes:
    with _network():
        return answer.read1(CHUNK)  # `read` drops what came before a broken connection


@contextmanager
def _network() -> Generator[None, None, None]:
    """Tell the network's failures from the disk's: both are `OSError`."""
    try:
        yield
    except HTTPError:
        raise
    except (HTTPException, OSError, ValueError) as error:
        kind = _RefusedError if isinstance(error, (InvalidURL, ValueError)) else _FailedError
        reason: Any = error.reason if isinstance(error, URLError) else error
        text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise kind(text) from None


@contextmanager
def _disk(folder: Path) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        message = f"cannot write `{error.filename or folder}`: {error.strerror or error}; "
        raise DataError(
            message + "make room there, or point --data or BENCH_DATA elsewhere"
        ) from None


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _md5(part: Path) -> str:
    """Of what is there; of nothing where nothing is."""
    if not part.exists():
        return ""
    with part.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _unpack(part: Path, folder: Path) -> None:
    """Unpack an archive that is what was published, and remove it."""
    try:
        with tarfile.open(part) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, BadGzipFile) as error:
        part.unlink()
        message = f"{part}: not an archive to unpack, so deleted: {error}; try another mirror"
        raise DataError(message) from None
    part.unlink()
