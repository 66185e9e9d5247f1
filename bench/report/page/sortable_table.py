"""
The leaderboard as a page has it: every word with the value that it sorts by and where it is from.

A target is the id of the part of the page that opens when the word is clicked.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench.leaderboard.board import Board, Line, Section
from bench.leaderboard.stats.intervals import Estimate
from bench.leaderboard.tables.layout import EXPENSES, Part, Row, best, of

PROPERTIES = {"rational", "flexible"}
ABOUT = {  # every head, in the order of the page; formula and type stand below the name
    "estimator": "The rule by which a gradient crosses sign; the formula of f, and its type.",
    "tier": "Rows of one tier cannot be told apart by their seeds.",
    "#": "The ranks that the seeds leave open: from one more than the rows that are surely better "
    "to as many as are not surely worse, every pair of rows by Welch's t test, corrected for their "
    "number.",
    "acc, %": "Test accuracy after the last epoch: mean over seeds ± 95 % t interval.",
    "Δ, points": "Difference to the baseline on the same seeds ± 95 % t interval.",
    "p": "The chance of such a difference if there were none, by Dunnett's test of all rows of the "
    "table against the baseline.",
    "n": "Seeds that came to their end.",
    "lost": "Seeds that diverged or failed.",
    "best, %": "The best epoch on the test set: the papers' metric, which decides nothing here.",
    "top-5, %": "Top-5 test accuracy after the last epoch: mean over seeds ± 95 % t interval.",
    "untuned, %": "Accuracy at the suite's own values, before tuning.",
    "chosen": "The values that tuning chose on held-out training images.",
    "rational": "|sign z - f(z)| ≤ |sign z - z| for every z and every knob value that training "
    "visits, by the printed formula; in brackets of f as it trains, where that is another verdict.",
    "flexible": "The knob leads from the identity to sign, and no z's error rises on the way; in "
    "brackets of f as it trains, where that is another verdict.",
    "e": "Estimating error, over latent weights.",
    "s": "Gradient instability, over latent weights.",
    "images/s": "Throughput in training alone, with whatever else the machine did.",
    "step/STE": "The time of a step beside STE's on the same seed, where both were measured alike: "
    "geometric mean over seeds, as rough as images/s.",
    "peak, MiB": "Memory of the seed that took most: of a GPU's tensors, else of the process.",
    "kJ": "All that the GPU took for a cell that had it alone: mean over seeds.",
    "published, %": "What a paper prints for this row.",
}
DOWNWARD = {"acc, %", "best, %", "top-5, %", "Δ, points", "images/s", "published, %", "untuned, %"}


@dataclass(frozen=True)
class Head:
    """A column's head, and what it means."""

    name: str
    about: str
    number: bool
    down: bool  # does one want its greatest values first?


@dataclass(frozen=True)
class Word:
    """What stands in one place of a table."""

    head: str
    text: str
    number: bool
    value: float | None  # that it sorts by; None: by its text
    target: str  # "": there is nothing behind it


@dataclass(frozen=True)
class Whisker:
    """A mean and its interval, in percent of the width of their column."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class Entry:
    """One row."""

    line: Line
    words: list[Word]
    whisker: Whisker | None
    best: bool  # surely?
    rule: bool  # does a new tier begin?

    @property
    def beneath(self) -> list[str]:
        """What stands below its name."""
        return [text for text in (self.line.formula, self.line.kind) if text]

    @property
    def tier(self) -> str:
        return str(self.line.place.tier) if self.line.place else "none"


@dataclass(frozen=True)
class Grid:
    """One section's table."""

    section: Section
    title: str
    verdict: str  # who is best, in a sentence
    scale: tuple[float, float]  # ends of the whiskers' column, in percent
    heads: list[Head]
    entries: list[Entry]
    notes: list[str]

    @property
    def whiskers(self) -> bool:
        """Is there an interval to draw?"""
        return any(entry.whisker for entry in self.entries)


