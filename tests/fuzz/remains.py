"""What runs leave on the disk, or somebody sends: checkpoints, journals, leases and archives."""

import gzip
import hashlib
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import load, save
from samples import build
from torch import Tensor

from bench.base.console import Terminal
from bench.base.signals import Stopped
from bench.base.text import printable
from bench.errors import BenchError, DataError
from bench.results import archive, cell_folders, lease, store
from bench.results.record import Record
from bench.run import cell_run, display, journal, status
from bench.run.events import (
    Elsewhere,
    Ended,
    Moved,
    Progressed,
    Retrying,
    Started,
    Stopping,
    TakenOver,
)
from bench.run.job import Job
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus
from bench.train import checkpoint
from bench.train.checkpoint import Manifest
from fuzz import mutate, reports
from fuzz.box import Box
from fuzz.sound import command, fresh, measured

Read = Callable[[], None]


def _odd(box: Box, rng: Random, path: Path) -> None:
    """In place of a file or a folder something that is none, or leads out of the results."""
    kept = box.inside / f"kept{len([*box.inside.iterdir()])}"
    path.rename(kept) if path.exists() else kept.write_text("{}", encoding="utf-8")
    goals = [kept, box.outside, box.outside / "precious.txt", "/dev/zero", "/nowhere", path.name]
    match rng.randrange(5):
        case 0:
            os.mkfifo(path)
        case 1:
            path.mkdir()
        case _:
            path.symlink_to(rng.choice(goals))


# Checkpoints


def checkpoints(box: Box, rng: Random) -> Read:
    """A cell's two checkpoints, damaged, exchanged, or made up with digests that are right."""
    plan, _ = measured(box)
    cell = rng.choice(plan.cells[:2])
    root = checkpoint.folder(store.cell_path(box.results, cell))
    _put(box, f"cells/{cell.slug}/checkpoints/")
    older, newer = sorted(root.iterdir())
    for path in rng.choice([[newer]] * 4 + [[older, newer], [older]]):
        rng.choice(DAMAGES)(box, rng, path)
    return lambda: _gone_on(box, cell)


def _put(box: Box, start: str) -> None:
    """Such files of the tiny suite as begin with that."""
    for name, content in box.known["files"].items():
        if name.startswith(start):
            path = box.results / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _gone_on(box: Box, cell: Cell) -> None:
    """Train the cell from them; where none is left the record is what it would have been."""
    fresh()
    home = store.cell_path(box.results, cell)
    list(checkpoint.examine(home, cell.id))
    cell_run.run(Job(cell, box.results, "cpu", 1, 0, False, box.inside, (), (), 1e9))
    log = (home / "log.txt").read_text(encoding="utf-8")
    record = store.find_record(box.results, cell)
    if "Traceback" in log or not record or not record.measured:
        raise AssertionError(log)
    reports.sound(log)
    reports.record(record)
    honest = json.loads(box.known["files"][f"cells/{cell.slug}/record.json"])
    if "resumed" not in log and record.weights_digest != honest["weights_digest"]:
        message = f"another training than without checkpoints: {log}"
        raise AssertionError(message)
    if "is not used" in log:
        raise DataError(log)


def _sealed(rng: Random, path: Path, data: Any = None) -> None:
    """Write a manifest with digests that are right, if `data` is one; perhaps rename after it."""
    manifest = path / "progress.json"
    data = json.loads(manifest.read_bytes()) if data is None else data
    try:
        told = Manifest.model_validate_json(json.dumps(data))
        files = {n: (path / n).read_bytes() for n in told.files if (path / n).is_file()}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        told = told.model_copy(update={"files": told.files | digests}).sealed()
    except ValidationError:
        manifest.write_text(json.dumps(data), encoding="utf-8")
        return
    manifest.write_text(told.model_dump_json(), encoding="utf-8")
    name = f"{told.epoch:06d}-{told.step:08d}"
    if rng.random() < 0.7 and len(name) < 200 and not path.with_name(name).exists():
        path.rename(path.with_name(name))


def _bytes(_: Box, rng: Random, path: Path) -> None:
    """One file's bytes, as they are or under a new digest."""
    file = rng.choice(sorted(path.iterdir()))
    file.write_bytes(mutate.raw(rng, file.read_bytes()))
    if file.suffix != ".json" and rng.random() < 0.5:
        _sealed(rng, path)


def _file(box: Box, rng: Random, path: Path) -> None:
    _odd(box, rng, rng.choice([path, *path.iterdir()]))


