"""A board on a terminal: one table for each section, or several under each other."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.base.console import Sentence
from bench.leaderboard.board import Board, MeasuredRow
from bench.leaderboard.columns.groups import COMPARED, COUNTED, NARROW, STACKED, WHOLE
from bench.leaderboard.tables import layout, paper
from bench.leaderboard.tables.choice import TableChoice
from bench.leaderboard.tables.layout import Layout, TextRow

WIDTHS = {230: (WHOLE,), 90: STACKED, 0: NARROW}  # characters needed → groups of each table


def table(board: Board, width: int, choice: TableChoice | None = None) -> Group:
    """
    The board for a terminal of `width` characters.

    Raises:
        UsageError: no such style or column, or none for this board.
    """
    return _group(_layout(board, width, choice or TableChoice()))


def short(board: Board, width: int, more: str) -> Group:
    """The answers and the columns that they rest on; `more` says where the others are."""
    if width >= min(needed for needed in WIDTHS if needed):
        groups = ((*COUNTED, *COMPARED),)
    else:
        groups = (COUNTED,)
    return _group(replace(layout.arranged(board, groups), notes=[more]))


def _group(laid: Layout) -> Group:
    parts: list[Any] = [Sentence(answer, "bold") for answer in laid.answers]
    for part in laid.parts:
        parts += stack(f"{laid.title}: {part.title}", part.tables)
        if part.caption:
            parts.append(Sentence(f"· {part.caption}", "dim"))
        parts += [Sentence(f"· {note}") for note in part.notes]
    *sentences, counts = laid.summary
    parts += [*map(Sentence, sentences), Sentence(counts, "bold")]
    return Group(*parts, *(Sentence(f"· {note}", "dim") for note in laid.notes))


def stack(title: str, tables: Iterable[layout.Table]) -> Iterator[Table]:
    """Tables under each other, the first one titled."""
    for own in tables:
        yield _table(title, own)
        title = ""


def _layout(board: Board, width: int, choice: TableChoice) -> Layout:
    if choice.style or choice.columns:
        if choice.style:
            laid = paper.layout(board, choice.style)
        else:
            laid = layout.arranged(board, (), choice.columns)
        parts = [replace(part, tables=part.tables[0].split(width)) for part in laid.parts]
        return replace(laid, parts=parts)
    groups = next(groups for needed, groups in WIDTHS.items() if width >= needed)
    return layout.arranged(board, groups)


def _table(title: str, laid: layout.Table) -> Table:
    table = Table(title=Text(title) if title else None, box=box.SIMPLE_HEAD, title_justify="left")
    for heading in laid.columns:
        right = heading.kind == "number"
        table.add_column(
            heading.head,
            justify="right" if right else "left",
            no_wrap=right,
            overflow="ellipsis" if right else "fold",  # no number is cut unseen
            min_width=heading.least,
        )
    for row in laid.rows:
        if row.rule:
            table.add_section()
        table.add_row(*map(Text, row.words), style=_style(row))
    return table


def _style(row: TextRow) -> str:
    if row.bold:
        return "bold"
    measured = any(isinstance(own, MeasuredRow) and own.scores.last for own in row.rows)
    return "" if measured else "dim"
