"""
Records on disk: a folder for each cell, so that results merge like any other files.

    ROOT/cells/<slug>/record.json  last.safetensors  best.safetensors  log.txt
    ROOT/suites/<suite>/plan.json  leaderboard.{md,csv,json}
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.base.collector import held_back
from bench.base.file_states import file_state
from bench.base.files import write_file
from bench.base.plain_data import dotted
from bench.errors import EnvironmentProblem, UsageError
from bench.results import plan_owner
from bench.results.record import Record
from bench.spec.cell import Cell, Which
from bench.spec.plan import Plan

# Bytes of a file that holds one, and values in it: what says more was made to do harm. A record of
# 600 epochs of 53 binary layers has 700,000 values, a plan of 10,000 cells a million.
RECORD_MOST, PLAN_MOST = (2**25, 1_000_000), (2**26, 2_000_000)
# What the cells of a row mostly have in common.
LARGE = ("recipe", "binarization", "data", "backbone", "weights", "activations", "numerics")


def cell_path(root: Path, cell: Cell) -> Path:
    """
    Where a cell's files live.

    Raises:
        EnvironmentProblem: a link there leads out of the results folder.
    """
    return path_inside(root, "cells", cell.slug)


def weights_path(root: Path, cell: Cell, which: Which) -> Path:
    """
    Where a cell's `last` or `best` weights are kept.

    Raises:
        EnvironmentProblem: a link there leads out of the results folder.
    """
    return cell_path(root, cell) / f"{which}.safetensors"


def suite_path(root: Path, suite: str) -> Path:
    """
    Where a suite's files live.

    Raises:
        EnvironmentProblem: a link there, or the name, leads out of the results folder.
    """
    return path_inside(root, "suites", suite)


def path_inside(root: Path, kind: str, name: str) -> Path:
    """
    The path `root`/`kind`/`name`.

    Raises:
        EnvironmentProblem: a link there, or the name, leads out of `root`.
    """
    path = root / kind / name
    real = Path(os.path.realpath(path))
    plain = Path(name).name == name and name not in {"", ".."}
    if not plain or not real.is_relative_to(os.path.realpath(root)):
        message = (
            f"`{path}` leads out of the results folder, to `{real}`; remove the link, or rename"
        )
        raise EnvironmentProblem(message)
    return path


def save_weights(path: Path, state: dict[str, Any]) -> Path:
    """Write a model's tensors, as `write_file` does."""
    from safetensors.torch import save as dump

    return write_file(path, dump({k: v.contiguous() for k, v in state.items()}))


def save_record(root: Path, record: Record) -> Path:
    """Write a cell's record with its seal, as `write_file` does."""
    path = cell_path(root, record.cell) / "record.json"
    whole = Record.model_validate_json(record.model_dump_json())  # every field is one that was set
    record = whole.model_copy(update={"seal": _seal(whole)})
    return write_file(path, record.model_dump_json() + "\n")


def seal_holds(record: Record) -> bool | None:
    """Is the record as it was written? None: nobody can tell, it is older than seals."""
    return record.seal == _seal(record) if record.seal else None


def seal_of_text_holds(content: bytes) -> bool:
    """
    Is it the JSON of a record as it was written?

    False says nothing: where numbers are spelled otherwise than we spell them, or there is no seal.
    """
    try:
        said = json.loads(content)
        return bool(said["seal"]) and said.pop("seal") == _digest(said)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _seal(record: Record) -> str:
    """SHA-256 of what stands in the record's file; a field that later versions add does not."""
    return _digest(json.loads(record.model_dump_json(exclude={"seal"}, exclude_unset=True)))