def _foreign(box: Box, rng: Random, path: Path) -> None:
    """Some files, or all, of another cell's or of the other checkpoint."""
    plan, _ = measured(box)
    own = Record.model_validate_json(box.known["measured"][1][0]).cell.id
    other = rng.choice(plan.cells)
    places = sorted({n.split("/")[3] for n in box.known["files"] if "/checkpoints/" in n})
    start = f"cells/{other.slug}/checkpoints/{rng.choice(places)}/"
    for file in rng.choice([sorted(path.iterdir()), [rng.choice(sorted(path.iterdir()))]]):
        file.write_bytes(box.known["files"].get(start + file.name, b""))
    if rng.random() < 0.5:
        data = json.loads((path / "progress.json").read_bytes())
        _sealed(rng, path, data | {"cell_id": own})


def _manifest(_: Box, rng: Random, path: Path) -> None:
    """What the manifest says of the training so far."""
    data = json.loads((path / "progress.json").read_bytes())
    part = rng.choice([None, "curves", "seconds", "indicators", "processes"])
    if part is None:
        data = mutate.structure(rng, data)
    else:
        data[part] = mutate.structure(rng, data[part])
    if rng.random() < 0.3:
        data |= {rng.choice(["elapsed", "seen", "epoch", "step", "best_epoch"]): mutate.value(rng)}
    _sealed(rng, path, data)


def _header(_: Box, rng: Random, path: Path) -> None:
    """Where the tensors of a file lie."""
    file = path / rng.choice(["weights.safetensors", "best.safetensors"])
    file.write_bytes(mutate.tensors(rng, file.read_bytes()))
    _sealed(rng, path)


def _weights(_: Box, rng: Random, path: Path) -> None:
    """The tensors themselves."""
    file = path / rng.choice(["weights.safetensors", "best.safetensors"])
    state = load(file.read_bytes())
    name = rng.choice(sorted(state))
    changed = _tensor(rng, state.pop(name))
    if isinstance(changed, Tensor) and changed.layout == torch.strided:
        state[rng.choice([name, name, "other"])] = changed.contiguous()
    file.write_bytes(save({k: v.clone() for k, v in state.items()}))
    _sealed(rng, path)


def _tensor(rng: Random, was: Tensor) -> Any:
    """Another one in its place, or none."""
    kinds = [torch.float64, torch.int64, torch.bool, torch.complex64, torch.float16, torch.uint8]
    numbers = [torch.nan, torch.inf, -1.0, 1e30, 0.0]
    others: list[Callable[[], Any]] = [
        *(lambda: was.to(rng.choice(kinds)),) * 3,
        *(lambda: torch.full_like(was, rng.choice(numbers), dtype=torch.float32),) * 2,
        lambda: was.flatten()[: rng.choice([0, 1])],
        lambda: was[None],
        lambda: was.flatten().sum() if was.dtype != torch.uint8 else was.flatten()[0],
        lambda: was.to_sparse(),
        lambda: was.flatten()[:1].expand(was.numel()).view(was.shape),  # one number in memory
        lambda: was.flip(0) if was.dim() else was,
        lambda: rng.choice([None, 3, "x", [], {}, 10**400]),
    ]
    return rng.choice(others)()


def _state(_box: Box, rng: Random, path: Path) -> None:
    """What the optimizer, the random generators and the sums hold."""
    file = path / "state.pt"
    state: dict[str, Any] = torch.load(file, weights_only=True)
    places = [state, state["generators"], *state["optimizer"].values()]
    for _ in range(rng.choice([1, 1, 2])):
        parent = rng.choice(rng.choice([places[:1], places[1:2], places]))
        if not parent:
            continue
        key = rng.choice(list(parent))
        was = parent[key]
        match was:
            case Tensor():
                parent[key] = _tensor(rng, was)
            case tuple():
                parent[key] = tuple(mutate.structure(rng, list(was)))
            case list() if was and isinstance(was[0], Tensor):
                parent[key] = rng.choice([was[:1], was * 2, [_tensor(rng, was[0]), *was[1:]]])
            case _:
                parent[key] = mutate.alike(rng, was) if rng.random() < 0.7 else mutate.value(rng)
    torch.save(state, file)
    _sealed(rng, path)


