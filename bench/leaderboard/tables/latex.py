r"""
A board as LaTeX, in plain ASCII: a `\newcommand` for every number, tables, and notes.

Each is a part that can be had alone: macros belong into the preamble, tables into the text. Every
table is a float of one size of type, narrow enough for a column or, as `table*`, for the text's
width, so that nothing is scaled. What is wider becomes several tables.
"""

import re
from collections.abc import Iterator

from bench.leaderboard.board import Board
from bench.leaderboard.columns.groups import STACKED
from bench.leaderboard.tables import latex_macros, paper
from bench.leaderboard.tables.choice import TableChoice
from bench.leaderboard.tables.latex_formula import mathematics
from bench.leaderboard.tables.latex_text import comment, escaped, number, prose
from bench.leaderboard.tables.layout import Heading, Layout, Part, Table, TextRow, arranged

COLUMN, TEXT = 234.0, 395.0  # pt: the narrowest column, and text, of usual classes
GAP = 6.0  # between two columns
LONGEST = 170.0  # a column of text that is wider is folded
NARROW, WIDE = "fijlrtI.,:;'|!()[] -", "mwMWΣ≈±–%@"  # 2.6 and 7 pt, others 4.5, of footnotesize
NEEDS = {
    "": r"booktabs,threeparttable}; the macros are better off in the preamble: --part macros",
    "table": r"booktabs,threeparttable}",
}


def write(board: Board, choice: TableChoice) -> str:
    r"""
    The parts that are asked for; else macros, tables and notes, to be read with `\input`.

    Raises:
        UsageError: no such style or column, or none for this board.
    """
    laid = (
        paper.layout(board, choice.style)
        if choice.style
        else arranged(board, STACKED, choice.columns)
    )
    return text(laid, choice.part)


def text(layout: Layout, part: str = "") -> str:
    """The file; `part` as `TableChoice` has it."""
    lines = [f"% signbench: {comment(layout.title)}"]
    if part in NEEDS:
        lines.append(rf"% Needs \usepackage{{{NEEDS[part]}")
    if part in {"", "macros"}:
        lines.append("% Two files that name one row define it twice: keep one of them.")
        rows = [row for own in layout.parts for table in own.tables for row in table.rows]
        lines += latex_macros.definitions([row for texts in rows for row in texts.rows])
    if part in {"", "table"}:
        for own in layout.parts:
            lines += _floats(own, layout)
    if part in {"", "notes"}:
        said = [*layout.answers, *layout.summary, *layout.notes]
        items = [rf"\item {prose(note)}" for note in said]
        lines += [r"\begin{itemize}\footnotesize", *items, r"\end{itemize}"]
    return "\n".join(lines) + "\n"


def _floats(part: Part, layout: Layout) -> Iterator[str]:
    """The tables of a part, each a float; what must be said with them stands below the first."""
    caption = ". ".join(escaped(word) for word in (part.title, part.caption) if word)
    label = re.sub("[^A-Za-z0-9]+", "-", f"{layout.title} {part.title}").strip("-")
    tables = [narrow for table in part.tables for narrow in _fitting(table)]
    for place, table in enumerate(tables, start=1):
        more = "" if place == 1 else f"-{place}"
        said = caption if place == 1 else f"{escaped(part.title)}, continued"
        notes = [*part.answers, *part.notes] if place == 1 else []
        float_ = "table" if _width(table) <= COLUMN else "table*"
        yield rf"\begin{{{float_}}}[tbp]"
        yield r"\centering\footnotesize\setlength{\tabcolsep}{3pt}"
        yield r"\begin{threeparttable}"
        yield rf"\caption{{{said}}}"
        yield rf"\label{{bench:{label}{more}}}"
        yield from _tabular(table)
        if notes:
            items = (rf"\item {prose(note)}" for note in notes)
            yield from (r"\begin{tablenotes}[flushleft]\footnotesize", *items)
            yield r"\end{tablenotes}"
        yield r"\end{threeparttable}"
        yield rf"\end{{{float_}}}"


def _fitting(table: Table) -> list[Table]:
    """The columns in as few tables as fit the text's width, about equally wide; each has names."""
    sizes = [_column_width(table, i) + GAP for i in range(len(table.columns))]
    fewest = table.divide(sizes, TEXT)
    tries = (table.divide(sizes, width) for width in range(int(COLUMN), int(TEXT), 10))
    return next((tables for tables in tries if len(tables) == len(fewest)), fewest)


def _width(table: Table) -> float:
    """How wide it is set, in pt, about."""
    return sum(_column_width(table, i) + GAP for i in range(len(table.columns)))


def _column_width(table: Table, i: int) -> float:
    below = [_cell_width(row.words[i], table.columns[i]) for row in table.rows]
    widest = max([*below, *map(_text_width, _head_lines(table, i))])
    return min(widest, LONGEST) if table.columns[i].kind != "number" else widest


def _cell_width(word: str, column: Heading) -> float:
    """Of what stands below a head; in mathematics spaces and brackets of powers vanish."""
    if column.kind != "formula":
        return _text_width(word)
    return _text_width(re.sub(r"[ {}_^]", "", word).replace("Σ", "ΣΣ"))


def _text_width(text: str) -> float:
    """Of text in footnotesize, in pt, about and not too little."""
    return sum(2.6 if sign in NARROW else 7.0 if sign in WIDE else 4.5 for sign in text)


def _head_lines(table: Table, i: int) -> list[str]:
    """A head in two lines, where it is wider than all that stands below it."""
    head = table.columns[i].head
    below = max((_text_width(row.words[i]) for row in table.rows), default=0.0)
    if _text_width(head) <= below or " " not in head:
        return [head]
    places = [found.start() for found in re.finditer(" ", head)]
    place = min(places, key=lambda p: max(_text_width(head[:p]), _text_width(head[p + 1 :])))
    return [head[:place], head[place + 1 :]]


def _tabular(table: Table) -> Iterator[str]:
    wide = {
        i
        for i, column in enumerate(table.columns)
        if column.kind != "number"
        and any(_cell_width(row.words[i], column) > LONGEST for row in table.rows)
    }
    kinds = "".join(
        f"p{{{LONGEST:.0f}pt}}" if i in wide else "r" if column.kind == "number" else "l"
        for i, column in enumerate(table.columns)
    )
    end = r"\tabularnewline" if wide else r"\\"
    yield rf"\begin{{tabular}}{{@{{}}{kinds}@{{}}}}"
    yield r"\toprule"
    yield " & ".join(_head(table, i) for i in range(len(table.columns))) + r" \\"
    yield r"\midrule"
    for row in table.rows:
        if row.rule:
            yield r"\midrule"
        words = " & ".join(_words(row, table, wide))
        yield f"{words} {end} % {comment(row.cells)}".rstrip()
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _head(table: Table, i: int) -> str:
    lines = [escaped(line) for line in _head_lines(table, i)]
    side = "r" if table.columns[i].kind == "number" else "l"
    return lines[0] if len(lines) == 1 else rf"\shortstack[{side}]{{{lines[0]}\\{lines[1]}}}"


def _words(row: TextRow, table: Table, wide: set[int]) -> Iterator[str]:
    how = {"text": escaped, "formula": mathematics, "number": number}
    for i, (word, column) in enumerate(zip(row.words, table.columns, strict=True)):
        said = how[column.kind](word)
        said = rf"\raggedright {said}" if i in wide else said
        yield rf"\textbf{{{said}}}" if i in row.bold else said
