"""Which columns of the table a format takes, and in which order."""

from collections.abc import Iterable
from dataclasses import replace

from bench.base.text import suggest
from bench.errors import UsageError
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


def list_keys() -> list[str]:
    """The keys of the columns that people read."""
    return [column.key for column in COLUMNS if column.head]


def picked(keys: Iterable[str], definition: Definition) -> list[Column]:
    """
    The columns of these keys in their order, the rows' name first if it is not among them.

    Raises:
        UsageError: no column that people read has such a key.
    """
    keys = list(keys)
    known = {column.key: column for column in COLUMNS if column.head}
    for key in keys:
        if key not in known:
            message = f"no column `{key}`{suggest(key, known)}"
            raise UsageError(message)
    whole = ["name", *keys] if keys and "name" not in keys else keys
    return [named(known[key], definition) for key in dict.fromkeys(whole)]


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
