"""
Files from the network: resumed, checked, from the first mirror that serves them.

Bytes gather in `<archive>.part` and are unpacked only when their MD5 is the published one,
so it does not matter who served them, nor over how many connections.
"""

import hashlib
import os
import tarfile
import time
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from bench.data.dataset import Report
from bench.data.source import named
from bench.errors import DataError

TIMEOUT_S, PAUSE_S = 30.0, 1.0  # of one wait for bytes; between two tries of a mirror
TRIES = 3  # in a row that bring nothing new
PUBLISHED = {"cifar10": "CIFAR10", "cifar100": "CIFAR100"}  # torchvision's classes, with MD5s
BY_HAND = {
    "cifar10-partial": "`cifar-10-partial-py/test_batch` and any of its `data_batch_1` to `_5`",
    "fashion_mnist": "`fashion-mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`, four "
    "files, or on Debian: apt-get install dataset-fashion-mnist",
    "imagenet": "`imagenet/train/<class>/*.JPEG` and `imagenet/val/<class>/*.JPEG`, the same class "
    "folders in both (image-net.org gives the archives to those who register; the validation "
    "images have to be sorted into their classes), or a link `imagenet` to where they are; a part "
    "with fewer classes needs `classes: N` in the suite",
}


@dataclass(frozen=True)
class Archive:
    """A published archive, the folder that it unpacks to, and where else it may be had."""

    name: str
    md5: str
    url: str
    home: Path
    variable: str  # of the environment: URLs joined by commas


def prepare(
    name: str, folder: Path, *, mirrors: Sequence[str] = (), allowed: bool = True, report: Report
) -> Path:
    """
    Make sure that a data set is in `folder`, downloading it where that is possible and `allowed`.

    URLs in `mirrors` come before `$BENCH_CIFAR10_URL` (of cifar100 `$BENCH_CIFAR100_URL`) and
    torchvision's own; `report` is told how it goes. Returns the folder of CIFAR's batches, or
    `folder` for other data sets.

    Raises:
        UsageError: no such data set.
        DataError: not there and not to be had; the message says what to do by hand.
    """
    source, archive = named(name)(), _archive(name, folder)
    home = archive.home if archive else folder
    try:
        report(f"{name}: {source.find(folder).label} is there, nothing to download")
        return home
    except DataError as error:
        problem = str(error).partition("; ")[0]
    if archive is None:
        files = BY_HAND.get(name, "its files")
        message = f"{problem}; {name} is not downloaded: put into `{folder}` {files}"
        raise DataError(message)
    urls = _urls(mirrors, archive)  # a wrong one is told, whatever is there
    there = folder / archive.name
    if _unpack_own(there, archive, report):
        source.find(folder)
        return home
    if not allowed:
        message = f"{problem}; offline, so on another machine {_by_hand(archive)}"
        raise DataError(message)
    part = folder / f"{archive.name}.part"
    with _disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if _md5(part) != archive.md5:
            _download(urls, part, archive, report)
        report(f"{archive.name}: MD5 {archive.md5} as published, unpacking")
        _unpack(part, folder)
    source.find(folder)
    return home


def _archive(name: str, folder: Path) -> Archive | None:
    """What there is to download of a data set."""
    if name not in PUBLISHED:
        return None
    from torchvision import datasets  # pyright: ignore[reportMissingTypeStubs] - a slow import

    known = getattr(datasets, PUBLISHED[name])
    home, variable = folder / known.base_folder, f"BENCH_{name.upper()}_URL"
    return Archive(known.filename, known.tgz_md5, known.url, home, variable)


def _by_hand(archive: Archive) -> str:
    what = f"`{archive.name}` (MD5 {archive.md5})"
    return (
        f"get {what} from {archive.url} and put it into `{archive.home.parent}/`, where it is "
        f"checked and unpacked, or unpack it as `{archive.home}/`"
    )


def _urls(mirrors: Sequence[str], archive: Archive) -> list[str]:
    others = os.environ.get(archive.variable, "").split(",")
    urls = [url.strip() for url in (*mirrors, *others, archive.url) if url.strip()]
    for url in urls:
        if not url.lower().startswith(("http://", "https://")):
            message = f"`{url}`: a mirror is an http or https URL of `{archive.name}`"
            raise DataError(message)
    return list(dict.fromkeys(urls))


