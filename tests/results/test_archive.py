"""Archives: the same bytes from the same results, and no harm from anybody's."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from samples import Entry, build, cell, record

from bench.errors import BenchError, EnvironmentProblem, UsageError
from bench.results import archive, cell_folders, merge, store

Ask = Callable[..., tuple[int, str, str]]
CELL = "cells/ste-resnet20-w1a1-s0__0123456789ab"


def export(root: Path, target: Path) -> Path:
    members = [m for kept in cell_folders.read_folders(root) for m in archive.list_cell_files(kept)]
    members += [
        m for plan in cell_folders.read_plans(root) for m in archive.list_suite_files(root, plan)
    ]
    archive.write_archive(target, members)
    return target


@pytest.fixture(scope="module")
def whole(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the measured folder."""
    return export(measured, tmp_path_factory.mktemp("archive") / "whole.tar.gz")


def files(root: Path) -> dict[str, bytes]:
    """Every file below a folder, by its name there."""
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in root.rglob("*")
        if p.is_file() and p.parent.name != "receipts"  # records hold theirs
    }


def test_the_same_results_give_the_same_bytes(measured: Path, tmp_path: Path) -> None:
    """Neither times nor owners nor the order of files are in an archive."""
    copy = tmp_path / "copy"
    for name, content in reversed(files(measured).items()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    one = export(measured, tmp_path / "one.tar.gz").read_bytes()

    assert export(copy, tmp_path / "other.tar.gz").read_bytes() == one


def test_what_is_packed_comes_back(measured: Path, whole: Path, tmp_path: Path) -> None:
    """Every file of cells and suites, and a manifest of their digests."""
    archive.read_archive(whole, tmp_path)
    found = files(tmp_path)
    manifest = json.loads(found.pop("manifest.json"))

    assert found == files(measured)
    assert manifest["sha256"] == {n: hashlib.sha256(c).hexdigest() for n, c in found.items()}


def test_export_takes_what_is_asked_for(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """One cell, without weights; unfinished cells and checkpoints only with --checkpoints."""
    root = tmp_path / "results"
    shutil.copytree(measured, root)
    unfinished = root / CELL
    (unfinished / "checkpoints" / "1-5").mkdir(parents=True)
    (unfinished / "checkpoints" / "1-5" / "state.pt").write_bytes(b"x")
    (unfinished / "lease.json").write_text("{}", encoding="utf-8")
    (unfinished / "log.txt").symlink_to("/etc/passwd")

    def names(*args: str) -> set[str]:
        target = tmp_path / "out.tar.gz"
        target.unlink(missing_ok=True)
        code, out, err = ask("export", *args, "-o", target, "--results", root)
        assert (code, err) == (0, ""), out + err
        with tarfile.open(target) as tar:
            return set(tar.getnames())

    (reste,) = (root / "cells").glob("reste-*")
    one = {f"cells/{reste.name}/{name}" for name in ("log.txt", "record.json")}
    assert names("reste-", "--no-weights") == {*one, "manifest.json"}
    everything = {*files(measured), "manifest.json"}
    assert names() == everything
    assert names("tiny") == everything
    assert names("--checkpoints") == {*everything, f"{CELL}/checkpoints/1-5/state.pt"}


def test_an_archive_is_written_whole_or_not_at_all(
    measured: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be read leaves nothing behind; an archive that is there stays."""
    target = tmp_path / "out.tar.gz"
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        archive.write_archive(target, [(f"{CELL}/log.txt", tmp_path / "gone")])
    assert not list(tmp_path.iterdir())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bench.results.archive.os.fsync", full)
        code, _, err = ask("export", "-o", target, "--results", measured)
    assert (code, "No space left on device" in err) == (5, True)
    assert not list(tmp_path.iterdir())
    target.write_text("mine", encoding="utf-8")
    code, _, err = ask("export", "-o", target, "--results", measured)
    assert (code, "exists; name another file" in err) == (2, True)
    assert target.read_text(encoding="utf-8") == "mine"
    (tmp_path / "none" / "cells").mkdir(parents=True)
    empty = ask("export", "-o", tmp_path / "x.tar.gz", "--results", tmp_path / "none")
    assert (empty[0], "nothing to export" in empty[2]) == (4, True)


def special(kind: bytes, name: str = f"{CELL}/log.txt") -> Entry:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info, b""


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("../evil", b"x")], "no file of a cell or a suite"),
        ([("/tmp/evil", b"x")], "no file of a cell or a suite"),
        ([("cells/../../record.json", b"x")], "no file of a cell or a suite"),
        ([(f"{CELL}/../log.txt", b"x")], "no file of a cell or a suite"),
        ([("cells/.hidden/log.txt", b"x")], "no file of a cell or a suite"),
        ([("cells/a\\b/log.txt", b"x")], "no file of a cell or a suite"),
        ([("cells/a\x1b[2J/log.txt", b"x")], "no file of a cell or a suite"),
        ([(f"{CELL}/evil.py", b"x")], "no file of a cell or a suite"),
        ([(f"{CELL}/checkpoints/../../x", b"x")], "no file of a cell or a suite"),
        ([(f"{CELL}/checkpoints/a/b/c", b"x")], "no file of a cell or a suite"),
        ([("suites/x/evil.sh", b"x")], "no file of a cell or a suite"),
        ([("events/x.jsonl", b"x")], "no file of a cell or a suite"),
        ([special(tarfile.SYMTYPE)], "is no plain file"),
        ([special(tarfile.LNKTYPE)], "is no plain file"),
        ([special(tarfile.CHRTYPE)], "is no plain file"),
        ([special(tarfile.FIFOTYPE)], "is no plain file"),
        ([special(tarfile.DIRTYPE, CELL)], "is no plain file"),
        ([special(tarfile.GNUTYPE_SPARSE)], "is no plain file"),
        ([(f"{CELL}/log.txt", b"x"), (f"{CELL}/log.txt", b"y")], "twice"),
        (
            [(f"{CELL}/checkpoints/a", b"x"), (f"{CELL}/checkpoints/a/b", b"y")],
            "both a file and a folder",
        ),
        (
            [(f"{CELL}/checkpoints/a/b", b"x"), (f"{CELL}/checkpoints/a", b"y")],
            "both a file and a folder",
        ),
    ],
)
def test_hostile_entries(tmp_path: Path, entries: list[Entry], message: str) -> None:
    """Nothing but plain files under the names of results is read, whatever the manifest says."""
    root = tmp_path / "deep" / "results"
    path = build(tmp_path / "x.tar.gz", entries)
    before = files(tmp_path)
    with pytest.raises(UsageError, match="not an archive of `bench export`") as error:
        list(merge.merge_into(path, root))

    assert message in str(error.value)
    assert files(tmp_path) == before
    assert not list(root.iterdir())


def test_extended_headers_and_bombs(tmp_path: Path) -> None:
    """Long names, pax headers, sizes beyond all bounds, and what hides behind the end."""
    long = build(tmp_path / "pax.tar.gz", [("é" * 300, b"x")], tarfile.PAX_FORMAT)
    gnu = build(tmp_path / "gnu.tar.gz", [("x" * 300, b"x")], tarfile.GNU_FORMAT)
    huge = tarfile.TarInfo(f"{CELL}/last.safetensors")
    sizes: dict[str, bytes] = {}
    for name, size in (("most", archive.LARGE + 1), ("base-256", 2**63), ("negative", -5)):
        huge.size = size
        sizes[name] = huge.tobuf(tarfile.GNU_FORMAT)
    huge.size = 1000
    sizes["cut"] = huge.tobuf(tarfile.USTAR_FORMAT) + b"x"
    path = build(tmp_path / "good.tar.gz", [(f"{CELL}/log.txt", b"x")])
    good = gzip.decompress(path.read_bytes())
    sizes |= {"behind": good + b"x" * 600, "bomb": good + bytes(archive.CHUNK * 4)}
    paths = [long, gnu]
    for name, content in sizes.items():
        (tmp_path / f"{name}.tar.gz").write_bytes(gzip.compress(content))
        paths.append(tmp_path / f"{name}.tar.gz")
    for number, path in enumerate(paths):
        into = tmp_path / str(number)
        into.mkdir()
        with pytest.raises(UsageError, match="not an archive"):
            archive.read_archive(path, into)


def test_manifests_that_lie(measured: Path, tmp_path: Path) -> None:
    """A file more, a file less, another digest, another format, or no manifest at all."""
    entries = [(f"{CELL}/log.txt", b"x")]
    digest = hashlib.sha256(b"x").hexdigest()
    right = {"format": archive.FORMAT, "sha256": {f"{CELL}/log.txt": digest}}
    wrong: list[object] = [
        right | {"sha256": {f"{CELL}/log.txt": "0" * 64}},
        right | {"sha256": {}},
        right | {"sha256": {**right["sha256"], f"{CELL}/record.json": digest}},  # type: ignore[dict-item]
        right | {"format": "other"},
        [],
        None,
    ]
    for number, manifest in enumerate([*wrong, right]):
        path, into = tmp_path / f"{number}.tar.gz", tmp_path / f"{number}"
        into.mkdir()
        with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as tar:
            for name, content in [*entries, (archive.MANIFEST, json.dumps(manifest).encode())]:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                if manifest is not None or name != archive.MANIFEST:
                    tar.addfile(info, io.BytesIO(content))
        if manifest is right:
            archive.read_archive(path, into)
            continue
        with pytest.raises(UsageError, match="not those of its manifest"):
            archive.read_archive(path, into)


def damaged(content: bytes, count: int) -> Iterator[bytes]:
    """Copies of an archive with bytes flipped, removed, added or cut, packed and unpacked."""
    rng = random.Random(0)
    tar = gzip.decompress(content)
    for number in range(count):
        inner = number % 2 == 0  # damage below the compression, which then cannot notice
        bad = bytearray(tar if inner else content)
        kind = rng.choice(("flip", "header", "cut", "drop", "add"))
        at = rng.randrange(len(bad))
        if kind == "header":  # of an entry, where names, types and sizes stand
            at = 512 * rng.randrange(len(bad) // 512) + rng.randrange(512)
        if kind in {"flip", "header"}:
            for _ in range(rng.choice((1, 1, 8))):
                bad[min(at + rng.randrange(8), len(bad) - 1)] = rng.randrange(256)
        elif kind == "cut":
            del bad[at:]
        elif kind == "drop":
            del bad[at : at + rng.choice((1, 512, 5120))]
        else:
            bad[at:at] = rng.randbytes(rng.choice((1, 512)))
        yield gzip.compress(bytes(bad), 1) if inner else bytes(bad)


def survive(content: bytes, count: int, tmp_path: Path, truth: dict[str, bytes]) -> int:
    """Merge damaged archives; returns how many were refused."""
    refused = 0
    for number, bad in enumerate(damaged(content, count)):
        home = tmp_path / str(number)
        home.mkdir()
        path, root = home / "bad.tar.gz", home / "results"
        path.write_bytes(bad)
        try:
            list(merge.merge_into(path, root))
        except BenchError:
            refused += 1
            assert not list(root.iterdir())
        assert set(home.iterdir()) <= {path, root}
        for name, found in files(root).items():
            assert found == truth[name], f"{number}: {name}"
        shutil.rmtree(home)
    return refused


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is such a thing: what is damaged comes in thousands."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as home:
        yield Path(home)


def test_damaged_archives(tmp_path: Path, memory: Path) -> None:
    """300 damaged archives: what lands is to the byte what was exported, or nothing lands."""
    root = tmp_path / "results"
    for seed in (0, 1):
        path = store.save_record(root, record(cell(seed=seed)))
        path.with_name("last.safetensors").write_bytes(bytes(700))
    content = export(root, tmp_path / "small.tar.gz").read_bytes()

    assert survive(content, 300, memory, files(root)) > 250


@pytest.mark.slow
def test_thousands_of_damaged_archives(measured: Path, whole: Path, memory: Path) -> None:
    """The same with 2,000, of every file there is."""
    assert survive(whole.read_bytes(), 2000, memory, files(measured)) > 1800


@pytest.mark.parametrize(
    "content", [b"", b"x" * 2000, gzip.compress(b""), gzip.compress(b"x" * 2000)], ids=range(4)
)
def test_what_is_no_archive(ask: Ask, tmp_path: Path, content: bytes) -> None:
    """One line, exit code 2, and no results folder filled."""
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)
    code, _, err = ask("merge", path, "--into", tmp_path / "results")

    assert code == 2
    assert "is not an archive of `bench export`" in err
    assert not list((tmp_path / "results").iterdir())


def test_a_pipe_is_no_archive(tmp_path: Path) -> None:
    """It is not waited for."""
    os.mkfifo(tmp_path / "x.tar.gz")
    with pytest.raises(UsageError, match="it is no file"):
        archive.read_archive(tmp_path / "x.tar.gz", tmp_path)
