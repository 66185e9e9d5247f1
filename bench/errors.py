"""
Everything the harness raises on purpose.

    BenchError                exit 1
      - UsageError            exit 2   an argument or override makes no sense
      - SuiteError            exit 2   a suite file cannot be read or does not validate
      - PluginError           exit 2   a plugin is missing, malformed or misconfigured
      - EmptyMatch            exit 4   a filter matched nothing
      - EnvironmentProblem    exit 5   no such device, no disk to write on
          - DataError         exit 5   a data set is missing, damaged or too small
          - NodeLost          exit 5   another node of a job died, or cannot be reached

A `BenchError` is the user's to fix: the command prints it without a traceback.
"""

import sys
from typing import ClassVar


class BenchError(Exception):
    """An error the user can fix. `str(error)` is the whole message, one problem a line."""

    exit_code: ClassVar[int] = 1


class UsageError(BenchError):
    exit_code = 2


class SuiteError(BenchError):
    exit_code = 2


class PluginError(BenchError):
    exit_code = 2


class EmptyMatch(BenchError):
    exit_code = 4


class EnvironmentProblem(BenchError):
    exit_code = 5


def refuse_windows() -> None:
    """
    Say that this system lacks what is needed, before something that it lacks is imported.

    Raises:
        EnvironmentProblem: it is Windows.
    """
    if sys.platform == "win32":
        message = (
            "signbench runs on Linux and macOS; on Windows use it inside WSL 2 (`wsl --install`)"
        )
        raise EnvironmentProblem(message)


class Detached(Exception):
    """No error: what this process began goes on elsewhere without it, as was asked for."""

    exit_code: ClassVar[int] = 0


class DataError(EnvironmentProblem): ...


class NodeLost(EnvironmentProblem): ...


OUT_OF_MEMORY = (  # what torch's allocators say: the GPU's, the CPU's, oneDNN's, cuBLAS's
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "could not create a memory object",
    "ALLOC_FAILED",
)


def exhausted(error: Exception) -> bool:
    """Did memory run out? Torch says so in a RuntimeError, by its words alone."""
    told = isinstance(error, RuntimeError) and any(word in str(error) for word in OUT_OF_MEMORY)
    return told or isinstance(error, MemoryError)
