"""Facts about the machine that need no torch: cores, memory, and what a folder's disk can do."""

import ctypes
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from bench.base import cgroup
from bench.base.files import real_path

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's numbers of what mallopt sets
MARK = ".doctor-"  # how what is written to try a disk begins


def existing(folder: Path) -> Path:
    """`folder`, or as much of its path as there is."""
    whole = folder.absolute()
    return next(path for path in (whole, *whole.parents) if path.is_dir())


def cores() -> int:
    """How many this process may use: its affinity mask's, or fewer by a container's quota."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(here, cgroup.processors())))


def memory() -> float:
    """Bytes that a new process may take, a container's limit included."""
    return min(_available(), cgroup.free_memory())


def _available() -> float:
    found = re.search(r"MemAvailable:\s+(\d+) kB", _text("/proc/meminfo"))
    return int(found[1]) * 1024 if found else float("inf")


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def keep_pages() -> None:
    """
    Have a process keep the memory that it frees, and take it in large pages; before its first.

    A step of training frees and takes the same large tensors again; given back to the kernel, each
    comes again as pages to be cleared, which costs more than what is computed with it. Of large
    pages, torch asks for where Linux leaves it to programs, a processor looks up fewer.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it when it takes memory
    with suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1)):
            mallopt(option, value)


def explain_small_pages() -> str:
    """Return why memory of this machine does not come in large pages, or nothing."""
    if os.environ.get("THP_MEM_ALLOC_ENABLE", "1") == "0":
        return "THP_MEM_ALLOC_ENABLE=0 is set"
    offered = _text("/sys/kernel/mm/transparent_hugepage/enabled")
    return "" if "[madvise]" in offered or "[always]" in offered else "the system offers none"


def boot() -> str:
    """The kernel's name for this start of this machine, or nothing."""
    return _text("/proc/sys/kernel/random/boot_id").strip()


def file_system(path: Path) -> str:
    """The kind of the mount that holds `path`, as Linux names it."""
    kinds: dict[str, str] = {}
    for line in _text("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        kinds[before.split()[4].replace("\\040", " ")] = after.split()[0]
    resolved = real_path(path)
    return next((kinds[p] for p in map(str, (resolved, *resolved.parents)) if p in kinds), "disk")


def trial(home: Path) -> str:
    """Write, sync, rename and link a file below `home`; what does not work, or nothing."""
    with tempfile.TemporaryDirectory(dir=home, prefix=MARK) as name:
        part, whole = Path(name) / "part", Path(name) / "whole"
        for _ in range(2):
            with part.open("wb") as file:
                file.write(b"x")
                file.flush()
                os.fsync(file.fileno())
            if not whole.exists():
                part.replace(whole)
        try:
            os.link(part, whole)
        except FileExistsError:
            return ""
        except OSError:  # it has no hard links
            try:
                os.close(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return ""
    return "a new file takes the place of another: two runs would have one cell"
