"""What a check is asked, and what it answers."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and what to do unless it is fine."""

    state: State
    what: str
    found: str
    advice: str = ""


Findings: TypeAlias = Iterator[Finding]


@dataclass(frozen=True)
class Setup:
    """What is examined: this machine, as `bench run` with these options would use it."""

    results: Path
    data: Path | None
    devices: tuple[str, ...]  # empty: all that there are
    threads: int


def import_or_explain(name: str) -> tuple[Any, str]:
    """Import a module; return it and "", or None and why it cannot be imported, in one line."""
    try:
        return importlib.import_module(name), ""
    except Exception as error:  # a broken build raises nearly anything
        first = next(iter(str(error).strip().splitlines()), "")
        return None, f"{type(error).__name__}: {first}"
