"""What stands behind a row of the leaderboard: its seeds' values, and each cell's files."""

from dataclasses import dataclass

from bench.leaderboard.columns.column import Column
from bench.leaderboard.tables.trace_text import (
    cell_name,
    explained,
    facts,
    interval,
    mean,
    seed_words,
    shown_columns,
)
from bench.leaderboard.trace import RowTrace, SeedTrace


@dataclass(frozen=True)
class SeedRow:
    """What one seed gives to its row."""

    seed: int
    cell: str
    state: str
    words: list[str]  # under the row's heads; none: it gives no number


@dataclass(frozen=True)
class CellDetails:
    """One cell's files and facts."""

    name: str
    state: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class RowDetails:
    """A row's numbers by seed, and its cells."""

    id: str
    title: str
    heads: list[str]
    seeds: list[SeedRow]
    means: list[str]
    spreads: list[str]
    how: list[str]
    cells: list[CellDetails]


def row_details(trace: RowTrace, name: str) -> RowDetails:
    """
    All of one row.

    Args:
        name: the id of its part of the page.
    """
    row = trace.row
    tuned = f", tuned: {row.tuned.chosen}" if row.tuned else ""
    shown = shown_columns(trace)
    return RowDetails(
        id=name,
        title=f"{row.name}, {row.backbone}, W/A {row.wa}{tuned}",
        heads=[own.head for own in shown],
        seeds=[_seed(seed, shown) for seed in trace.seeds],
        means=[mean(trace, own) for own in shown],
        spreads=[interval(trace, own) for own in shown],
        how=[*explained(trace), *(f"it differs: {text}" for text in row.confounds)],
        cells=[CellDetails(cell.cell, cell.state, list(facts(cell))) for cell in trace.cells],
    )


def _seed(seed: SeedTrace, columns: list[Column]) -> SeedRow:
    return SeedRow(seed.seed, cell_name(seed), seed.state, seed_words(seed, columns))
