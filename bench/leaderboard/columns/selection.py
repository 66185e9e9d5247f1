"""Which columns of the table a format takes, and in which order."""

from collections.abc import Iterable
from dataclasses import replace

from bench.leaderboard.columns.column import Column
from bench.leaderboard.columns.groups import MACROS, Group
from bench.leaderboard.columns.table import COLUMNS
from bench.spec.choices import Definition


def headed(groups: Iterable[Group], definition: Definition) -> list[Column]:
    """The columns that people read, of these groups in their order; e and s name a definition."""
    return [
        named(column, definition)
        for group in groups
        for column in COLUMNS
        if column.group == group and column.head
    ]


def named(column: Column, definition: Definition) -> Column:
    """The column, its head with the definition that it depends on, if it does."""
    return replace(column, head=f"{column.head} ({definition})") if column.defined else column


def defined() -> list[Column]:
    """The columns whose numbers LaTeX gives names to, in its order."""
    return [
        column for group in MACROS for column in COLUMNS if column.group == group and column.macro
    ]


def traced() -> list[Column]:
    """The columns that are means over cells."""
    return [column for column in COLUMNS if column.of_seed]


def column(key: str) -> Column:
    """The one of that name."""
    return next(column for column in COLUMNS if column.key == key)
