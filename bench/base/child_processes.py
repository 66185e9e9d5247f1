"""Processes that are started for the harness alone, whoever calls it."""

import sys
from multiprocessing.process import BaseProcess
from types import ModuleType

from bench.base import signals


def start_process(process: BaseProcess) -> None:
    """
    Start a spawned process, which sees no Ctrl-C and imports nothing of the script that runs.

    Python would have it import that script anew, and with it whatever calls the harness without
    asking whether it is the main module.

    Raises:
        OSError: the machine has no room for another process.
    """
    caller = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        with signals.ignored_by_children():
            process.start()
    finally:
        sys.modules["__main__"] = caller