class _Evil:
    """Writes a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("evil", "w")


def _pickled(_: Box, rng: Random, path: Path) -> None:
    """Code where the state was, as any version of torch would have packed it."""
    file = path / "state.pt"
    evil = rng.choice([pickle.dumps(_Evil()), b'cbuiltins\neval\n(S\'open("evil", "w")\'\ntR.'])
    content = evil
    if rng.random() < 0.7:
        buffer = io.BytesIO()
        with zipfile.ZipFile(file) as was, zipfile.ZipFile(buffer, "w") as zipped:
            for name in was.namelist():
                inner = was.read(name)
                if name.endswith("data.pkl"):
                    inner = rng.choice([evil, inner[:-1] + evil, mutate.raw(rng, inner)])
                zipped.writestr(name, inner)
        content = buffer.getvalue()
    file.write_bytes(content)
    _sealed(rng, path)


Damage = Callable[[Box, Random, Path], None]
DAMAGES: list[Damage] = [
    *(_bytes, _file, _foreign, _header, _pickled),
    *(_manifest,) * 4,
    *(_weights,) * 2,
    *(_state,) * 4,
]


# Journals


def journals(box: Box, rng: Random) -> Read:
    """The journals of some runs, damaged, and read while one of them goes on."""
    lines = _journal(box)
    homes = box.results / "events"
    homes.mkdir()
    rests: dict[Path, bytes] = {}
    for number in range(rng.choice([1, 1, 3, 9])):
        content = _events(rng, lines)
        path = homes / f"{rng.choice(['2026', '', '..', 'é'])}{number}.jsonl"
        cut = rng.randrange(len(content) + 1)
        path.write_bytes(content[:cut])
        rests[path] = content[cut:]
        if rng.random() < 0.1:
            rests.pop(path)
            _odd(box, rng, path)
    if rng.random() < 0.02:
        rests.clear()
        _odd(box, rng, homes)
    ways = [_as_json, _shown, _watched, _watched, _on_a_terminal]
    way = rng.choice(ways)
    return lambda: way(box, rng, rests)


def _journal(box: Box) -> list[bytes]:
    """The lines of a journal: of this process, which goes on."""
    if "journal" not in box.known:
        plan, _ = measured(box)
        a, b, c, *_ = cells = [cell.id for cell in plan.cells]
        known = journal.entries(plan.cells, dict.fromkeys(cells, "a cell"))
        with journal.JournalWriter(box.results, "tiny", known, ["run", "tiny"]) as book:
            for event in (
                Started(a),
                Progressed(a, 0, 0.5),
                Progressed(a, 1, 0.0, 0.5, 900.0),
                Ended(a, acc=0.5, status=CellStatus.OK),
                TakenOver(b, reason="host, process 3"),
                Started(b),
                Retrying(b, reason="its process died"),
                Started(b),
                Progressed(b, 1, 0.5, 0.5, 900.0),
                Elsewhere(c, reason="host, process 4"),
                Stopping(reason="SIGTERM"),
                Ended(b, status=CellStatus.INTERRUPTED),
                Moved(c, reason="attic/x"),
                Ended(c, status=CellStatus.FAILED, reason="ValueError: x"),
            ):
                book(event)
        box.known["journal"] = book.path.read_bytes().splitlines()
        box.clear()
    return box.known["journal"]


def _events(rng: Random, lines: list[bytes]) -> bytes:
    """A journal some of whose lines are not what they were."""
    lines = lines[:-1] if rng.random() < 0.7 else lines[:]  # the last one says that it is over
    for _ in range(rng.choice([1, 1, 2, 5])):
        place = rng.choice([0, rng.randrange(len(lines)), rng.randrange(len(lines))])
        try:
            data = json.loads(lines[place])
        except (ValueError, RecursionError):
            continue
        if not isinstance(data, dict):
            continue
        if "owner" in data and rng.random() < 0.5:
            data["owner"] = mutate.structure(rng, data["owner"])
        else:
            data = mutate.structure(rng, data | asdict(Stopping()) | data)
        said = json.dumps(data).encode()
        lines[place] = rng.choice([said, said, said, mutate.raw(rng, said), *LINES])
    content = b"\n".join(lines) + b"\n"
    return mutate.raw(rng, content) if rng.random() < 0.2 else content


LINES = [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b"\xff\x00" * 50_000, b"1e999", b"null"]


def _as_json(box: Box, _: Random, rests: dict[Path, bytes]) -> None:
    """For programs: JSON as it is defined, which has no NaN."""
    _grow(rests)
    json.loads(printable(status.runs_as_json(box.results)), parse_constant=_no_constant)


def _no_constant(word: str) -> None:
    message = f"{word} is no JSON"
    raise AssertionError(message)


def _shown(box: Box, rng: Random, rests: dict[Path, bytes]) -> None:
    """As `bench status` shows it."""
    _grow(rests)
    if rng.random() < 0.1:
        command(["status"])
    for run in status.all_runs(box.results):
        reports.on_terminal(run.line)
        reports.on_terminal("\n".join(run.lines()))
        place = Terminal(file=io.StringIO(), width=rng.choice([20, 30, 100]))
        reports.on_terminal(display.table(run.progress, place, rng.choice([3, 50])))


def _watched(box: Box, _: Random, rests: dict[Path, bytes]) -> None:
    reports.sound(_seen(box, rests, Terminal(file=io.StringIO(), width=200)))


def _on_a_terminal(box: Box, rng: Random, rests: dict[Path, bytes]) -> None:
    width = rng.choice([30, 100])
    _seen(box, rests, Terminal(file=io.StringIO(), width=width, height=20, force_terminal=True))


def _seen(box: Box, rests: dict[Path, bytes], out: Terminal) -> str:
    """What `bench status --watch` writes while journals grow, until somebody leaves it."""
    every_s, wait = status.EVERY_S, status._wait  # pyright: ignore[reportPrivateUsage]

    def grown(*args: Any) -> Any:
        if not rests:
            raise Stopped(2)
        _grow(rests)
        return wait(*args)

    status.EVERY_S, status._wait = 0.0, grown  # pyright: ignore[reportPrivateUsage]
    try:
        status.watch_runs(box.results, out)
    finally:
        status.EVERY_S, status._wait = every_s, wait  # pyright: ignore[reportPrivateUsage]
    return out.file.getvalue()  # type: ignore[attr-defined]


def _grow(rests: dict[Path, bytes]) -> None:
    """The rest of each journal is written."""
    for path, rest in rests.items():
        with path.open("ab") as file:
            file.write(rest)
    rests.clear()


# Archives


def archives(box: Box, rng: Random) -> Read:
    """An archive of one cell and its suite: damaged, or made to do harm, and merged."""
    plan, _ = measured(box)
    cell = rng.choice(plan.cells)
    path = box.inside / "x.tar.gz"
    starts = (f"cells/{cell.slug}/", "suites/")
    entries = [(n, c) for n, c in box.known["files"].items() if n.startswith(starts)]
    rng.choice(PACKINGS)(box, rng, path, rng.sample(entries, rng.randint(1, len(entries))))
    if rng.random() < 0.5:
        _put(box, rng.choice(["cells/", "suites/", f"cells/{cell.slug}/record.json"]))
    prefer = rng.choice([[], ["--prefer", "ours"], ["--prefer", "theirs"]])
    return lambda: _merged(box, [str(path), *prefer])


def _merged(box: Box, argv: list[str]) -> None:
    """Merge it; whatever lands is whole, and nothing lands but cells, suites and the attic."""
    problem = None
    try:
        command(["merge", *argv, "--into", "results"])
    except BenchError as error:
        problem = error
    known = {"cells", "suites", "attic", ".lock"}
    strange = {path.name for path in box.results.iterdir()} - known
    strange |= {str(p) for p in box.results.rglob("*") if not (p.is_file() or p.is_dir())}
    if (box.results / "cells").is_dir():
        landed = cell_folders.read_folders(box.results)
        strange |= {kept.slug for kept in landed if not (kept.record or kept.unfinished)}
    if strange:
        message = f"landed: {strange}"
        raise AssertionError(message)
    if problem:
        raise problem


Entries = list[tuple[str, bytes]]


def _packed_raw(_: Box, rng: Random, path: Path, entries: Entries) -> None:
    """Bytes, above or below the compression."""
    content = build(path, [*entries]).read_bytes()
    if rng.random() < 0.3:
        path.write_bytes(mutate.raw(rng, content))
    else:
        path.write_bytes(gzip.compress(mutate.raw(rng, gzip.decompress(content)), 1))


def _packed_contents(_: Box, rng: Random, path: Path, entries: Entries) -> None:
    """Records, plans and logs that say something else, under digests and seals that are right."""
    place = rng.randrange(len(entries))
    name, content = entries[place]
    if name.endswith(".json"):
        data = mutate.structure(rng, json.loads(content))
        content = json.dumps(data).encode()
        if name.endswith("record.json"):
            content = _resealed(data) or content
    else:
        content = mutate.raw(rng, content)
    entries[place] = name, content
    build(path, [*entries])


def _resealed(data: Any) -> bytes:
    """A record with a seal that is right, or nothing where there is no record."""
    try:
        record = Record.model_validate_json(json.dumps(data))
    except ValidationError:
        return b""
    seal = store._seal(record)  # pyright: ignore[reportPrivateUsage]
    said = json.loads(record.model_dump_json(exclude_unset=True)) | {"seal": seal}
    return json.dumps(said).encode()


def _packed_entries(box: Box, rng: Random, path: Path, entries: Entries) -> None:
    """Names that lead elsewhere, entries that are no files, and the same twice."""
    name, content = rng.choice(entries)
    head, _, tail = name.rpartition("/")
    words = [*mutate.STRANGE, "../../outside/x", str(box.outside / "x"), "a/../../x"]
    word = rng.choice(words).encode(errors="replace").decode()
    name = rng.choice([word, f"{head}/{word}", f"{word}/{tail}", f"cells/{word}/{tail}", name])
    info = tarfile.TarInfo(name)
    info.type = rng.choice([*(tarfile.REGTYPE,) * 6, *(bytes([n]) for n in b"\x0012345679LKxgSVD")])
    info.linkname = rng.choice(["", "../../../outside/precious.txt", "/etc/passwd", "log.txt"])
    info.mode = rng.choice([0o644, 0o7777, 0])
    form = rng.choice([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    try:
        build(path, [*entries, (info, content)], form)
    except ValueError:  # a name that this form cannot hold
        build(path, [*entries, (info, content)], tarfile.PAX_FORMAT)


def _packed_headers(_: Box, rng: Random, path: Path, entries: Entries) -> None:
    """A header's fields, huge sizes among them, under a checksum that is right."""
    tar = bytearray(gzip.decompress(build(path, [*entries]).read_bytes()))
    starts = [i for i in range(0, len(tar), 512) if tar.startswith(b"ustar", i + 257)]
    start = rng.choice(starts)
    place, size = rng.choice([(0, 100), (100, 8), (124, 12), (124, 12), (156, 1), (257, 8)])
    sizes = [b"77777777777\0", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"00000000000\0", b"x" * 12]
    field = rng.choice([*sizes, rng.randbytes(size)])[:size]
    tar[start + place : start + place + len(field)] = field
    tar[start + 148 : start + 156] = b" " * 8
    tar[start + 148 : start + 156] = b"%06o\0 " % sum(tar[start : start + 512])
    path.write_bytes(gzip.compress(bytes(tar), 1))


