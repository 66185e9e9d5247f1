"""A board as a terminal table, Markdown, CSV or JSON. Fractions turn into percent here only."""

import json
from dataclasses import asdict
from typing import Any, Literal, TypeAlias

import pandas as pd
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from bench.leaderboard import Board, Line
from bench.stats import Estimate

Format: TypeAlias = Literal["rich", "md", "csv", "json"]
RESULT = ("#", "estimator", "acc, %", "n", "lost", "best, %", "Δ, points", "published, %")
ESTIMATOR = ("estimator", "formula", "type", "rational", "flexible", "e", "s", "images/s")
LAYOUTS = {  # terminal columns needed → the tables that stand under each other
    200: ((*RESULT[:2], *ESTIMATOR[1:5], *RESULT[2:7], *ESTIMATOR[5:], RESULT[7]),),
    90: (RESULT, ESTIMATOR),
    0: (RESULT[:5], (RESULT[1], *RESULT[5:]), ESTIMATOR[:5], (ESTIMATOR[0], *ESTIMATOR[5:])),
}
COLUMNS = LAYOUTS[200][0]
NUMERIC = {"#", "acc, %", "n", "lost", "best, %", "Δ, points", "e", "s", "images/s", "published, %"}


def markdown(board: Board) -> str:
    """One wide table per section, and the notes."""
    parts = [f"# {_md(board.suite)}", ""]
    for section in board.sections:
        parts += [f"**{_md(section.backbone)}, W/A {section.wa}**", ""]
        parts += ["| " + " | ".join(_md(c) for c in COLUMNS) + " |"]
        parts += ["|" + "|".join("--:" if c in NUMERIC else "---" for c in COLUMNS) + "|"]
        for line in section.lines:
            words = _words(line)
            parts.append("| " + " | ".join(_md(words[c]) for c in COLUMNS) + " |")
        parts.append("")
    parts += [f"{board.recorded} of {board.total} cells recorded.", ""]
    return "\n".join([*parts, *(f"- {_md(note)}" for note in _notes(board))]) + "\n"


def csv(board: Board) -> str:
    """One record per line, plain numbers, accuracies as fractions."""
    return pd.DataFrame([_flat(line) for line in _lines(board)]).to_csv(index=False)


def as_json(board: Board) -> str:
    """Everything, for machines."""
    return json.dumps(asdict(board), ensure_ascii=False, indent=1) + "\n"


def rich_table(board: Board, width: int) -> Group:
    """For a terminal of `width` columns: one table, or several under each other."""
    groups = next(groups for needed, groups in LAYOUTS.items() if width >= needed)
    parts: list[Any] = []
    for section in board.sections:
        title = f"{board.suite}: {section.backbone}, W/A {section.wa}"
        titles = (title, "", "", "")
        parts += [_table(t, c, section.lines) for t, c in zip(titles, groups, strict=False)]
    parts.append(Text(f"{board.recorded} of {board.total} cells recorded.", style="bold"))
    parts += [Text(f"· {note}", style="dim") for note in _notes(board)]
    return Group(*parts)


def render(board: Board, form: Format, console: Console) -> None:
    """Print the board; all but `rich` goes out as it is, for pipes."""
    if form == "rich":
        console.print(rich_table(board, console.width))
    else:
        text = {"md": markdown, "csv": csv, "json": as_json}[form](board)
        console.file.write(text)


def _table(title: str, columns: tuple[str, ...], lines: list[Line]) -> Table:
    table = Table(title=Text(title) if title else None, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        right = column in NUMERIC
        table.add_column(
            column, justify="right" if right else "left", no_wrap=right, overflow="fold"
        )
    for line in lines:
        words = _words(line)
        style = "bold" if line.rank == 1 else "dim" if line.rank is None else ""
        table.add_row(*(Text(words[c]) for c in columns), style=style)
    return table


def _words(line: Line) -> dict[str, str]:
    """A line as people read it."""
    label = line.label if line.schedule == "default" else f"{line.label} [{line.schedule}]"
    lost = sum(line.lost.values())
    return {
        "#": str(line.rank) if line.rank else "-",
        "estimator": "full precision" if line.label == "none" else label,
        "formula": line.formula or "-",
        "type": line.kind,
        "rational": line.rational or "-",
        "flexible": line.flexible or "-",
        "acc, %": _percent(line.acc),
        "n": str(line.n) + (f" of {line.n + lost + line.missing}" if line.missing else ""),
        "lost": str(lost),
        "best, %": _percent(line.best),
        "Δ, points": _percent(line.difference, sign="+"),
        "e": "-" if line.e is None else f"{line.e:.4g}",
        "s": "-" if line.s is None else f"{line.s:.2e}",
        "images/s": "-" if line.images_per_s is None else f"{line.images_per_s:,.0f}",
        "published, %": "-" if line.published is None else f"{line.published:.2f}",
    }


def _percent(value: Estimate | None, sign: str = "") -> str:
    if value is None:
        return "-"
    spread = "" if value.half_width is None else f" ± {100 * value.half_width:.2f}"
    return f"{100 * value.mean:{sign}.2f}{spread}"


def _notes(board: Board) -> list[str]:
    lost = [
        f"lost: {line.label}, {count} of {line.n + sum(line.lost.values())} seeds, {reason}"
        for line in _lines(board)
        for reason, count in line.lost.items()
    ]
    return [*board.notes, *lost]


def _lines(board: Board) -> list[Line]:
    return [line for section in board.sections for line in section.lines]


def _flat(line: Line) -> dict[str, Any]:
    row = asdict(line)
    for name in ("acc", "best", "difference"):
        value: Estimate | None = getattr(line, name)
        row[name] = value.mean if value else None
        row[f"{name}_half_width"] = value.half_width if value else None
    row["lost"] = sum(line.lost.values())
    row["lost_reasons"] = "; ".join(line.lost)
    row["cells"] = " ".join(line.cells)
    return row


def _md(text: str) -> str:
    """Text that cannot break a Markdown table or smuggle markup into it."""
    for mark in "\\|`*_<>[]#":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())
