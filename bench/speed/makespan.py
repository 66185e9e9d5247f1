"""
A forecast: when each cell of a run ends, from how long each of them takes.

Cells are given out in their order, each to the slot that is free first, as `run.executor` does.
"""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable


def compute_end_times(seconds: Iterable[float], slots: int, start_s: float = 0.0) -> list[float]:
    """
    When each of the cells ends, in seconds from now.

    Args:
        seconds: that each takes, in the order in which they run.
        start_s: until a slot takes its first one.
    """
    free = [start_s] * slots
    ends: list[float] = []
    for each in seconds:
        ends.append(free[0] + each)
        heapq.heapreplace(free, ends[-1])
    return ends


def find_largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest of 1, ..., `most` that fits, where all before it do; 0 if none does."""
    return bisect_left(range(1, most + 1), True, key=lambda n: not fits(n))
