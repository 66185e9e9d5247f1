"""Entry points of installed distributions, looked for once for each state of Python's path."""

import os
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points


def find_entry_points(group: str) -> tuple[EntryPoint, ...]:
    """Find a group's entry points; the metadata of every distribution is read to do so."""
    return _find(group, tuple((place, _changed_at(place)) for place in sys.path))


def _changed_at(place: str) -> int:
    """When something was last installed in a folder, in ns; 0 where there is none."""
    try:
        return os.stat(place or ".").st_mtime_ns  # noqa: PTH116 - asked for each plugin
    except OSError:
        return 0


@lru_cache(maxsize=8)
def _find(group: str, path: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    del path  # by which answers are known
    return tuple(entry_points(group=group))
