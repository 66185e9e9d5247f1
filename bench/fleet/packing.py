"""
Which cells share a job: chains stay together, the longest go first, parents before children.

Batches are filled level by level: cells without parents here, then those that wait for them, so
that a job never waits for the sake of a cell that it merely shares with one that has to.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from bench.spec.cell import Cell

FULL = 0.8  # of a job's time is filled with what was measured


@dataclass
class _Unit:
    """Cells that follow upon each other and that nobody else waits for in between."""

    cells: list[Cell]
    seconds: float
    level: int = 0
    path_s: float = 0.0  # its own time and that of the longest that waits for it


def pack(
    cells: Sequence[Cell],
    seconds: Mapping[str, float],
    *,
    per_job: int | None = None,
    time_s: float | None = None,
    slots: int = 1,
) -> list[list[Cell]]:
    """
    The batches of some cells, in the order in which they are to be submitted.

    Args:
        cells: parents before their children.
        seconds: that a cell takes, by its id, where it is known.
        per_job: cells of a batch; None: as many as fill four fifths of `time_s`, and one where
            their time or the job's is not known.
        slots: cells at a time in a job.
    """
    units = _units(cells, seconds)
    batches: list[list[Cell]] = []
    for level in sorted({unit.level for unit in units}):
        here = sorted((u for u in units if u.level == level), key=lambda u: -u.path_s)
        room = 0.0  # of the last batch, in cells or in seconds
        for unit in here:
            if per_job is not None:
                need, full = float(len(unit.cells)), float(per_job)
            else:
                known = time_s is not None and all(cell.id in seconds for cell in unit.cells)
                full = FULL * (time_s or 0.0) * slots
                need = unit.seconds if known else inf  # alone
            if need > room or not batches:
                batches.append([])
                room = full
            batches[-1] += unit.cells
            room -= need
    return batches


def _units(cells: Sequence[Cell], seconds: Mapping[str, float]) -> list[_Unit]:
    """Chains of cells, each with its level and the time of its longest path."""
    known = {cell.id for cell in cells}
    parents = {c.id: _parents(c, known) for c in cells}
    children: dict[str, list[str]] = {}
    for cell in cells:
        for parent in parents[cell.id]:
            children.setdefault(parent, []).append(cell.id)
    unit_of: dict[str, _Unit] = {}
    units: list[_Unit] = []
    for cell in cells:
        above, own_s = parents[cell.id], _weight(cell, seconds)
        if len(above) == 1 and len(children[above[0]]) == 1:
            unit = unit_of[above[0]]
            unit.cells.append(cell)
            unit.seconds += own_s
        else:
            level = max((unit_of[parent].level + 1 for parent in above), default=0)
            unit = _Unit([cell], own_s, level)
            units.append(unit)
        unit_of[cell.id] = unit
    for unit in reversed(units):
        below = (unit_of[child] for child in children.get(unit.cells[-1].id, ()))
        unit.path_s = unit.seconds + max((other.path_s for other in below), default=0.0)
    return units


def _parents(cell: Cell, known: Iterable[str]) -> list[str]:
    """The parents of a cell that are among the known ones, each once."""
    return [i for i in dict.fromkeys(p.cell.id for p in cell.parents.values()) if i in known]


def _weight(cell: Cell, seconds: Mapping[str, float]) -> float:
    """The time of a cell; where nobody knows it, its epochs tell which are longer."""
    return seconds.get(cell.id, float(cell.recipe.epochs))
