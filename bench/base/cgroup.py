"""What control groups, version 1 and 2, leave to this process: processors and memory."""

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

GROUPS = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def processors() -> float:
    """How many a quota allows, of the least of its group and those above it; infinite without."""
    quotas = [_two(folder, "cpu.max") for folder in _folders("")]
    quotas += [
        (_number(folder, "cpu.cfs_quota_us"), _number(folder, "cpu.cfs_period_us"))
        for folder in _folders("cpu")
    ]
    return min((q / period for q, period in quotas if q > 0 and period > 0), default=math.inf)


def free_memory() -> float:
    """Bytes that a limit leaves, of the least of its group and those above it; infinite without."""
    left = [
        _number(folder, "memory.max") - _number(folder, "memory.current") for folder in _folders("")
    ]
    left += [
        _number(folder, "memory.limit_in_bytes") - _number(folder, "memory.usage_in_bytes")
        for folder in _folders("memory")
    ]
    return max(0.0, min((n for n in left if not math.isnan(n)), default=math.inf))


def _folders(controller: str) -> Iterator[Path]:
    """The folders of our group and of those above it; `controller`: of version 1, "": of 2."""
    for line in _text(GROUPS).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controller in controllers.split(","):
            path = PurePosixPath(group.lstrip("/"))
            bases = [MOUNT / controller] if controller else [MOUNT, MOUNT / "unified"]
            for base in bases:
                yield from (base / part for part in dict.fromkeys((path, *path.parents)))


def _two(folder: Path, name: str) -> tuple[float, float]:
    quota, _, period = _text(folder / name).strip().partition(" ")
    return _as_number(quota), _as_number(period)


def _number(folder: Path, name: str) -> float:
    return _as_number(_text(folder / name).strip())


def _as_number(text: str) -> float:
    """Infinite for `max` and what version 1 has for it, not a number where there is no file."""
    if text == "max":
        return math.inf
    number = float(text) if text.lstrip("-").isdigit() else math.nan
    return math.inf if number >= 2.0**62 else number


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
