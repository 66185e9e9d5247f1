"""A board as JSON: everything, for machines."""

import json
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from bench.base.text import printable
from bench.errors import UsageError
from bench.leaderboard.answers import answers
from bench.leaderboard.board import AnyRow, Board, Section
from bench.leaderboard.columns.table import COLUMNS
from bench.leaderboard.tables.choice import TableChoice
from bench.leaderboard.trace import RowTrace


def write(board: Board, choice: TableChoice) -> str:
    """
    The whole board.

    Raises:
        UsageError: a style, columns or a part are asked for.
    """
    choice.refuse("json", "part", "columns")
    if choice.style:
        message = "--format json is the whole board, it has no --style; csv has one"
        raise UsageError(message)
    text = json.dumps(_board(board), ensure_ascii=False, indent=1, default=dumped, allow_nan=False)
    return printable(text + "\n")


def row_fields(row: AnyRow) -> dict[str, Any]:
    """A row by the names of its columns."""
    return {column.key: _value(column.value(row)) for column in COLUMNS if column.json}


def trace_fields(trace: RowTrace) -> dict[str, Any]:
    """What stands behind a row: the fields of its trace, the row by the names of its columns."""
    held = {field.name: getattr(trace, field.name) for field in fields(trace)}
    suite, row, cells = held.pop("suite"), held.pop("row"), held.pop("cells")
    return {
        "suite": suite,
        "line": row_fields(row),
        **{name: _value(value) for name, value in held.items()},
        "trails": _value(cells),
    }


def dumped(value: Any) -> Any:
    """What a plan or record holds, as JSON does."""
    return value.model_dump(mode="json", exclude_defaults=True)


def _board(board: Board) -> dict[str, Any]:
    return {
        "suite": board.suite,
        "sections": [_section(section) for section in board.sections],
        "across": _value(board.across),
        "recorded": board.recorded,
        "stale": board.stale,
        "total": board.total,
        "answers": answers(board),
        "notes": board.notes,
        "equilibrium": board.equilibrium,
        "correction": board.correction,
        "alpha": board.alpha,
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "backbone": section.backbone,
        "wa": section.wa,
        "recipe": section.recipe,
        "classes": section.classes,
        "tuned": section.tuned,
        "lines": [row_fields(row) for row in section.rows],
    }


def _value(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, list):
        return [_value(item) for item in value]  # pyright: ignore
    return value
