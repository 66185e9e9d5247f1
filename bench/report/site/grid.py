"""A table of links and numbers, as the pages of a site have it; their template is `grid.html`."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Word:
    """What stands in one place of a table."""

    text: str
    href: str = ""  # where it leads, seen from the page
    value: float | None = None  # that a number sorts by
    beneath: list[str] = field(default_factory=list[str])  # what stands below it


@dataclass(frozen=True)
class Head:
    """What stands above a column."""

    text: str
    about: str
    number: bool = False
    downward: bool = False  # does one want the greatest values first?


@dataclass(frozen=True)
class GridRow:
    """A row; its first word names it."""

    words: list[Word]
    best: bool = False  # surely, of its table?
    chosen_by: dict[str, str] = field(default_factory=dict[str, str])  # choice → the row's


@dataclass(frozen=True)
class Grid:
    """A table; no other of its page has its id."""

    id: str
    title: str
    heads: list[Head]
    rows: list[GridRow]
    about: list[str] = field(default_factory=list[str])  # sentences above it
    href: str = ""  # where its title leads
