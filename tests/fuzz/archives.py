"""Archives of results that a stranger sends."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from pydantic import ValidationError
from samples import build

from bench.errors import BenchError
from bench.results import archive, cell_folders, store
from bench.results.record import Record
from fuzz import mutate
from fuzz.box import Box, Read, misplace
from fuzz.sound import command, measured, restore


def archives(box: Box, rng: Random) -> Read:
    """An archive of one cell and its suite: damaged, or made to do harm, and merged."""
    plan, _ = measured(box)
    cell = rng.choice(plan.cells)
    path = box.inside / "x.tar.gz"
    starts = (f"cells/{cell.slug}/", "suites/")
    entries = [(n, c) for n, c in box.known["files"].items() if n.startswith(starts)]
    rng.choice(PACKINGS)(box, rng, path, rng.sample(entries, rng.randint(1, len(entries))))
    if rng.random() < 0.5:
        restore(box, rng.choice(["cells/", "suites/", f"cells/{cell.slug}/record.json"]))
    prefer = rng.choice([[], ["--prefer", "ours"], ["--prefer", "theirs"]])
    return lambda: _merged(box, [str(path), *prefer])


def _merged(box: Box, argv: list[str]) -> None:
    """Merge it; whatever lands is whole, and nothing lands but cells, suites and the attic."""
    problem = None
    try:
        command(["merge", *argv, "--into", "results"])
    except BenchError as error:
        problem = error
    known = {"cells", "suites", "attic"}
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
            content = resealed(data) or content
    else:
        content = mutate.raw(rng, content)
    entries[place] = name, content
    build(path, [*entries])


def resealed(data: Any) -> bytes:
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
    told = rng.choice([json.dumps(data).encode(), mutate.raw(rng, b"{}"), *mutate.LINES])
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
    misplace(box, rng, build(path, [*entries]))


Packing = Callable[[Box, Random, Path, Entries], None]
PACKINGS: list[Packing] = [
    *(_packed_raw,) * 4,
    *(_packed_contents,) * 4,
    *(_packed_entries,) * 3,
    *(_packed_headers,) * 3,
    *(_packed_manifest, _packed_bomb, _packed_odd),
]
