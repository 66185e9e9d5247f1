"""What a column is: how each format shows one thing that rows have."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bench.leaderboard.board import AnyRow, Section
from bench.leaderboard.columns.groups import Group
from bench.leaderboard.stats.intervals import Estimate
from bench.results.record import Record
from bench.spec.choices import Definition

ColumnKind: TypeAlias = Literal["text", "number", "formula"]


@dataclass(frozen=True)
class SeedRecords:
    """The record of a seed that came to its end, and those that it is compared with."""

    record: Record
    baseline: Record | None
    ste: Record | None  # whose steps its own are timed by
    definition: Definition  # of e and s
    known: Mapping[str, Record]  # by the cell's id, those of its stages and teacher among them


@dataclass(frozen=True, kw_only=True)
class Column:
    """One thing that rows have, and how each format shows it."""

    key: str  # its name in JSON, CSV and traces
    value: Callable[[AnyRow], Any]  # as JSON holds it
    flat: Callable[[Any], Any] = lambda value: value.mean if isinstance(value, Estimate) else value
    estimate: bool = False  # is it a mean with an interval, which CSV has in a place of its own?
    json: bool = True  # is it in JSON?
    csv: bool = True  # is it in CSV, and does the page sort by it?
    group: Group | None = None  # where it stands; None: machines alone read it
    head: str = ""  # what stands above it; "": it is only defined for LaTeX
    kind: ColumnKind = "number"
    write: Callable[[Any], str] = str  # a flat value in words; of an estimate its mean
    words: Callable[[AnyRow], str] | None = None  # the whole text, where `write` does not do
    shown: Callable[[Section], bool] = lambda _: True  # does it say something of a section?
    optional: bool = False  # is it left out where no row has a value?
    published: bool = False  # does it tell of rows that are published only?
    strong: bool = False  # is it bold of the surely best?
    least: int | None = None  # characters of it on a terminal, so that no word is cut
    note: str = ""  # what is said below a table in which a row has it
    about: str  # what it is, in a sentence; the page says it
    defined: bool = False  # does it depend on the definition of e and s, which its head names?
    downward: bool = False  # does one want the greatest values first?
    opens: Literal["row", "properties", "published"] = "row"  # what it leads to on the page
    macro: str = ""  # the end of its name in LaTeX
    of_seed: Callable[[SeedRecords], float | None] | None = None  # what a cell gives to its mean
    source: str = ""  # where a record holds that

    def text(self, row: AnyRow) -> str:
        """What people read under its head."""
        return self.words(row) if self.words else self.written(self.value(row))

    def written(self, value: Any) -> str:
        """A value in words: an estimate with its interval; a dash for none."""
        if isinstance(value, Estimate):
            return estimate_text(value, self.write)
        flat = self.flat(value)
        return "-" if flat is None or flat == "" else self.write(flat)

    def number(self, row: AnyRow) -> float | None:
        """What the row is sorted by; None: by its text."""
        flat = self.flat(self.value(row)) if self.csv else None
        return flat if isinstance(flat, int | float) and not math.isnan(flat) else None


def estimate_text(value: Estimate | None, write: Callable[[float], str]) -> str:
    """A mean and its interval, in words; a dash for none."""
    if value is None:
        return "-"
    width = half_width(value)
    return f"{write(value.mean)} ± {width}" if width else write(value.mean)


def half_width(value: Any) -> str:
    """That of an estimate's interval in points; nothing where there is none."""
    if not isinstance(value, Estimate) or value.half_width is None:
        return ""
    return percent(value.half_width)


def percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"


def points(fraction: float) -> str:
    return f"{100 * fraction:+.2f}"


def chance(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")
