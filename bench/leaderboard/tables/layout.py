"""
A board laid out: tables of words, before they become a terminal's, Markdown, LaTeX or HTML.

Fractions turn into percent here only.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bench.base.text import count
from bench.leaderboard.answers import answer, answers, surely_best, title
from bench.leaderboard.board import AnyRow, Board, MeasuredRow, Section
from bench.leaderboard.columns.column import Column, ColumnKind, chance
from bench.leaderboard.columns.groups import WHOLE, Groups
from bench.leaderboard.columns.selection import headed, picked
from bench.spec.choices import Definition

LONGEST, GAP = 24, 3  # characters of a column before it is folded, and between two


@dataclass(frozen=True)
class Heading:
    """What stands above a column, and how what stands below it is set."""

    head: str
    kind: ColumnKind = "text"
    least: int | None = None  # characters of it on a terminal


@dataclass(frozen=True)
class TextRow:
    """A word for each column, and the rows of the board that they tell of."""

    words: list[str]
    rows: list[AnyRow]
    bold: frozenset[int] = frozenset()  # places of words that are of the surely best
    rule: bool = False  # is a line drawn above it?

    @property
    def cells(self) -> str:
        """Ids of the cells that its numbers are of."""
        return " ".join(i for row in self.rows if isinstance(row, MeasuredRow) for i in row.cells)


@dataclass(frozen=True)
class Table:
    columns: list[Heading]
    rows: list[TextRow]

    @property
    def name(self) -> int:
        """The place of the column that names the rows."""
        texts = [i for i, column in enumerate(self.columns) if column.kind == "text"]
        return next((i for i in texts if all(row.words[i] for row in self.rows)), texts[0])

    def split(self, width: int) -> "list[Table]":
        """The columns in tables that fit `width` characters, the name's in each."""
        every = [[c.head, *(r.words[i] for r in self.rows)] for i, c in enumerate(self.columns)]
        return self.divide([min(LONGEST, max(map(len, words))) + GAP for words in every], width)

    def divide(self, sizes: list[float] | list[int], width: float) -> "list[Table]":
        """The columns, which are so wide, in tables that fit `width`, the name's in each."""
        groups, used = [list[int]()], float(sizes[self.name])
        for i in (i for i in range(len(sizes)) if i != self.name):
            if used + sizes[i] > width and groups[-1]:
                groups.append([])
                used = sizes[self.name]
            groups[-1].append(i)
            used += sizes[i]
        return [self._only(sorted([self.name, *group])) for group in groups]

    def _only(self, places: list[int]) -> "Table":
        """The columns at these places."""
        rows = [
            replace(
                row,
                words=[row.words[i] for i in places],
                bold=frozenset(new for new, i in enumerate(places) if i in row.bold),
            )
            for row in self.rows
        ]
        return Table([self.columns[i] for i in places], rows)


@dataclass(frozen=True)
class Part:
    """Rows under one title; a narrow page has their columns in several tables."""

    title: str
    caption: str
    tables: list[Table]
    notes: list[str]
    answers: list[str] = field(default_factory=list[str])  # who is best of them


@dataclass(frozen=True)
class Layout:
    """All that is printed of a board."""

    title: str
    parts: list[Part]
    answers: list[str] = field(default_factory=list[str])  # who is best; stands before all else
    summary: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


def arranged(
    board: Board,
    groups: tuple[Groups, ...] = (WHOLE,),
    chosen: tuple[str, ...] = (),
    *,
    tiers: bool = False,
) -> Layout:
    """
    The board, a part for each section.

    Args:
        groups: what each table of a part holds.
        chosen: keys of columns, which one table of a part holds then, and no others.
        tiers: number the tiers in a column of their own, where no line can be drawn.

    Raises:
        UsageError: no such column.
    """
    own = picked(chosen, board.equilibrium)
    parts = [
        Part(
            title(section),
            section.recipe,
            [*(_chosen(section, own) or _tables(section, groups, board.equilibrium, tiers))],
            notes(section),
            [said] if (said := answer(section)) else [],
        )
        for section in board.sections
    ]
    return Layout(board.suite, parts, answers(board), summary(board), board.notes)


def notes(section: Section) -> list[str]:
    """What is said below a section: verdicts on published numbers, and footnotes of its rows."""
    own = [note for row in section.measured for note in footnotes(row)]
    return [*_verdicts(section), *own, *_unlike_steps(section)]


