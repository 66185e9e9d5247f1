"""
A forecast: when each cell of a run ends, from how long each of them takes.

Cells are given out in their order, each to the slot that is free first, as `run.executor` does, and
none before those have ended that it rests on.
"""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf


def compute_end_times(
    seconds: Iterable[float],
    slots: int,
    start_s: float = 0.0,
    parents: Mapping[int, Sequence[int]] | None = None,
) -> list[float]:
    """
    When each of the cells ends, in seconds from now.

    Args:
        seconds: that each takes, in the order in which they run.
        start_s: until a slot takes its first one.
        parents: of each cell those that it waits for, which stand before it, by their places.
    """
    times, above = list(seconds), parents or {}
    free, order = [start_s] * slots, iter(range(len(times)))
    ends: dict[int, float] = {}
    passed: list[int] = []  # that wait for others

    def ready_s(place: int) -> float:
        return max((ends.get(parent, inf) for parent in above.get(place, ())), default=0.0)

    while len(ends) < len(times):
        now = free[0]
        place = next((i for i in passed if ready_s(i) <= now), None)
        if place is not None:
            passed.remove(place)
        elif (place := next(order, None)) is None:  # the slot waits for one to end
            heapq.heapreplace(free, min(end for end in ends.values() if end > now))
            continue
        elif ready_s(place) > now:
            passed.append(place)
            continue
        ends[place] = now + times[place]
        heapq.heapreplace(free, ends[place])
    return [ends[place] for place in range(len(times))]


def find_largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest of 1, ..., `most` that fits, where all before it do; 0 if none does."""
    return bisect_left(range(1, most + 1), True, key=lambda n: not fits(n))
