"""
The log of a cell: lines about it, and whatever the process that trains it prints.

A worker and the run that started it both add to the file, the run where the worker no longer can.
"""

import contextlib
import ctypes
import faulthandler
import io
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.base.files import append_text
from bench.base.text import printable
from bench.errors import EnvironmentProblem
from bench.results import store
from bench.spec.cell import Cell

NAME = "log.txt"


class Log:
    """
    A cell's log: one more line at a time, with the time before it.

    Raises:
        EnvironmentProblem: the cell's folder leads out of the results folder.
    """

    def __init__(self, root: Path, cell: Cell) -> None:
        self.path = store.cell_path(root, cell) / NAME

    def line(self, text: str) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        start = "\n" if self._cut() else ""  # what was printed last may have no end
        with contextlib.suppress(EnvironmentProblem):  # no log is worth a cell
            append_text(self.path, f"{start}{stamp} {printable(text.rstrip())}\n")

    def end(self, status: str, reason: str) -> None:
        """How the cell ended."""
        self.line(f"{status}{reason and ': '}{reason}")

    def _cut(self) -> bool:
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
        return False


class SilentLog(Log):
    """The log of a process that leaves it to another one of its cell."""

    def line(self, text: str) -> None:
        """Leave it."""


def attach() -> None:
    """
    Let this process print as it does into a file: at once, and though the disk may be full.

    A crash of the interpreter prints where it was.
    """
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    faulthandler.enable(2)


def redirect(path: Path) -> None:
    """
    From here on all that this process prints goes to the end of a file, in Python and in C.

    It is lost if the file cannot be opened.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW  # a link may lead anywhere
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, flags, 0o666)
    except OSError:
        file = os.open(os.devnull, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)


class _Output(io.FileIO):
    """What a full disk does not take is lost: no print is worth a cell."""

    def write(self, content: Any, /) -> int:
        with contextlib.suppress(OSError):
            return super().write(content)
        return len(content)


def _stream(number: int) -> io.TextIOWrapper:
    raw = io.BufferedWriter(_Output(number, "w", closefd=False))
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True)
