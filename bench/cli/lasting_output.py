"""
Standard output and error that may fail or be missing, and decide nothing.

A terminal goes away, a disk of logs is full, a scheduler gives no output at all. What is written
there is lost then, once and for all; whether that matters is for the command's end to say: a
command whose work is kept elsewhere has done it, one that only prints has failed.
"""

import io
import os
import sys
from typing import TYPE_CHECKING

from bench.errors import EnvironmentProblem

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_files: "list[LastingFile]" = []
_outlasting = False


class LastingFile(io.FileIO):
    """A descriptor that takes all that is written; `problem` is what went wrong first."""

    problem: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int | None:
        size = memoryview(data).nbytes
        if self.problem is None:
            try:
                return super().write(data)
            except BrokenPipeError as error:
                if not _outlasting:  # nobody reads on: the command may end
                    raise
                self.problem = error
            except OSError as error:
                self.problem = error
        return size


def open_missing() -> None:
    """
    Have descriptors 0, 1 and 2, before a file that is opened gets their number.

    What is missing is /dev/null: some daemons and schedulers close them.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def install() -> None:
    """Let standard output and error outlast what they lead to; not where a test has its own."""
    global _outlasting
    _outlasting = False
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where ± or … has no place in the encoding
        if isinstance(stream, io.TextIOWrapper) and stream is getattr(sys, f"__{name}__"):
            stream.flush()
            file = LastingFile(stream.fileno(), "w", closefd=False)
            _files.append(file)
            lasting = io.TextIOWrapper(
                io.BufferedWriter(file),
                encoding=stream.encoding,
                errors="replace",
                line_buffering=stream.line_buffering,
                write_through=name == "stderr",
            )
            setattr(sys, name, lasting)


def outlast() -> None:
    """Go on without readers, too: the work of this command is kept elsewhere."""
    global _outlasting
    _outlasting = True


def conclude() -> str:
    """
    Return what could not be written, where that does not matter, or nothing.

    Raises:
        EnvironmentProblem: it was what the command is for.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.flush()
    lost = [f for f in _files if f.problem and not isinstance(f.problem, BrokenPipeError)]
    if not lost or lost[0].fileno() != 1:
        return ""
    text = f"cannot write to standard output: {lost[0].problem and lost[0].problem.strerror}"
    if _outlasting:
        return text
    raise EnvironmentProblem(text)
