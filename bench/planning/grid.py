"""
The grid of values that a suite's `tune` names, and the sample of it that a row tries.

Where every combination would be too many, each row tries equally many, drawn by a fixed seed.
"""

import math
import random
from typing import Any, TypeAlias

Key: TypeAlias = tuple[str, ...]  # where a value goes: ("train", "lr")
Grid: TypeAlias = dict[Key, list[Any]]  # the candidates of each
Point: TypeAlias = dict[Key, Any]  # one of the candidates of each


def draw(own: Point, grid: Grid, count: int) -> list[Point]:
    """Draw `count` points of the grid without `own`, in the grid's order: the same for ever."""
    total, own_index = _total(grid), _index(own, grid)
    others = total if own_index is None else total - 1
    drawn = sorted(random.Random(0).sample(range(others), count))
    if own_index is not None:
        drawn = [index if index < own_index else index + 1 for index in drawn]
    return [_point(grid, index) for index in drawn]


def size(own: Point, grid: Grid) -> int:
    """Count the settings that a row can try: its grid's, and its own if that is none of them."""
    total = _total(grid)
    return total + 1 if _index(own, grid) is None else total


def _total(grid: Grid) -> int:
    """Count the points of the grid."""
    return math.prod(len(values) for values in grid.values())


def _index(point: Point, grid: Grid) -> int | None:
    """Number a point as the grid counts them, the last key fastest; None: it is none of them."""
    index = 0
    for key, values in grid.items():
        if point[key] not in values:
            return None
        index = index * len(values) + values.index(point[key])
    return index


def _point(grid: Grid, index: int) -> Point:
    """Find the point of that number."""
    point: Point = {}
    for key, values in reversed(grid.items()):
        index, place = divmod(index, len(values))
        point[key] = values[place]
    return {key: point[key] for key in grid}
