"""The moments at which a process changes files, to have something happen there."""

import os
import sys
from collections.abc import Callable
from typing import Any

CHANGES = {"os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR


def watch(do: Callable[[int], None]) -> None:
    """Call `do` before each change of files by this process, with its number from 1; for good."""
    count = 0

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(args[2], int) and args[2] & WRITING
        if event in CHANGES or writes:
            count += 1
            do(count)

    sys.addaudithook(hook)


def at_change(number: int, do: Callable[[], None]) -> Callable[[], None]:
    """Return what has something done before this process changes files the so-many-th time."""
    return lambda: watch(lambda count: do() if count == number else None)