def _digest(said: dict[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def find_record(root: Path, cell: Cell) -> Record | None:
    """
    The record of `cell`; None while there is none, or only one that is damaged or was changed.

    Raises:
        EnvironmentProblem: the disk does not let it be read.
    """
    try:
        record = read_record(cell_path(root, cell) / "record.json")
    except (FileNotFoundError, UsageError):
        return None
    return record if record.cell.id == cell.id else None


def read_record(path: Path) -> Record:
    """
    The record in a file.

    Raises:
        FileNotFoundError: there is no such file.
        UsageError: it is damaged, or was changed after it was written.
        EnvironmentProblem: the disk does not let it be read.
    """
    try:
        content = _content(path, "record", RECORD_MOST)
        record = Record.model_validate_json(content)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        message = f"cannot read `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    except ValidationError as error:
        message = f"`{path}` is damaged: {describe_invalid(error)}"
        raise UsageError(message) from None
    if not seal_of_text_holds(content) and seal_holds(record) is False:
        message = f"`{path}` was changed after it was written: the seal is broken"
        raise UsageError(message)
    return record


def _content(path: Path, noun: str, most: tuple[int, int]) -> bytes:
    """
    Read a file of JSON that may be anybody's: no more than so many bytes, and so many values.

    Raises:
        UsageError: it has more, or is no file.
        OSError: it is not there, or cannot be read.
    """
    size, values = most
    status = path.stat()
    wrong = "" if stat.S_ISREG(status.st_mode) else "it is no file"  # a pipe would be waited for
    if status.st_size > size:
        wrong = f"it has more than {size:,} bytes"
    content = b"" if wrong else path.read_bytes()
    if content.count(b",") > values:
        wrong = f"it holds more than {values:,} values"
    if wrong:
        message = f"`{path}` is no {noun}: {wrong}"
        raise UsageError(message)
    return content


def describe_invalid(error: ValidationError) -> str:
    """The first thing that is wrong, in a line."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = f"{dotted(first['loc'])}: " if first["loc"] else ""
    return f"{where}{first['msg']}"


def find_namesakes(root: Path, cell: Cell) -> Iterator[tuple[Path, Record]]:
    """The folders of cells whose name is this cell's, and the records in them that can be read."""
    return read_homes(list_by_name(root).get(cell.name, []))


def list_by_name(root: Path) -> dict[str, list[Path]]:
    """The folders of all cells, sorted, by their cell's name; links are left out."""
    found: dict[str, list[Path]] = {}
    with suppress(OSError), os.scandir(root / "cells") as entries:
        for name in sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False)):
            found.setdefault(name.rpartition("__")[0], []).append(root / "cells" / name)
    return found


def read_homes(homes: Iterable[Path]) -> Iterator[tuple[Path, Record]]:
    """Cells' folders with the records in them that can be read."""
    for home in homes:
        with suppress(FileNotFoundError, UsageError):
            yield home, read_record(home / "record.json")


def find_cell_path(root: Path, cell: Cell) -> Path:
    """The folder that holds a cell's record, where an earlier version gave it another id, too."""
    own = cell_path(root, cell)
    if (own / "record.json").is_file():
        return own
    return next((path for path, record in find_namesakes(root, cell) if record.cell == cell), own)


def set_record_aside(root: Path, cell: Cell) -> Path | None:
    """
    Move a record that `find_record` does not take out of the way.

    Returns where to, None if there is none.

    Raises:
        EnvironmentProblem: the disk does not let it be read or moved.
    """
    path = cell_path(root, cell) / "record.json"
    if find_record(root, cell) is not None or not path.exists():
        return None
    aside, number = path.with_name("record.json.damaged"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"record.json.damaged-{number}")
    try:
        return path.rename(aside)
    except OSError as error:
        message = f"cannot move `{path}` to `{aside}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None


def save_plan(root: Path, plan: Plan) -> Path:
    """Keep what a suite meant when it ran, so that its table needs nothing but results."""
    plan_owner.remember(plan)
    return write_file(suite_path(root, plan.suite) / "plan.json", plan.model_dump_json() + "\n")


@lru_cache(maxsize=1)
def _plan_of(path: Path, state: str) -> Plan:
    """The plan in a file while its state is this one, which none has that changed just now."""
    with held_back():
        plan = Plan.model_validate_json(_content(path, "plan", PLAN_MOST))
        for row in plan.rows:
            _share([vars(cell) for cell in row.cells])
    return plan


def _share(cells: list[dict[str, Any]]) -> None:
    """Let cells have one value of each of what is equal in them; of 10,000 that is 100 MiB less."""
    first, *others = cells
    for fields in others:
        fields |= {name: first[name] for name in LARGE if fields[name] == first[name]}


def find_plan(root: Path, suite: str) -> Plan:
    """
    The plan that `bench run` kept for `suite`.

    Raises:
        UsageError: it never ran here, or its plan cannot be read.
    """
    path = suite_path(root, suite) / "plan.json"
    try:
        read = _plan_of if (state := file_state(path)) else _plan_of.__wrapped__
        plan = read(path, state or "")
    except FileNotFoundError:
        message = f"no `{path}`; run `bench run` on the suite first, or name its --results"
        raise UsageError(message) from None
    except (OSError, ValidationError) as error:
        what = f"is damaged, or of another version of signbench: {str(error).splitlines()[0]}"
        message = f"`{path}` {what}; `bench run` makes it again"
        raise UsageError(message) from None
    if plan.suite != suite:
        message = f"`{path}` is the plan of `{plan.suite}`; `bench run` makes it again"
        raise UsageError(message)
    return plan
