"""
What tables need of records, kept apart from their curves in the user's cache folder.

A record is told from the index only while its file has the size, times and inode that it had when
it was read, whole and with its seal. So an index that is old, damaged or gone costs time alone. It
is nobody's but the user's: what comes with a results folder is never believed over its records.
Two processes may write it at a time; the last one's is kept, and the next adds what it lacks.
"""

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError, create_model

from bench.base import answer_cache
from bench.base.file_states import SETTLED_S
from bench.base.files import write_file
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem
from bench.results import equilibrium, store
from bench.results.indexed_record import LATER, Facts, IndexedRecord
from bench.results.record import Record
from bench.spec.cell import Cell

# What is kept; raise the number when `Facts` or their meaning changes.
FORM = f"records 3 {' '.join(Record.model_fields)}"
WORTH = 64  # records read anew that make it worth writing
WHOLE = 64  # records read anew that stay whole: curves of thousands would fill the memory
MAX_BYTES = 2**30
_APART = {"cell", *LATER}
_FIELDS: dict[str, Any] = {
    name: (field.annotation, field)
    for name, field in Record.model_fields.items()
    if name not in _APART
}
_Told: type[Frozen] = create_model("Told", __base__=Frozen, facts=(Facts, ...), **_FIELDS)


class RecordIndex:
    """The records of a results folder, by their cells; each file is read once in its life."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._cells = os.path.realpath(root / "cells")
        self._lines: dict[str, str] | None = None  # folder → state of the file, a tab, its JSON
        self._new: dict[str, str] = {}

    def find_record(self, cell: Cell) -> Record | None:
        """
        The record of `cell`, as `store.find_record` gives it.

        Raises:
            EnvironmentProblem: the disk does not let it be read.
        """
        slug = cell.slug
        state = self._state(slug)
        if state and (known := self._known().get(slug)):
            kept, _, text = known.partition("\t")
            if kept == state:
                with suppress(ValidationError):
                    return _read(text, cell, f"{self._cells}/{slug}/record.json")
        record = store.find_record(self.root, cell)
        if record and state and state == self._state(slug):
            text = _text(record)
            self._new[slug] = f"{state}\t{text}"
            if len(self._new) > WHOLE:
                return _read(text, cell, f"{self._cells}/{slug}/record.json")
        return record

    def keep(self) -> None:
        """Write what was read anew, if that is worth it and can be; what was known is forgotten."""
        known, new, self._lines = self._lines or {}, self._new, None  # read again when asked for
        if len(new) < WORTH:
            return
        lines = (known or self._known()) | new
        self._lines, self._new = None, {}
        content = "".join(f"{slug}\t{line}\n" for slug, line in lines.items()).encode()
        seal = hashlib.sha256(content).hexdigest()
        with suppress(OSError, EnvironmentProblem, RuntimeError):
            write_file(self._path(), f"{FORM}\t{seal}\n".encode() + content)

    def _path(self) -> Path:
        """Where the index of this folder lies."""
        name = hashlib.sha256(self._cells.encode()).hexdigest()[:16]
        return answer_cache.folder().parent / "records" / f"{name}.tsv"

    def _known(self) -> dict[str, str]:
        """What was kept before, none of a file that is damaged or of another version."""
        if self._lines is None:
            self._lines = {}
            with suppress(OSError, RuntimeError, ValueError):
                path = self._path()
                if path.is_file() and path.stat().st_size <= MAX_BYTES:
                    head, _, content = path.read_text(encoding="utf-8").partition("\n")
                    if head == f"{FORM}\t{hashlib.sha256(content.encode()).hexdigest()}":
                        pairs = (line.partition("\t") for line in content.split("\n") if line)
                        self._lines = {slug: rest for slug, _, rest in pairs}
        return self._lines

    def _state(self, slug: str) -> str:
        """
        What stands for the contents of a record's file, found without reading it.

        Nothing where there is no file, a link to the cell's folder, or a file that was written
        just now, since the next write might have the same times.
        """
        try:
            home = os.path.join(self._cells, slug)  # noqa: PTH118 - of thousands
            if os.path.islink(home):  # noqa: PTH114
                return ""
            found = os.stat(f"{home}/record.json")  # noqa: PTH116
        except (OSError, ValueError):
            return ""
        if max(found.st_mtime, found.st_ctime) > time.time() - SETTLED_S:
            return ""
        times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
        return f"{found.st_size} {times} {found.st_ino} {found.st_dev}"


def _text(record: Record) -> str:
    """What is kept of a record, in one line."""
    facts = Facts(
        epochs=record.epochs,
        last_acc=record.last_acc,
        best_acc=record.best_acc,
        last_top5=record.last_top5,
        best_top5=record.best_top5,
        equilibrium={
            definition: equilibrium.indicators(record, definition)
            for definition in equilibrium.DEFINITIONS
        },
        curves_digest=record.curves_digest,
    )
    told = {name: getattr(record, name) for name in Record.model_fields if name not in _APART}
    return _Told.model_construct(facts=facts, **told).model_dump_json()


def _read(text: str, cell: Cell, path: str) -> Record:
    """
    The record of a line.

    Raises:
        ValidationError: the line is damaged.
    """
    told = vars(_Told.model_validate_json(text))
    return IndexedRecord.of(cell, told, told.pop("facts"), path)
