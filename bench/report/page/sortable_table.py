"""
The leaderboard as a page has it: every word with the value that it sorts by and where it is from.

A target is the id of the part of the page that opens when the word is clicked.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bench.leaderboard.answers import answer, surely_best
from bench.leaderboard.board import AnyRow, Board, MeasuredRow, Section
from bench.leaderboard.columns.column import Column
from bench.leaderboard.columns.groups import PAGE
from bench.leaderboard.columns.selection import headed
from bench.leaderboard.stats.intervals import Estimate
from bench.leaderboard.tables.layout import Part, arranged


@dataclass(frozen=True)
class Word:
    """What stands in one place of a table."""

    column: Column
    text: str
    value: float | None  # that it sorts by; None: by its text
    target: str  # "": there is nothing behind it


@dataclass(frozen=True)
class Whisker:
    """A mean and its interval, in percent of the width of their column."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class SortableRow:
    """One row, a word for each column."""

    row: AnyRow
    words: list[Word]
    whisker: Whisker | None
    best: bool  # surely?
    rule: bool  # does a new tier begin?

    @property
    def measured(self) -> bool:
        return isinstance(self.row, MeasuredRow) and bool(self.row.seeds.ended)

    @property
    def beneath(self) -> list[str]:
        """What stands below its name."""
        return [text for text in (self.row.estimator.formula, self.row.estimator.kind) if text]

    @property
    def tier(self) -> str:
        interval = self.row.comparison.interval if isinstance(self.row, MeasuredRow) else None
        return str(interval.tier) if interval else "none"


@dataclass(frozen=True)
class SortableTable:
    """One section's table."""

    section: Section
    title: str
    verdict: str  # who is best, in a sentence
    scale: tuple[float, float]  # ends of the whiskers' column, in percent
    columns: list[Column]
    rows: list[SortableRow]
    notes: list[str]

    @property
    def whiskers(self) -> bool:
        """Is there an interval to draw?"""
        return any(row.whisker for row in self.rows)


@dataclass(frozen=True)
class Targets:
    """The ids of what stands behind a row: its seeds and cells, its properties, its claim."""

    row: str = ""
    properties: str = ""
    published: str = ""

    def behind(self, column: Column) -> str:
        """What stands behind the word in a column."""
        return {"row": self.row, "properties": self.properties, "published": self.published}[
            column.opens
        ]


def sortable_tables(board: Board, targets: Callable[[AnyRow], Targets]) -> list[SortableTable]:
    """A table for each section."""
    parts = arranged(board, tiers=True).parts
    every = headed(PAGE, board.equilibrium)
    pairs = zip(board.sections, parts, strict=True)
    return [_table(section, part, every, targets) for section, part in pairs]


def _table(
    section: Section, part: Part, every: list[Column], targets: Callable[[AnyRow], Targets]
) -> SortableTable:
    (table,) = part.tables
    shown = [heading.head for heading in table.columns]
    columns = [column for column in every if column.head in shown]
    scale, winners = _scale(section), surely_best(section)
    return SortableTable(
        section=section,
        title=part.title,
        verdict=answer(section),
        scale=scale,
        columns=columns,
        rows=[
            SortableRow(
                row,
                [_word(column, row, targets(row)) for column in columns],
                _whisker(row, scale),
                best=row in winners,
                rule=laid.rule,
            )
            for laid in table.rows
            for row in laid.rows
        ],
        notes=part.notes,
    )


def _word(column: Column, row: AnyRow, targets: Targets) -> Word:
    return Word(column, column.text(row), column.number(row), targets.behind(column))


def _scale(section: Section) -> tuple[float, float]:
    """From the lowest to the highest end of all intervals, in percent."""
    accuracies = [acc for row in section.measured if (acc := row.scores.last)]
    ends = [end for acc in accuracies for end in _ends(acc)]
    return (min(ends), max(ends)) if ends else (0.0, 100.0)


def _ends(acc: Estimate) -> tuple[float, float]:
    """Of an interval of accuracy, which is between 0 and 100 %."""
    width = acc.half_width or 0.0
    return 100 * max(acc.mean - width, 0.0), 100 * min(acc.mean + width, 1.0)


def _whisker(row: AnyRow, scale: tuple[float, float]) -> Whisker | None:
    acc = row.scores.last if isinstance(row, MeasuredRow) else None
    if acc is None:
        return None
    low, span = scale[0], (scale[1] - scale[0]) or 1.0
    places = [round(100 * (x - low) / span, 2) for x in (*_ends(acc), 100 * acc.mean)]
    return Whisker(places[0], places[2], places[1])
