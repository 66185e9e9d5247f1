"""
What `bench run --json` prints: JSON lines, of the run's journals and around them two of its own.

    {"version": 1, "at": "...Z", "suite": "tiny", "kind": "run", "command": [...], "root": "..."}
    {..., "kind": "part", "owner": {...}, "cells": [{"id": ..., "name": ..., ...}]}
    {..., "kind": "progress", "cell": "ste seed 0", "cell_id": "...", "epoch": 1, "acc": 0.5}
    {..., "kind": "over", "reason": "done"}
    {..., "kind": "summary", "exit_code": 0, "recorded": 0, "ok": 2}

A run may have several parts, or none. What an event does not say is as
`bench.execution.events` has it.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from bench.base.redaction import words_without_secrets
from bench.base.signals import Stopped
from bench.base.text import printable
from bench.errors import BenchError

VERSION = 1


class JsonEventWriter:
    """Writes the lines of one run; a reader that goes away ends the lines, not the run."""

    def __init__(self, file: TextIO, suite: str, root: Path, argv: Iterable[str]) -> None:
        self.file, self.suite = file, suite
        command = ["bench", *words_without_secrets(argv)]
        self.about = {"command": command, "root": str(root.absolute())}
        self.counts: Counter[str] = Counter()  # of cells that did not run: recorded, stale
        self._names: dict[str, str] = {}
        self._ended: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._write_line("run", self.about)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        code = 0 if error is None else getattr(error, "exit_code", 1)
        why = {"error": str(error)} if isinstance(error, (BenchError, Stopped)) else {}
        ended = Counter(self._ended.values())
        self._write_line("summary", {"exit_code": code, **why, **self.counts, **ended})

    def write(self, line: dict[str, Any]) -> None:
        """Pass on a line of a journal; its first one opens a part of the run."""
        if "cells" in line:
            self._names |= {cell["id"]: cell["name"] for cell in line["cells"]}
            self._write_line("part", {name: line[name] for name in ("owner", "cells")})
            return
        name = self._names.get(line.get("cell_id", ""))
        if line["kind"] == "end":
            self._ended[line["cell_id"]] = line["status"]
        self._write_line(line["kind"], {**({"cell": name} if name else {}), **line})

    def _write_line(self, kind: str, more: dict[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"version": VERSION, "at": at, "suite": self.suite, "kind": kind, **more}
        try:
            self.file.write(printable(json.dumps(line, ensure_ascii=False)) + "\n")
            self.file.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
