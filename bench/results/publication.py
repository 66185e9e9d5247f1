"""
What of a results folder goes to others: plans without folders, logs without secrets, records.

A record cannot be rewritten, for its seal would break: one that holds a secret does not go.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.base.redaction import HIDDEN, without_secrets, words_without_secrets
from bench.results import archive, weight_files
from bench.results.cell_folders import CellFolder
from bench.results.record import Record
from bench.spec.plan import Plan


@dataclass(frozen=True)
class Chosen:
    """Plans and cells of a results folder, with weights that are what was recorded or without."""

    root: Path
    plans: list[Plan]
    cells: list[CellFolder]
    weights: bool


def list_files(chosen: Chosen, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Name each file of an archive, and where it lies; what is rewritten is put into `scratch`."""
    for number, plan in enumerate(chosen.plans):
        text = without_folders(plan).model_dump_json() + "\n"
        yield f"suites/{plan.suite}/plan.json", _put(scratch / f"plan-{number}", text)
    for number, cell in enumerate(chosen.cells):
        weights = _sound(cell) if chosen.weights else []
        for name, path in archive.list_cell_files(cell, weights, checkpoints=False):
            if path.name == "log.txt":
                path = _put(scratch / f"log-{number}", public_log(path))
            yield name, path


def _sound(cell: CellFolder) -> list[str]:
    return [name for name, wrong in weight_files.check_weight_files(cell).items() if not wrong]


def without_folders(plan: Plan) -> Plan:
    """A plan that names no folder of its user: its suite by the file's name, no local plugins."""
    name = re.split(r"[\\/]", plan.source)[-1]
    return plan.model_copy(update={"source": name, "plugins": []})


def public_log(path: Path) -> str:
    """A log as it may be shown."""
    return without_secrets(path.read_text(encoding="utf-8", errors="replace"))


def secrets_of(told: Record | Plan) -> list[str]:
    """What looks like a secret in a record or plan, with each secret itself as `***`."""
    if isinstance(told, Plan):
        fields = told.model_dump(mode="json", exclude={"rows"})
    else:  # numbers are left where they are
        made = [process.model_dump(mode="json") for process in (*told.earlier, told.provenance)]
        fields = [told.cell.model_dump(mode="json"), told.reason, made]
    hidden = {text: _hidden(text) for text in _texts(fields)}
    return [shown for text, shown in hidden.items() if shown != text]


def _hidden(text: str) -> str:
    """The text without secrets, also those that a command line gives after an option."""
    shown = without_secrets(text)
    if not text.startswith("bench "):
        return shown
    try:
        words = shlex.split(shown)
    except ValueError:  # an open quote
        return shown
    return shown if words_without_secrets(words) == words else f"bench ... {HIDDEN} ..."


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(list(item))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(item)


def _put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", errors="replace")
    return path
