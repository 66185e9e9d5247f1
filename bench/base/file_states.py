"""
Digests and states of files: what stands for their contents where it is seen whether these changed.

A state is taken by looking at a file and not by reading it. Clocks are trusted: a file server's
must not be more than `SETTLED_S` behind this machine's.
"""

import hashlib
import os
import time
from pathlib import Path

from bench.base.files import real_path

SETTLED_S = 2.0  # clocks of file systems tick slowly
MAX_FILES = 2000  # files and folders in a folder that are looked at each time


def file_digest(path: str | Path) -> str:
    """Digest a file's bytes; empty where it cannot be read, or is no file but a pipe or device."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if os.path.isfile(path) else ""  # noqa: PTH113 - of hundreds
    except OSError:
        return ""


def is_newer(path: str | Path, moment: float) -> bool:
    """Tell whether a file may have changed since a moment; one that is gone may as well."""
    try:
        return _is_later(os.stat(path), moment)  # noqa: PTH116 - of hundreds
    except OSError:
        return True


def file_state(path: Path) -> str | None:
    """Give path, size, times and inode of a file, or that it is absent; None: changed just now."""
    try:
        status = path.stat()
    except OSError:
        return f"{path} absent"
    if _is_later(status, time.time()):
        return None  # the next write may have the same time
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{real_path(path)} {status.st_size} {times} {status.st_ino}"


def folder_states(folder: Path) -> list[str] | None:
    """
    Give the state of every file below a folder, but for what Python compiles.

    None: they are too many to look at each time, or one changed just now.
    """
    states: list[str] = []
    entries = 0
    for home, folders, names in os.walk(folder, followlinks=True):
        entries += 1 + len(names)
        if entries > MAX_FILES:
            return None
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            state = file_state(Path(home, name))
            if state is None:
                return None
            states.append(state)
    return sorted(states)


def tree_state(folder: Path) -> str | None:
    """
    Digest names, sizes and times of all files below a folder, however many they are.

    None: one changed just now, or a folder cannot be read.
    """
    lines: list[str] = []
    now, waiting = time.time(), [str(folder)]
    places: set[tuple[int, int]] = set()  # of folders, for links may lead in a circle
    try:
        while waiting:
            here = waiting.pop()
            status = os.stat(here)  # noqa: PTH116 - of many
            if (status.st_dev, status.st_ino) in places:
                continue
            places.add((status.st_dev, status.st_ino))
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir():
                        waiting.append(entry.path)
                        continue
                    status = entry.stat()
                    if _is_later(status, now):
                        return None
                    lines.append(f"{entry.path} {status.st_size} {status.st_mtime_ns}\n")
    except OSError:
        return None
    return hashlib.sha256("".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()


def _is_later(status: os.stat_result, moment: float) -> bool:
    """Tell whether a file was written, renamed or given another time after a moment, or nearly."""
    return max(status.st_mtime, status.st_ctime) > moment - SETTLED_S
