"""
A board laid out: tables of words, before they become a terminal's, Markdown, LaTeX or HTML.

Fractions turn into percent here only.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from bench.base.text import count
from bench.leaderboard.board import Board, Line, Section
from bench.leaderboard.stats.intervals import Estimate

Kind: TypeAlias = Literal["text", "number", "formula"]

RESULT = (
    *("#", "estimator", "acc, %", "n", "lost", "best, %", "top-5, %", "Δ, points", "p"),
    *("untuned, %", "chosen", "published, %"),
)
ESTIMATOR = ("estimator", "formula", "type", "rational", "flexible", "e", "s")
EXPENSES: dict[str, tuple[str, Callable[[float], str]]] = {  # field of a line, how it is written
    "images/s": ("images_per_s", "{:,.0f}".format),
    "step/STE": ("step_ratio", "{:.2f}".format),
    "peak, MiB": ("peak_mib", "{:,.0f}".format),
    "kJ": ("energy_j", lambda joules: f"{joules / 1000:,.2f}"),
}
COST = ("estimator", *EXPENSES)
WHOLE = (*RESULT[:2], *ESTIMATOR[1:5], *RESULT[2:9], *ESTIMATOR[5:], *COST[1:], *RESULT[9:])
EMPTIABLE = {
    *("Δ, points", "p", "published, %", "e", "s", "formula", "rational", "flexible"),
    *("step/STE", "peak, MiB", "kJ"),
}
TUNED = {"untuned, %", "chosen"}  # columns of tuned sections only
TEXT = {"estimator", "type", "rational", "flexible", "chosen"}
LONGEST, GAP = 24, 3  # characters of a column before it is folded, and between two
STRONG = {"estimator", "acc, %"}  # what is bold of the surely best


@dataclass(frozen=True)
class Column:
    """A head, and how what stands below it is set."""

    head: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Row:
    """A word for each column, and the lines of the board that they tell of."""

    words: list[str]
    lines: list[Line]
    bold: frozenset[int] = frozenset()  # places of words that are of the surely best
    rule: bool = False  # is a line drawn above it?


@dataclass(frozen=True)
class Table:
    columns: list[Column]
    rows: list[Row]

    @property
    def name(self) -> int:
        """The place of the column that names the rows."""
        texts = [i for i, column in enumerate(self.columns) if column.kind == "text"]
        return next((i for i in texts if all(row.words[i] for row in self.rows)), texts[0])

    def split(self, width: int) -> "list[Table]":
        """The columns in tables that fit `width` characters, the name's in each."""
        every = [[c.head, *(r.words[i] for r in self.rows)] for i, c in enumerate(self.columns)]
        sizes = [min(LONGEST, max(map(len, words))) + GAP for words in every]
        groups, used = [list[int]()], sizes[self.name]
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


@dataclass(frozen=True)
class Sheet:
    """All that is printed of a board."""

    title: str
    parts: list[Part]
    summary: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


def of(
    board: Board, groups: tuple[tuple[str, ...], ...] = (WHOLE,), *, tiers: bool = False
) -> Sheet:
    """
    The board, a part for each section.

    Args:
        groups: the columns of each table of a part.
        tiers: number the tiers in a column of their own, where no line can be drawn.
    """
    parts = [
        Part(title(section), section.recipe, [*_tables(section, groups, tiers)], notes(section))
        for section in board.sections
    ]
    return Sheet(board.suite, parts, summary(board), board.notes)


def best(section: Section) -> list[Line]:
    """The lines that are surely better than all that they are ranked with."""
    placed = [line for line in section.lines if line.place]
    found = [line for line in placed if line.place and line.place.last == 1]
    return found if len(found) < len(placed) else []


def title(section: Section) -> str:
    tuned = ", tuned" if section.tuned else ""
    return f"{section.backbone}, W/A {section.wa}{tuned}"


def notes(section: Section) -> list[str]:
    """What is said below a section: verdicts on published numbers, and footnotes of its rows."""
    return [*_verdicts(section), *footnotes(section.lines)]


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


def footnotes(lines: list[Line]) -> list[str]:
    """In what else rows differ, what was lost, and what rests on stale records."""
    found: list[str] = []
    for line in lines:
        name = f"{line.name} on {line.backbone}, {line.wa}"
        ran, planned = line.n + sum(line.lost.values()), count(len(line.cells), "seed")
        found += [f"* {name}: {'; '.join(line.confounds)}"] * bool(line.confounds)
        if line.difference and line.difference.n < line.n:
            shared = count(line.difference.n, "seed")
            found.append(f"Δ of {name}: over the {shared} that the baseline has too")
        found += [
            f"lost: {name}, {n} of {count(ran, 'seed')}, {why}" for why, n in line.lost.items()
        ]
        found += [f"stale: {name}, {n} of {planned}, {why}" for why, n in line.stale.items()]
        found += [
            f"step/STE of {name}: without {n} of {count(line.n, 'seed')}, {why}"
            for why, n in line.unlike.items()
        ]
    return found


