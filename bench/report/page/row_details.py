"""What stands behind a row of the leaderboard: the values of its seeds, and each cell's trail."""

from dataclasses import dataclass

from bench.leaderboard.tables.trace_text import (
    HEADS,
    cell_name,
    facts,
    how,
    mean,
    number,
    shown_numbers,
    spread,
)
from bench.leaderboard.trace import RowTrail, Seed


@dataclass(frozen=True)
class SeedRow:
    """What one seed gives to its row."""

    seed: int
    cell: str
    state: str
    words: list[str]  # under the row's heads; none: it gives no number


@dataclass(frozen=True)
class CellTrail:
    """One cell's files and facts."""

    name: str
    state: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class Behind:
    """A row's numbers by seed, and its cells."""

    id: str
    title: str
    heads: list[str]
    seeds: list[SeedRow]
    means: list[str]
    spreads: list[str]
    how: list[str]
    cells: list[CellTrail]


def behind(row: RowTrail, name: str) -> Behind:
    """
    All of one row.

    Args:
        name: the id of its part of the page.
    """
    line = row.line
    tuned = f", tuned: {line.chosen}" if line.chosen else ""
    shown = shown_numbers(row)
    return Behind(
        id=name,
        title=f"{line.name}, {line.backbone}, W/A {line.wa}{tuned}",
        heads=[HEADS[one] for one in shown],
        seeds=[_seed(seed, shown) for seed in row.seeds],
        means=[mean(row, one) for one in shown],
        spreads=[spread(row, one) for one in shown],
        how=[*how(row), *(f"it differs: {text}" for text in line.confounds)],
        cells=[CellTrail(one.cell, one.state, list(facts(one))) for one in row.trails],
    )


def _seed(seed: Seed, shown: list[str]) -> SeedRow:
    words = [number(one, seed.values.get(one)) for one in shown] if seed.values else []
    return SeedRow(seed.seed, cell_name(seed), seed.state, words)
