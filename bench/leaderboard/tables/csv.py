"""
A board as CSV: a record for each row, plain numbers.

Our accuracies are fractions, the papers' percent.
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.base.text import no_formula, printable
from bench.leaderboard.board import AnyRow, Board
from bench.leaderboard.columns.table import COLUMNS
from bench.leaderboard.stats.intervals import Estimate
from bench.leaderboard.tables import paper
from bench.leaderboard.tables.choice import TableChoice


def write(board: Board, choice: TableChoice) -> str:
    """
    Every row of the board, or of a paper's table.

    Raises:
        UsageError: no such style, none for this board, or columns or a part are asked for.
    """
    choice.refuse("csv", "part", "columns")
    if choice.style:
        return _text(_printed(board, choice.style))
    tests = {
        "correction": board.correction, "alpha": board.alpha, "equilibrium": board.equilibrium,
    }  # fmt: skip
    return _text([flat(row) | tests for row in board.rows])


def flat(row: AnyRow) -> dict[str, Any]:
    """A row by the names of its columns: what JSON has, half widths, parts of what JSON nests."""
    columns = [column for column in COLUMNS if column.csv]
    values = {column.key: column.value(row) for column in columns}
    own = {c.key: c.flat(values[c.key]) for c in columns if c.json}
    widths = {f"{c.key}_half_width": _half_width(values[c.key]) for c in columns if c.estimate}
    parts = {c.key: c.flat(values[c.key]) for c in columns if not c.json}
    return own | widths | parts


def _half_width(value: Estimate | None) -> float | None:
    return value.half_width if value else None


def _printed(board: Board, style: str) -> Iterator[dict[str, str]]:
    """A paper's table as records; what is uncertain in two columns, `±` the second."""
    layout = paper.layout(board, style, whole=True)
    headings = layout.parts[0].tables[0].columns
    for row in (row for part in layout.parts for table in part.tables for row in table.rows):
        record: dict[str, str] = {}
        for heading, word in zip(headings, row.words, strict=True):
            record[heading.head], _, spread = word.partition(" ± ")
            if " ± " in word or heading.head in paper.UNCERTAIN:
                record[f"{heading.head} ±"] = spread
        record = {head: "" if word == "-" else word for head, word in record.items()}
        yield record | {"cells": row.cells}


def _text(records: Iterable[Mapping[str, Any]]) -> str:
    """Every record in a line, what it lacks empty."""
    records = list(records)
    written = io.StringIO()
    heads = dict.fromkeys(head for record in records for head in record)
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(heads)
    lines.writerows([_value(record.get(head)) for head in heads] for record in records)
    return printable(written.getvalue())


def _value(value: Any) -> Any:
    """A cell's content: NaN is empty, and no text is a formula to a spreadsheet."""
    if isinstance(value, str):
        return no_formula(value)
    return "" if isinstance(value, float) and math.isnan(value) else value
