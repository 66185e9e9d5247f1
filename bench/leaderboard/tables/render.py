"""A board on a terminal, and in every other format. One entry, `render`."""

import json
from dataclasses import asdict, replace
from typing import Any, Literal, TypeAlias

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from bench.base.text import printable
from bench.errors import UsageError
from bench.leaderboard.board import Board, Line
from bench.leaderboard.stats.intervals import Estimate
from bench.leaderboard.tables import html, latex, layout, paper
from bench.leaderboard.tables import markdown as md
from bench.leaderboard.tables.layout import COST, ESTIMATOR, RESULT, WHOLE, Row, Sheet

Format: TypeAlias = Literal["rich", "md", "tex", "html", "csv", "json"]
LAYOUTS = {  # terminal columns needed → the tables that stand under each other
    230: (WHOLE,),
    90: (RESULT, ESTIMATOR, COST),
    0: (
        *(RESULT[:5], (RESULT[1], *RESULT[5:])),
        *(ESTIMATOR[:5], (ESTIMATOR[0], *ESTIMATOR[5:]), COST),
    ),
}
LEAST = {"chosen": 20}  # columns, so that no word is cut


def render(board: Board, form: Format, console: Console, style: str = "") -> None:
    """
    Print the board; all but `rich` goes out as it is, for pipes.

    Args:
        style: `paper:table3` and the like; the board's own layout if empty.

    Raises:
        UsageError: no such style, or none for this format or board.
    """
    if form == "rich":
        console.print(rich_table(board, console.width, style))
    else:
        console.file.write(text(board, form, style))


def text(board: Board, form: Literal["md", "tex", "html", "csv", "json"], style: str = "") -> str:
    """
    The board as a file of its format holds it.

    Raises:
        UsageError: as `render`.
    """
    if form == "json":
        if style:
            message = "--format json is the whole board, it has no --style; csv has one"
            raise UsageError(message)
        return as_json(board)
    if form == "csv":
        return _styled(paper.layout(board, style, whole=True)) if style else csv(board)
    if form == "md":
        return md.text(paper.layout(board, style)) if style else markdown(board)
    if form == "tex":
        stacked = layout.of(board, (RESULT, ESTIMATOR, COST))  # all beside each other fit no page
        return latex.text(paper.layout(board, style) if style else stacked)
    return html.page(paper.layout(board, style) if style else layout.of(board))


def markdown(board: Board) -> str:
    """One wide table per section, and the notes."""
    return md.text(layout.of(board, tiers=True))


def csv(board: Board) -> str:
    """One record per line, plain numbers; our accuracies are fractions, the papers' percent."""
    import pandas as pd  # a third of a second, which no other format needs

    tests = {"correction": board.correction, "alpha": board.alpha}
    whole = dict.fromkeys(("rank", "rank_first", "rank_last", "tier", "difference_n"), "Int64")
    frame = pd.DataFrame([_flat(line) | tests for line in _lines(board)]).astype(whole)
    return printable(frame.to_csv(index=False))


def as_json(board: Board) -> str:
    """Everything, for machines."""
    text = json.dumps(asdict(board), ensure_ascii=False, indent=1, default=_dumped, allow_nan=False)
    return printable(text + "\n")


def rich_table(board: Board, width: int, style: str = "") -> Group:
    """For a terminal of `width` columns: one table, or several under each other."""
    if style:
        laid = paper.layout(board, style)
        stacked = [replace(p, tables=p.tables[0].split(width)) for p in laid.parts]
        laid = replace(laid, parts=stacked)
    else:
        groups = next(groups for needed, groups in LAYOUTS.items() if width >= needed)
        laid = layout.of(board, groups)
    parts: list[Any] = []
    for part in laid.parts:
        title = f"{laid.title}: {part.title}"
        for table in part.tables:
            parts.append(_table(title, table))
            title = ""
        parts += [Text(f"· {part.caption}", style="dim")] * bool(part.caption)
        parts += [Text(f"· {note}") for note in part.notes]
    *sentences, counts = laid.summary
    parts += [*map(Text, sentences), Text(counts, style="bold")]
    return Group(*parts, *(Text(f"· {note}", style="dim") for note in laid.notes))


def _table(title: str, laid: layout.Table) -> Table:
    table = Table(title=Text(title) if title else None, box=box.SIMPLE_HEAD, title_justify="left")
    for column in laid.columns:
        right = column.kind == "number"
        table.add_column(
            column.head,
            justify="right" if right else "left",
            no_wrap=right,
            overflow="ellipsis" if right else "fold",  # no number is cut unseen
            min_width=LEAST.get(column.head),
        )
    for row in laid.rows:
        if row.rule:
            table.add_section()
        table.add_row(*map(Text, row.words), style=_style(row))
    return table


def _style(row: Row) -> str:
    measured = any(line.acc for line in row.lines)
    return "bold" if row.bold else "" if measured else "dim"


def _styled(laid: Sheet) -> str:
    """A paper's table as records; what is uncertain in two columns, `±` the second."""
    import pandas as pd

    records: list[dict[str, str]] = []
    for row in (row for part in laid.parts for table in part.tables for row in table.rows):
        record: dict[str, str] = {}
        for column, word in zip(laid.parts[0].tables[0].columns, row.words, strict=True):
            record[column.head], _, spread = word.partition(" ± ")
            if " ± " in word or column.head in paper.UNCERTAIN:
                record[f"{column.head} ±"] = spread
        records.append({k: "" if v == "-" else v for k, v in record.items()})
        records[-1]["cells"] = " ".join(i for line in row.lines for i in line.cells)
    return printable(pd.DataFrame(records).to_csv(index=False))


def _dumped(value: Any) -> Any:
    """A claim as JSON holds it."""
    return value.model_dump(mode="json", exclude_defaults=True)


def _lines(board: Board) -> list[Line]:
    return [line for section in board.sections for line in section.lines]


def _flat(line: Line) -> dict[str, Any]:
    row = asdict(line)
    for name in ("acc", "best", "top5", "difference", "untuned"):
        value: Estimate | None = getattr(line, name)
        row[name] = value.mean if value else None
        row[f"{name}_half_width"] = value.half_width if value else None
    for name in ("claim", "place"):
        del row[name]
    place = asdict(line.place) if line.place else dict.fromkeys(("first", "last", "tier"))
    row |= {"rank_first": place["first"], "rank_last": place["last"], "tier": place["tier"]}
    row["difference_n"] = line.difference.n if line.difference else None
    row["accs"] = " ".join(f"{seed}={acc!r}" for seed, acc in line.accs.items())
    row["confounds"] = "; ".join(line.confounds)
    row["published_percent"] = line.claim.acc if line.claim else None
    row["published_top5_percent"] = line.claim.top5 if line.claim else None
    row["unlike"] = "; ".join(line.unlike)
    row["lost"] = sum(line.lost.values())
    row["lost_reasons"] = "; ".join(line.lost)
    row["stale"] = sum(line.stale.values())
    row["unused"] = sum(line.unused.values())
    row["stale_reasons"] = "; ".join([*line.stale, *line.unused])
    row["cells"] = " ".join(line.cells)
    return row