def _packed_manifest(_: Box, rng: Random, path: Path, entries: Entries) -> None:
    """A manifest that says something else."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in entries}
    data = mutate.structure(rng, {"format": archive.FORMAT, "sha256": digests})
    told = rng.choice([json.dumps(data).encode(), mutate.raw(rng, b"{}"), *LINES])
    with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in [*entries, (archive.MANIFEST, told)]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def _packed_bomb(_: Box, rng: Random, path: Path, entries: Entries) -> None:
    """Little that becomes much, within a file, after the end, or a gzip in a gzip."""
    much = bytes(2**25)
    whole = gzip.decompress(build(path, [*entries]).read_bytes())
    match rng.randrange(3):
        case 0:
            build(path, [*entries, (f"{entries[0][0].rpartition('/')[0]}/log.txt", much)])
        case 1:
            path.write_bytes(gzip.compress(whole + much, 1))
        case _:
            path.write_bytes(gzip.compress(gzip.compress(whole), 1) * rng.choice([1, 100]))


def _packed_odd(box: Box, rng: Random, path: Path, entries: Entries) -> None:
    _odd(box, rng, build(path, [*entries]))


Packing = Callable[[Box, Random, Path, Entries], None]
PACKINGS: list[Packing] = [
    *(_packed_raw,) * 4,
    *(_packed_contents,) * 4,
    *(_packed_entries,) * 3,
    *(_packed_headers,) * 3,
    *(_packed_manifest, _packed_bomb, _packed_odd),
]


# Leases


def leases(box: Box, rng: Random) -> Read:
    """A lease that says something else or is no file, and so the lock."""
    plan, _ = measured(box)
    homes = [store.cell_path(box.results, cell) for cell in plan.cells]
    for home in homes[:2]:
        home.mkdir(parents=True)
        told = lease.Lease(owner=lease.myself(), beat=3, at="2026-01-01").model_dump(mode="json")
        said = json.dumps(mutate.structure(rng, told)).encode()
        path = home / lease.NAME
        path.write_bytes(rng.choice([said, said, mutate.raw(rng, said), *LINES]))
        if rng.random() < 0.2:
            _odd(box, rng, path)
    if rng.random() < 0.1:
        _odd(box, rng, box.results / ".lock")

    def read() -> None:
        now = [0.0]
        mine = lease.Leases(box.results, lease.myself(), lambda: now[0])
        for home in homes[:2]:
            reports.on_terminal(lease.holder(home))
        for now[0] in (0.0, 1.0, 100.0, 200.0):
            for cell in plan.cells[:2]:
                mine.take(cell)
            mine.beat()
        mine.release_all()
        with lease.idle(box.results):
            pass

    return read
