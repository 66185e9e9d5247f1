"""Downloads, from real servers on this machine, of an archive small enough to be made here."""

import gzip
import hashlib
import io
import pickle
import re
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from bench.data import download
from bench.errors import DataError, UsageError

NAME, HOME = "tiny.tar.gz", "cifar-10-batches-py"
FULL = Path("/dev/full")


@dataclass
class Mirror:
    """What a path of the server answers, and what it was asked."""

    content: bytes
    status: int = 200  # other: nothing but that
    range: Literal["kept", "ignored", "wrong"] = "kept"
    stops: list[int] = field(default_factory=list[int])  # bytes sent before breaking off, each once
    sized: bool = True  # tells the length
    location: str = ""
    asked: list[str] = field(default_factory=list[str])  # the Range of each request
    sent: int = 0


class Server(ThreadingHTTPServer):
    daemon_threads = True
    mirrors: dict[str, Mirror]

    def add(self, mirror: Mirror) -> str:
        """The URL of one more mirror."""
        path = f"/{len(self.mirrors)}/{NAME}"
        self.mirrors[path] = mirror
        return f"http://127.0.0.1:{self.server_port}{path}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        mirror = self.server.mirrors[self.path]
        asked = self.headers.get("Range", "")
        mirror.asked.append(asked)
        start = int(asked[6:-1]) if asked and mirror.range != "ignored" else 0
        size = len(mirror.content)
        status = mirror.status if mirror.status != 200 else 206 if start else 200
        self.send_response(416 if start and start >= size else status)
        if start:
            first = start + (mirror.range == "wrong")
            self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        if mirror.location:
            self.send_header("Location", mirror.location)
        body = mirror.content[start:]
        if mirror.sized:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: mirror.stops.pop(0)] if mirror.stops else body
        mirror.sent += len(body)
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server(("127.0.0.1", 0), Answer)
    server.mirrors = {}
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def packed(files: dict[str, bytes]) -> bytes:
    """A gzipped archive of `files`."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(content.getvalue(), mtime=0)


def batch(seed: int) -> bytes:
    """Four images that do not compress."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 3072), dtype=np.uint8)
    return pickle.dumps({b"data": pixels, b"labels": [0, 1, 2, 3]})


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


