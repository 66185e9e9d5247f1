"""What the program keeps to read again: the index of records, and copies of plugins."""

import hashlib
import json
import shutil
from pathlib import Path
from random import Random
from unittest.mock import patch

from bench.base.python_files import shipped
from bench.cli import catalogue
from bench.fleet import plugin_copies
from bench.registry import add_folders
from bench.results import record_index, store
from bench.results.record_index import RecordIndex
from fuzz import mutate, reports
from fuzz.box import Box, Read, misplace
from fuzz.sound import fresh, measured, restore

PLUGIN = shipped("estimators") / "ste.py"


def indexes(box: Box, rng: Random) -> Read:
    """An index of records that is damaged, or says something else under a seal that holds."""
    plan, _ = measured(box)
    restore(box, "cells/")
    with patch.multiple(record_index, WORTH=1, SETTLED_S=-1):
        index = RecordIndex(box.results)
        for cell in plan.cells:
            index.find_record(cell)
        index.keep()
    path = index._path()  # pyright: ignore[reportPrivateUsage]
    sealed = rng.random() < 0.6
    path.write_bytes(_lie(rng, path) if sealed else mutate.raw(rng, path.read_bytes()))

    def read() -> None:
        try:
            with patch.object(record_index, "SETTLED_S", -1):
                again = RecordIndex(box.results)
                found = [again.find_record(cell) for cell in plan.cells]
            reports.table(box, plan)
            for cell, one in zip(plan.cells, found, strict=True):
                if not sealed and (one and one.last_acc) != _measured(box, cell):
                    message = "a damaged index was believed over a record"
                    raise AssertionError(message)
        finally:
            path.unlink(missing_ok=True)

    return read


def _lie(rng: Random, path: Path) -> bytes:
    """An index that says something else of one record, under a seal that holds."""
    head, _, content = path.read_text("utf-8").partition("\n")
    lines = content.splitlines()
    place = rng.randrange(len(lines))
    *place_of, said = lines[place].split("\t")
    odd = json.dumps(mutate.structure(rng, json.loads(said)))
    lines[place] = "\t".join([*place_of, rng.choice([odd, said[: len(said) // 2], ""])])
    content = "\n".join(lines)
    seal = hashlib.sha256(content.encode(errors="replace")).hexdigest()
    return f"{head.rpartition(chr(9))[0]}\t{seal}\n{content}".encode(errors="replace")


def _measured(box: Box, cell: object) -> float | None:
    record = store.find_record(box.results, cell)  # type: ignore[arg-type]
    return record and record.last_acc


def copies(box: Box, rng: Random) -> Read:
    """Copies of local plugins that were damaged or replaced, and folders of odd files to copy."""
    fresh()
    local = box.inside / "estimators"
    local.mkdir()
    shutil.copy(PLUGIN, local / "mine.py")
    (local / "notes.txt").write_bytes(mutate.raw(rng, b"what a plugin reads\n"))
    if rng.random() < 0.3:
        misplace(box, rng, local / "notes.txt")
    add_folders([local])
    before = plugin_copies.copy_plugins(box.results) if rng.random() < 0.7 else []
    for relative in (path for path in before if path.name == local.name):
        file = box.results / relative / "mine.py"
        if rng.random() < 0.7:
            file.write_bytes(mutate.raw(rng, file.read_bytes()))
        if rng.random() < 0.3:
            misplace(box, rng, rng.choice([file, file.parent, file.parent.parent]))

    def read() -> None:
        again = plugin_copies.copy_plugins(box.results)
        fresh()
        add_folders([box.results / relative for relative in again])
        for entry in catalogue.list_entries("estimator"):
            reports.on_terminal(str(entry))

    return read