def words(line: Line) -> dict[str, str]:
    """A line as people read it, by the heads of its columns."""
    lost = sum(line.lost.values())
    return {
        "tier": str(line.place.tier) if line.place else "-",
        "#": _ranks(line),
        "estimator": line.title,
        "formula": line.formula or "-",
        "type": line.kind or "-",
        "rational": line.rational or "-",
        "flexible": line.flexible or "-",
        "acc, %": line.absent or ("stale" if line.unused and not line.n else percent(line.acc)),
        "n": str(line.n) + (f" of {len(line.cells)}" if line.n + lost < len(line.cells) else ""),
        "lost": str(lost),
        "best, %": percent(line.best),
        "top-5, %": percent(line.top5),
        "Δ, points": percent(line.difference, sign="+"),
        "p": "-" if line.p is None else chance(line.p),
        "untuned, %": percent(line.untuned),
        "chosen": line.chosen,
        "e": "-" if line.e is None else f"{line.e:.4g}",
        "s": "-" if line.s is None else f"{line.s:.2e}",
        **{head: expense(line, head) for head in EXPENSES},
        "published, %": _published(line),
    }


def expense(line: Line, head: str) -> str:
    """The word of a line under a head of `EXPENSES`."""
    name, written = EXPENSES[head]
    value: float | None = getattr(line, name)
    return "-" if value is None else written(value)


def percent(value: Estimate | None, sign: str = "") -> str:
    if value is None:
        return "-"
    spread = "" if value.half_width is None else f" ± {100 * value.half_width:.2f}"
    return f"{100 * value.mean:{sign}.2f}{spread}"


def chance(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _tables(section: Section, groups: tuple[tuple[str, ...], ...], tiers: bool) -> Iterator[Table]:
    """The tables of a section; a row that is published only stands where its numbers are told."""
    several = len({line.place.tier for line in section.lines if line.place}) > 1
    for group in groups:
        told = {"acc, %", "published, %"} & set(group)
        lines = [line for line in section.lines if told or not line.absent]
        heads = _heads(section, ("tier", *group) if tiers and several else group)
        if lines and len(heads) > 1:
            kinds = [_column(head) for head in heads]
            yield Table(kinds, [*_rows(lines, heads, best(section))])


def _rows(lines: list[Line], heads: tuple[str, ...], winners: list[Line]) -> Iterator[Row]:
    strong = frozenset(i for i, head in enumerate(heads) if head in STRONG)
    tier: float = 1
    for line in lines:
        said = words(line)
        own = line.place.tier if line.place else tier
        if line.rank and line.lost:  # below the last tier
            own = math.inf
        below, tier = own > tier, own
        bold = strong if line in winners else frozenset[int]()
        yield Row([said[head] for head in heads], [line], bold, below)


def _heads(section: Section, heads: tuple[str, ...]) -> tuple[str, ...]:
    """Of these columns the ones that say something of the section."""
    said = [words(line) for line in section.lines]
    hidden = set[str]() if section.tuned else set(TUNED)
    hidden |= {"top-5, %"} if 0 < section.classes <= 10 else set()
    hidden |= {"type"} if section.wa == "32/32" else set()  # it repeats the name
    hidden |= {head for head in EMPTIABLE if all(w[head] == "-" for w in said)}
    return tuple(head for head in heads if head not in hidden)


def _column(head: str) -> Column:
    if head == "formula":
        return Column(head, "formula")
    return Column(head, "text" if head in TEXT else "number")


def _verdicts(section: Section) -> list[str]:
    """Each measured row against what was published for it; rows of one verdict together."""
    rows: dict[str, list[str]] = {}
    for line in section.lines:
        if line.claim and line.verdict:
            number = f"{line.title} {line.claim.acc:.2f} ({line.claim.metric})"
            rows.setdefault(line.verdict, []).append(number)
    return [f"against published {', '.join(names)}: {text}" for text, names in rows.items()]


def _ranks(line: Line) -> str:
    if line.place is None:
        return "-"
    first, last = line.place.first, line.place.last
    return str(first) if first == last else f"{first}–{last}"


def _published(line: Line) -> str:
    if line.claim is None:
        return "-"
    top5 = "" if line.claim.top5 is None else f" / {line.claim.top5:.2f}"
    return f"{line.claim.acc:.2f}{top5}"