BATCHES = {name: batch(i) for i, name in enumerate(["data_batch_1", "data_batch_2", "test_batch"])}
ARCHIVE = packed({f"{HOME}/{name}": content for name, content in BATCHES.items()})
Publish = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def publish(monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Makes an archive the published one; at first that is `ARCHIVE`."""
    cifar10 = "torchvision.datasets.CIFAR10"
    sums = [[name, md5(content)] for name, content in BATCHES.items()]
    monkeypatch.setattr(f"{cifar10}.train_list", sums[:2])
    monkeypatch.setattr(f"{cifar10}.test_list", sums[2:])
    monkeypatch.setattr(f"{cifar10}.filename", NAME)
    monkeypatch.setattr(f"{cifar10}.url", "http://127.0.0.1:1/" + NAME)  # nobody listens
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    monkeypatch.delenv("BENCH_CIFAR10_URL", raising=False)

    def set_md5(archive: bytes) -> bytes:
        monkeypatch.setattr(f"{cifar10}.tgz_md5", md5(archive))
        return archive

    set_md5(ARCHIVE)
    return set_md5


def prepare(folder: Path, *mirrors: str) -> list[str]:
    """What was reported while CIFAR-10 was fetched, all of it and nothing else left over."""
    lines: list[str] = []
    home = download.prepare("cifar10", folder, mirrors=mirrors, report=lines.append)
    assert home == folder / HOME
    assert {path.name: path.read_bytes() for path in home.iterdir()} == BATCHES
    assert list(folder.iterdir()) == [home]
    return lines


def refused(folder: Path, *mirrors: str, allowed: bool = True) -> str:
    with pytest.raises(DataError) as caught:
        download.prepare(
            "cifar10", folder, mirrors=mirrors, allowed=allowed, report=lambda text: None
        )
    return str(caught.value)


def test_fresh_download(server: Server, tmp_path: Path) -> None:
    """An archive is fetched in one request into a new folder, with progress, and unpacked."""
    mirror = Mirror(ARCHIVE)

    lines = prepare(tmp_path / "new" / "data", server.add(mirror))

    assert mirror.asked == [""]
    assert f"{NAME}: 100 % of 0.0 MB" in lines
    assert sum("%" in line for line in lines) <= 20


def test_length_untold(server: Server, tmp_path: Path) -> None:
    """A mirror need not tell the length."""
    lines = prepare(tmp_path, server.add(Mirror(ARCHIVE, sized=False)))

    assert not any("%" in line for line in lines)


def test_resumes_what_broke_off(server: Server, tmp_path: Path) -> None:
    """After each break the rest alone is asked for, and no byte is sent twice."""
    mirror = Mirror(ARCHIVE, stops=[10_000, 5_000, 0, 0, 5_000, 0, 0])

    lines = prepare(tmp_path, server.add(mirror))

    at = [10_000, 15_000, 15_000, 15_000, 20_000, 20_000, 20_000]
    assert mirror.asked == ["", *(f"bytes={n}-" for n in at)]
    assert mirror.sent == len(ARCHIVE)
    assert any(f"broke off at byte 10,000 of {len(ARCHIVE):,}; going on" in s for s in lines)


def test_resumes_an_earlier_run(server: Server, tmp_path: Path) -> None:
    """What a mirror without progress left behind is kept, and the next run goes on from there."""
    broken, whole = Mirror(ARCHIVE, stops=[9_000, 0, 0, 0]), Mirror(ARCHIVE)

    message = refused(tmp_path, server.add(broken))
    prepare(tmp_path, server.add(whole))

    assert f"it broke off at byte 9,000 of {len(ARCHIVE):,}" in message
    assert f"run this again to resume `{tmp_path / NAME}.part`" in message
    assert len(broken.asked) == 4
    assert whole.asked == ["bytes=9000-"]


def test_range_ignored(server: Server, tmp_path: Path) -> None:
    """A mirror that ignores the range is read from the start, and its breaks are counted."""
    mirror = Mirror(ARCHIVE, range="ignored", stops=[9_000, 9_000, 9_000])
    endless = Mirror(ARCHIVE, range="ignored", stops=[9_000, 5_000] * 9)

    prepare(tmp_path / "one", server.add(mirror))
    message = refused(tmp_path / "two", server.add(endless))

    assert mirror.asked == ["", *["bytes=9000-"] * 3]
    assert len(endless.asked) == 4
    assert "it broke off at byte 5,000" in message


def test_wrong_range(server: Server, tmp_path: Path) -> None:
    """A range other than the one asked for is not appended: the file is fetched anew."""
    mirror = Mirror(ARCHIVE, range="wrong")
    (tmp_path / f"{NAME}.part").write_bytes(ARCHIVE[:100])

    lines = prepare(tmp_path, server.add(mirror))

    assert mirror.asked == ["bytes=100-", ""]
    assert any("another range than was asked for" in line for line in lines)


def test_part_is_whole(tmp_path: Path) -> None:
    """A part that has all bytes is unpacked without a request."""
    (tmp_path / f"{NAME}.part").write_bytes(ARCHIVE)

    assert prepare(tmp_path) == [f"{NAME}: MD5 {md5(ARCHIVE)} as published, unpacking"]


@pytest.mark.parametrize("extra", [0, 7])
def test_nothing_beyond(server: Server, tmp_path: Path, extra: int) -> None:
    """A part that is as long as the file or longer, but not the file, is fetched anew."""
    mirror = Mirror(ARCHIVE)
    (tmp_path / f"{NAME}.part").write_bytes(bytes(len(ARCHIVE) + extra))

    prepare(tmp_path, server.add(mirror))

    assert mirror.asked == [f"bytes={len(ARCHIVE) + extra}-", ""]


def test_wrong_bytes(server: Server, tmp_path: Path) -> None:
    """A mirror with wrong bytes is asked once, said to have them, and the next one is read."""
    bad, good = Mirror(b"<html>log in</html>"), Mirror(ARCHIVE)
    url = server.add(bad)

    lines = prepare(tmp_path, url, server.add(good))

    reason = f"wrong bytes, their MD5 is {md5(bad.content)}"
    assert f"{url}: {reason}; giving this mirror up" in lines
    assert (bad.asked, good.asked) == ([""], [""])


def test_another_mirrors_wrong_bytes(server: Server, tmp_path: Path) -> None:
    """A good mirror that goes on from a bad one's bytes is not given up, but read anew."""
    bad, good = Mirror(bytes(len(ARCHIVE)), stops=[9_000, 0, 0, 0]), Mirror(ARCHIVE)

    prepare(tmp_path, server.add(bad), server.add(good))

    assert good.asked == ["bytes=9000-", ""]


def test_order_of_mirrors(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirrors given come first, then the variable's, then the published one, each once."""
    mirrors = [Mirror(b"", status=404) for _ in range(3)] + [Mirror(ARCHIVE)]
    urls = [server.add(mirror) for mirror in mirrors]
    monkeypatch.setenv("BENCH_CIFAR10_URL", f"{urls[1]}, {urls[2]},{urls[0]},")
    monkeypatch.setattr("torchvision.datasets.CIFAR10.url", urls[3])

    lines = prepare(tmp_path, urls[0])

    assert [s for s in lines if "from" in s] == [f"{NAME}: from {url}" for url in urls]
    assert [len(mirror.asked) for mirror in mirrors] == [1, 1, 1, 1]


def test_all_mirrors_fail(server: Server, tmp_path: Path) -> None:
    """Where no mirror serves the file each is named with its reason, and what to do is said."""
    gone, busy = Mirror(b"", status=404), Mirror(b"", status=503)
    urls = [server.add(gone), server.add(busy)]

    lines = refused(tmp_path, *urls, "http://127.0.0.1:x/").splitlines()

    assert lines == [
        f"no mirror served `{NAME}`; try later, name another by --mirror, or get `{NAME}` "
        f"(MD5 {md5(ARCHIVE)}) from http://127.0.0.1:1/{NAME} and put it into "
        f"`{tmp_path}/`, where it is checked and unpacked, or unpack it as "
        f"`{tmp_path / HOME}/`",
        f"{urls[0]}: HTTP Error 404: Not Found",
        f"{urls[1]}: HTTP Error 503: Service Unavailable",
        "http://127.0.0.1:x/: nonnumeric port: 'x'",
        f"http://127.0.0.1:1/{NAME}: Connection refused",
    ]
    assert (len(gone.asked), len(busy.asked)) == (1, 3)
    assert list(tmp_path.iterdir()) == []


def test_malformed_mirror(server: Server, tmp_path: Path) -> None:
    """A URL that cannot be asked is not tried again."""
    lines = prepare(tmp_path, "http://127.0.0.1:x/", server.add(Mirror(ARCHIVE)))

    assert lines[:2] == [
        f"{NAME}: from http://127.0.0.1:x/",
        "http://127.0.0.1:x/: nonnumeric port: 'x'; giving this mirror up",
    ]


def test_silent_mirror(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that accepts a connection and says nothing is given up after three waits."""
    monkeypatch.setattr(download, "TIMEOUT_S", 0.05)
    server.shutdown()  # its socket still listens

    message = refused(tmp_path, url := server.add(Mirror(ARCHIVE)))

    assert f"{url}: timed out" in message


def test_offline(tmp_path: Path) -> None:
    """Offline the message says which archive, by name and MD5, goes where."""
    message = refused(tmp_path / "data", allowed=False)

    home = tmp_path / "data" / HOME
    assert message == (
        f"no `{home / 'data_batch_1'}`; offline, so on another machine get `{NAME}` "
        f"(MD5 {md5(ARCHIVE)}) from http://127.0.0.1:1/{NAME} and put it into "
        f"`{home.parent}/`, where it is checked and unpacked, or unpack it as `{home}/`"
    )
    assert not (tmp_path / "data").exists()


def test_already_there(server: Server, tmp_path: Path) -> None:
    """What is there is not asked for again, allowed or not."""
    mirror = Mirror(ARCHIVE)
    url = server.add(mirror)
    prepare(tmp_path, url)
    lines: list[str] = []

    download.prepare("cifar10", tmp_path, mirrors=[url], allowed=False, report=lines.append)

    assert lines == ["cifar10: CIFAR-10 is there, nothing to download"]
    assert len(mirror.asked) == 1


def test_damaged_files_are_replaced(server: Server, tmp_path: Path) -> None:
    """A batch with a wrong MD5 is overwritten by a download."""
    prepare(tmp_path, url := server.add(Mirror(ARCHIVE)))
    (tmp_path / HOME / "test_batch").write_bytes(b"rotten")

    prepare(tmp_path, url)


def test_damaged_member(server: Server, tmp_path: Path, publish: Publish) -> None:
    """A batch with a wrong MD5 in the archive is refused."""
    files = {f"{HOME}/{name}": content for name, content in BATCHES.items()}
    archive = publish(packed(files | {f"{HOME}/test_batch": b"rotten"}))

    message = refused(tmp_path, server.add(Mirror(archive)))

    assert message.startswith(f"{tmp_path / HOME / 'test_batch'}: wrong MD5; ")


@pytest.mark.parametrize("name", ["../outside", f"{HOME}/../../outside"])
def test_outside_member(server: Server, tmp_path: Path, publish: Publish, name: str) -> None:
    """A member that would lie outside the folder is refused, and the archive deleted."""
    folder = tmp_path / "data"
    archive = publish(packed({name: b"got out"}))

    message = refused(folder, server.add(Mirror(archive)))

    assert message.startswith(f"{folder / NAME}.part: cannot be unpacked, so deleted: ")
    assert "outside the destination" in message
    assert not list(tmp_path.rglob("outside"))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "torn", "plain"])
def test_damaged_archive(server: Server, tmp_path: Path, publish: Publish, damage: str) -> None:
    """An archive that is published damaged is refused and deleted."""
    half = zlib.decompress(ARCHIVE, wbits=31)[:20_000]
    deflate = zlib.compressobj(wbits=31)
    torn = deflate.compress(half) + deflate.flush(zlib.Z_FULL_FLUSH) + b"\7"  # no such block
    archive = publish({"cut": ARCHIVE[:20_000], "torn": torn, "plain": b"no"}[damage])

    message = refused(tmp_path, server.add(Mirror(archive)))

    assert message.startswith(f"{tmp_path / NAME}.part: cannot be unpacked, so deleted: ")
    assert not (tmp_path / f"{NAME}.part").exists()


def test_an_archive_that_is_there_is_used(tmp_path: Path) -> None:
    """Offline, too, one with the published MD5 is unpacked and stays; another is said not to be."""
    said: list[str] = []
    (tmp_path / NAME).write_bytes(ARCHIVE + b"x")
    with pytest.raises(DataError, match="offline, so on another machine"):
        download.prepare("cifar10", tmp_path, allowed=False, report=said.append)
    assert said[-1].startswith(f"{NAME}: it is there, but its MD5 is not ")
    (tmp_path / NAME).write_bytes(ARCHIVE)
    home = download.prepare("cifar10", tmp_path, allowed=False, report=said.append)

    assert (home / "data_batch_1").is_file()
    assert (tmp_path / NAME).read_bytes() == ARCHIVE


@pytest.mark.parametrize("scheme", ["file://", "ftp://localhost", "", "data:,"])
def test_other_schemes(server: Server, tmp_path: Path, scheme: str) -> None:
    """A mirror that is not http or https is refused before anything is asked or read."""
    (tmp_path / NAME).write_bytes(ARCHIVE)
    mirror = Mirror(ARCHIVE)
    url = f"{scheme}{tmp_path / NAME}"

    message = refused(tmp_path, server.add(mirror), url)

    assert message == f"`{url}`: a mirror is an http or https URL of `{NAME}`"
    assert not mirror.asked


def test_redirected(server: Server, tmp_path: Path) -> None:
    """A redirect to a file is not followed; one to http is."""
    (tmp_path / NAME).write_bytes(ARCHIVE)
    to_file = Mirror(b"", status=302, location=f"file://{tmp_path / NAME}")
    to_http = Mirror(b"", status=302, location=server.add(Mirror(ARCHIVE)))

    lines = prepare(tmp_path / "data", server.add(to_file), server.add(to_http))

    assert any("is not allowed" in line for line in lines)
    assert (len(to_file.asked), len(to_http.asked)) == (1, 1)


def test_folder_unwritable(server: Server, tmp_path: Path) -> None:
    """A folder that cannot be made is named with the system's reason."""
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"

    message = refused(folder, server.add(mirror := Mirror(ARCHIVE)))

    assert message == (
        f"cannot write `{folder}`: Not a directory; make room or choose another folder by --data "
        "or BENCH_DATA"
    )
    assert not mirror.asked


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_disk_full(server: Server, tmp_path: Path) -> None:
    """A full disk ends the download: no mirror is to blame."""
    part = tmp_path / f"{NAME}.part"
    part.symlink_to(FULL)

    message = refused(tmp_path, server.add(mirror := Mirror(ARCHIVE)))

    assert message.startswith(f"cannot write `{part}`: No space left on device; make room")
    assert len(mirror.asked) == 1


def test_no_room_to_unpack(tmp_path: Path) -> None:
    """Where unpacking fails the system's reason is given, and the archive kept."""
    (tmp_path / f"{NAME}.part").write_bytes(ARCHIVE)
    (tmp_path / HOME).touch()

    message = refused(tmp_path)

    assert re.match(rf"cannot write `{tmp_path}`: (Not a directory|File exists); ", message)
    assert (tmp_path / f"{NAME}.part").read_bytes() == ARCHIVE


@pytest.mark.parametrize(
    ("name", "home"),
    [("cifar10-partial", "cifar-10-partial-py"), ("fashion_mnist", "fashion-mnist")],
)
def test_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, home: str) -> None:
    """Of what cannot be downloaded it is said which files to put where."""
    if name == "fashion_mnist":  # a machine may have Debian's copy
        monkeypatch.setattr("bench.data.sources.FashionMnist.find", absent)
    (tmp_path / home).mkdir()

    with pytest.raises(DataError, match=rf"; {name} is not downloaded: put into .*`{home}/"):
        download.prepare(name, tmp_path, report=lambda text: None)


def absent(self: object, folder: Path) -> None:
    message = "no `train-images-idx3-ubyte[.gz]`; put it there"
    raise DataError(message)


def test_cifar100(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-100 comes the same way: its own archive, checksum, folder and variable; resumed."""
    found = pickle.loads(batch(0)) | {b"fine_labels": [0, 99, 50, 1], b"coarse_labels": [0] * 4}
    files = {name: pickle.dumps(found) for name in ("train", "test")}
    archive = packed({f"cifar-100-python/{name}": content for name, content in files.items()})
    cifar100 = "torchvision.datasets.CIFAR100"
    for name, content in files.items():
        monkeypatch.setattr(f"{cifar100}.{name}_list", [[name, md5(content)]])
    monkeypatch.setattr(f"{cifar100}.filename", "hundred.tar.gz")
    monkeypatch.setattr(f"{cifar100}.tgz_md5", md5(archive))
    mirror = Mirror(archive, stops=[5_000])
    monkeypatch.setenv("BENCH_CIFAR100_URL", server.add(mirror))
    lines: list[str] = []

    home = download.prepare("cifar100", tmp_path, report=lines.append)

    assert home == tmp_path / "cifar-100-python"
    assert mirror.asked == ["", "bytes=5000-"]
    assert f"hundred.tar.gz: MD5 {md5(archive)} as published, unpacking" in lines
    assert [path.name for path in tmp_path.iterdir()] == [home.name]


def test_imagenet_is_put_there_by_hand(tmp_path: Path) -> None:
    """What goes where is said; nothing is downloaded."""
    with pytest.raises(DataError, match=r"imagenet is not downloaded: put into .*<class>/\*\.JPEG"):
        download.prepare("imagenet", tmp_path, report=lambda text: None)


def test_partial_copy_is_there(tmp_path: Path) -> None:
    """A copy put there by hand is found."""
    home = tmp_path / "cifar-10-partial-py"
    home.mkdir()
    for name, content in BATCHES.items():
        (home / name).write_bytes(content)
    lines: list[str] = []

    assert download.prepare("cifar10-partial", tmp_path, report=lines.append) == tmp_path
    assert lines == ["cifar10-partial: CIFAR-10 (12-image copy) is there, nothing to download"]


def test_digits(tmp_path: Path) -> None:
    """The digits need nothing."""
    lines: list[str] = []

    assert download.prepare("digits", tmp_path, report=lines.append) == tmp_path
    assert lines == ["digits: digits (8x8) is there, nothing to download"]


def test_unknown_name(tmp_path: Path) -> None:
    """A name that is no data set is answered by the nearest one."""
    with pytest.raises(UsageError, match="no data set `cifar-10`; did you mean `cifar10`"):
        download.prepare("cifar-10", tmp_path, report=lambda text: None)