def _download(urls: list[str], part: Path, archive: Archive, report: Report) -> None:
    """Complete `part` from the first mirror that can."""
    problems: list[str] = []
    for url in urls:
        report(f"{part.stem}: from {url}")
        if not (reason := _fetch(url, part, archive.md5, report)):
            return
        problems.append(f"{url}: {reason}")
        report(f"{problems[-1]}; giving this mirror up")
    kept = f"run this again to resume `{part}`" if _size(part) else "try later"
    message = f"no mirror served `{part.stem}`; {kept}, name another by --mirror, or "
    raise DataError("\n".join([message + _by_hand(archive), *problems]))


def _fetch(url: str, part: Path, md5: str, report: Report) -> str:
    """Complete `part` from one mirror while it brings new bytes; the reason if it does not."""
    tries, most, reason = 0, _size(part), ""
    while tries < TRIES:
        try:
            resumed = _receive(url, part, report)
            if (found := _md5(part)) == md5:
                return ""
            part.unlink(missing_ok=True)
            reason = f"wrong bytes, their MD5 is {found}"
            if not resumed:  # else what it went on from may be another mirror's fault
                return reason
        except (HTTPException, OSError, ValueError) as error:
            reason, final = _explain(error)
            if final:
                return reason
        size = _size(part)
        tries = 0 if size > most else tries + 1
        most = max(most, size)
        if tries < TRIES:
            report(f"{url}: {reason}; going on from byte {size:,}")
            time.sleep(PAUSE_S)
    return reason


def _explain(error: Exception) -> tuple[str, bool]:
    """The reason in words, and whether trying again is no use."""
    if isinstance(error, HTTPError):
        error.close()
        return str(error), error.code < 500 and error.code not in {408, 429}
    reason = getattr(error, "reason", error)  # what a URLError wraps
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return text, isinstance(error, (InvalidURL, ValueError))


def _receive(url: str, part: Path, report: Report) -> bool:
    """One request for what `part` lacks; whether it went on from what was there."""
    start = _size(part)
    headers = {"User-Agent": "signbench"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        answer: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)
    except HTTPError as error:
        if error.code != 416 or not start:
            raise
        error.close()
        return True  # nothing beyond: the MD5 tells whether it is whole
    with answer:
        span = answer.headers.get("Content-Range", "")
        resumed = answer.status == 206 and span.startswith(f"bytes {start}-")
        if start and not resumed:
            part.unlink()
        if answer.status == 206 and not resumed:
            message = "it sent another range than was asked for"
            raise ConnectionError(message)
        done, size = start if resumed else 0, span.rpartition("/")[2]
        told = answer.headers.get("Content-Length", -done)
        total = int(size) if size.isdecimal() else done + int(told)  # 0 where it is not told
        while chunk := answer.read1(1 << 18):  # `read` drops what came before a failure
            with _disk(part), part.open("ab") as file:
                file.write(chunk)
            done += len(chunk)
            if total and 20 * done // total > 20 * (done - len(chunk)) // total:
                report(f"{part.stem}: {100 * done // total} % of {total / 1e6:.1f} MB")
    if done < total:
        message = f"it broke off at byte {done:,} of {total:,}"
        raise ConnectionError(message)
    return resumed


@contextmanager
def _disk(path: Path) -> Generator[None, None, None]:
    """A full or unwritable disk is not the network's fault, though both raise `OSError`."""
    try:
        yield
    except OSError as error:
        message = f"cannot write `{path}`: {error.strerror or error}; make room or choose another "
        raise DataError(f"{message}folder by --data or BENCH_DATA") from None


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _md5(part: Path) -> str:
    content = part.read_bytes() if part.is_file() else b""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _unpack_own(there: Path, archive: Archive, report: Report) -> bool:
    """Unpack an archive that its owner put into the data folder, if it is what was published."""
    if _md5(there) == archive.md5:
        report(f"{archive.name}: it is there, MD5 as published, unpacking")
        with _disk(there.parent):
            _unpack(there, there.parent, keep=True)
        return True
    if there.is_file():
        report(f"{archive.name}: it is there, but its MD5 is not {archive.md5}, so it is not used")
    return False


def _unpack(part: Path, folder: Path, *, keep: bool = False) -> None:
    """Unpack an archive that is what was published, and remove it unless it is its owner's."""
    try:
        with tarfile.open(part) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        if keep:
            message = f"{part}: cannot be unpacked: {error}"
            raise DataError(message) from None
        part.unlink()
        message = f"{part}: cannot be unpacked, so deleted: {error}; try another mirror"
        raise DataError(message) from None
    if not keep:
        part.unlink()
