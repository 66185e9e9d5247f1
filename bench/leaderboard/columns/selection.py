"""Which columns of the table a format takes, and in which order."""

from collections.abc import Iterable

from bench.leaderboard.columns.column import Column
from bench.leaderboard.columns.groups import MACROS, Group
from bench.leaderboard.columns.table import COLUMNS


def headed(groups: Iterable[Group]) -> list[Column]:
    """The columns that people read, of these groups in their order."""
    return [
        column for group in groups for column in COLUMNS if column.group == group and column.head
    ]


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
