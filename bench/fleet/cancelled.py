"""Cells of a submission that are not wanted any more: told to whoever follows, and to jobs."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.base.files import read_small
from bench.results import store

READ_S = 2.0  # between two looks at the file, for those that ask all the time


@dataclass
class Cancelled:
    """The cells of a submission that are not wanted any more; `read` reads on."""

    path: Path
    cells: set[str] = field(default_factory=set[str])
    _bytes: int = 0
    _read_at: float = float("-inf")

    def read(self) -> list[str]:
        """Cells that were added since the last time."""
        try:
            content = read_small(self.path, start=self._bytes)
        except OSError:
            return []
        content = content[: content.rfind(b"\n") + 1]
        self._bytes += len(content)
        added: list[str] = []
        for line in content.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                added += [str(cell) for cell in json.loads(line)["cells"]]
        self.cells |= {*added}
        return added

    def read_now_and_then(self) -> set[str]:
        """All of them, as they were a moment ago; for callers that ask all the time."""
        if time.monotonic() - self._read_at > READ_S:
            self._read_at = time.monotonic()
            self.read()
        return self.cells


def cancelled_path(root: Path, name: str) -> Path:
    """Where the cancelled cells of a submission stand."""
    return home(root, name) / "cancelled.jsonl"


def home(root: Path, name: str) -> Path:
    """The folder of a submission."""
    return store.path_inside(root, "jobs", name)