def summary(board: Board) -> list[str]:
    """The estimators over several sections, and the count of cells, a sentence each."""
    stale = f", {board.stale} stale" if board.stale else ""
    counts = f"{board.recorded} of {count(board.total, 'cell')} recorded{stale}."
    if board.across is None:
        return [counts]
    a = board.across
    ranks = ", ".join(f"{row} {rank:.2f}" for row, rank in a.ranks.items())
    p = "" if a.p is None else f"; Friedman p = {chance(a.p)}"
    lack = f"; not in all of them: {', '.join(a.without)}" if a.without else ""
    across = (
        f"average ranks over {', '.join(a.blocks)}: {ranks}{p}; ranks less than {a.critical:.2f} "
        f"apart (Nemenyi, 5 %) cannot be told apart{lack}"
    )
    return [across, counts]


def footnotes(row: MeasuredRow) -> Iterator[str]:
    """In what else a row differs, what it lost, and what rests on stale records."""
    name = f"{row.name} on {row.backbone}, {row.wa}"
    n, seeds = row.seeds.ended, row.seeds
    ran, planned = n + sum(seeds.lost.values()), count(len(row.cells), "seed")
    if row.confounds:
        yield f"* {name}: {'; '.join(row.confounds)}"
    if row.network.unlike:
        yield f"not ranked: {name}, {row.network.unlike}"
    difference = row.comparison.difference
    if difference and difference.n < n:
        yield f"Δ of {name}: over the {count(difference.n, 'seed')} that the baseline has too"
    for why, lost in seeds.lost.items():
        yield f"lost: {name}, {lost} of {count(ran, 'seed')}, {why}"
    for why, stale in seeds.stale.items():
        yield f"stale: {name}, {stale} of {planned}, {why}"


def _unlike_steps(section: Section) -> Iterator[str]:
    """Whose steps are not all compared with STE's; rows of one reason are one line."""
    names: dict[str, list[str]] = {}
    for row in section.measured:
        for why, unlike in row.resources.unlike.items():
            reason = f"without {unlike} of {count(row.seeds.ended, 'seed')}, {why}"
            names.setdefault(reason, []).append(row.name)
    for reason, rows in names.items():
        yield f"step/STE of {', '.join(rows)} on {section.backbone}, {section.wa}: {reason}"


def _chosen(section: Section, columns: list[Column]) -> list[Table]:
    """The one table of the columns that were chosen; none if none were."""
    if not columns:
        return []
    rows = section.rows if any(c.published for c in columns) else section.measured
    headings = [Heading(c.head, c.kind, c.least) for c in columns]
    return [Table(headings, [*_rows([*rows], columns, surely_best(section))])]


def _tables(
    section: Section, groups: tuple[Groups, ...], definition: Definition, tiers: bool
) -> Iterator[Table]:
    """The tables of a section; a row that is published only stands where its numbers are told."""
    several = len({x.tier for row in section.measured if (x := row.comparison.interval)}) > 1
    for group in groups:
        told = any(column.published for column in headed(group, definition))
        rows = section.rows if told else section.measured
        own = ("tier", *group) if tiers and several else group
        columns = _columns(section, headed(own, definition))
        if rows and len(columns) > 1:
            headings = [Heading(c.head, c.kind, c.least) for c in columns]
            yield Table(headings, [*_rows([*rows], columns, surely_best(section))])


def _columns(section: Section, columns: list[Column]) -> list[Column]:
    """Of these columns the ones that say something of the section."""
    return [
        column
        for column in columns
        if column.shown(section)
        and not (column.optional and all(column.text(row) == "-" for row in section.rows))
    ]


def _rows(
    rows: list[AnyRow], columns: list[Column], winners: list[MeasuredRow]
) -> Iterator[TextRow]:
    strong = frozenset(i for i, column in enumerate(columns) if column.strong)
    tier: float = 1
    for row in rows:
        own = _tier(row, tier)
        below, tier = own > tier, own
        bold = strong if row in winners else frozenset[int]()
        yield TextRow([column.text(row) for column in columns], [row], bold, below)


def _tier(row: AnyRow, above: float) -> float:
    """A row's own tier, or that of the row above it; below the last one if it lost seeds."""
    if not isinstance(row, MeasuredRow):
        return above
    if row.comparison.rank and row.seeds.lost:
        return math.inf
    return row.comparison.interval.tier if row.comparison.interval else above


def _verdicts(section: Section) -> list[str]:
    """Each measured row against what was published for it; rows of one verdict together."""
    rows: dict[str, list[str]] = {}
    for row in section.measured:
        if row.claim and row.verdict:
            number = f"{row.title} {row.claim.acc:.2f} ({row.claim.metric})"
            rows.setdefault(row.verdict, []).append(number)
    return [f"against published {', '.join(names)}: {text}" for text, names in rows.items()]