@dataclass(frozen=True)
class Targets:
    """The ids of what stands behind a line: its row's trail, its properties, its claim."""

    row: str = ""
    properties: str = ""
    claim: str = ""

    def of(self, head: str) -> str:
        """Of the word under a head."""
        if head == "published, %":
            return self.claim
        return self.properties if head in PROPERTIES else self.row


def grids(board: Board, targets: Callable[[Line], Targets]) -> list[Grid]:
    """A table for each section."""
    parts = of(board, tiers=True).parts
    return [_grid(*pair, targets) for pair in zip(board.sections, parts, strict=True)]


def _grid(section: Section, part: Part, targets: Callable[[Line], Targets]) -> Grid:
    (table,) = part.tables
    columns = {column.head: column for column in table.columns}
    heads = [
        Head(name, about, columns[name].kind == "number", name in DOWNWARD)
        for name, about in ABOUT.items()
        if name in columns
    ]
    names = list(columns)
    scale = _scale(section)
    return Grid(
        section=section,
        title=part.title,
        verdict=_verdict(section),
        scale=scale,
        heads=heads,
        entries=[_entry(row, names, heads, scale, best(section), targets) for row in table.rows],
        notes=part.notes,
    )


def _entry(
    row: Row,
    names: list[str],
    heads: list[Head],
    scale: tuple[float, float],
    winners: list[Line],
    targets: Callable[[Line], Targets],
) -> Entry:
    (line,) = row.lines
    said = dict(zip(names, row.words, strict=True))
    to = targets(line)
    words = [
        Word(h.name, said[h.name], h.number, _value(line, h.name), to.of(h.name)) for h in heads
    ]
    return Entry(line, words, _whisker(line.acc, scale), line in winners, row.rule)


def _value(line: Line, head: str) -> float | None:
    """The number that a word is sorted by."""
    values: dict[str, float | Estimate | None] = {
        "tier": line.place and line.place.tier,
        "#": line.rank,
        "acc, %": line.acc,
        "n": line.n,
        "lost": sum(line.lost.values()),
        "best, %": line.best,
        "top-5, %": line.top5,
        "Δ, points": line.difference,
        "p": line.p,
        "e": line.e,
        "s": line.s,
        **{name: getattr(line, field) for name, (field, _) in EXPENSES.items()},
        "untuned, %": line.untuned,
        "published, %": line.claim and line.claim.acc,
    }
    found = values.get(head)
    found = found.mean if isinstance(found, Estimate) else found
    return None if found is None or math.isnan(found) else found


def _scale(section: Section) -> tuple[float, float]:
    """From the lowest to the highest end of all intervals, in percent."""
    ends = [end for line in section.lines if line.acc for end in _ends(line.acc)]
    return (min(ends), max(ends)) if ends else (0.0, 100.0)


def _ends(acc: Estimate) -> tuple[float, float]:
    """Of an interval of accuracy, which is between 0 and 100 %."""
    width = acc.half_width or 0.0
    return 100 * max(acc.mean - width, 0.0), 100 * min(acc.mean + width, 1.0)


def _whisker(acc: Estimate | None, scale: tuple[float, float]) -> Whisker | None:
    if acc is None:
        return None
    low, span = scale[0], (scale[1] - scale[0]) or 1.0
    places = [round(100 * (x - low) / span, 2) for x in (*_ends(acc), 100 * acc.mean)]
    return Whisker(places[0], places[2], places[1])


def _verdict(section: Section) -> str:
    """Who is best, as far as the seeds can tell."""
    ranked = [line for line in section.lines if line.place]
    first = [line.name for line in ranked if line.place and line.place.first == 1]
    if len(ranked) < 2:
        return ""
    if winner := best(section):
        return f"{winner[0].name} is surely the best of {len(ranked)} rows."
    if len(first) == 1:
        return f"{first[0]} leads the {len(ranked)} rows, and is not surely above each of them."
    if len(first) == len(ranked):
        return f"None of the {len(ranked)} rows can be told from the best by these seeds."
    return f"Not settled: {', '.join(first[:-1])} and {first[-1]} may each be the best."
