"""A board as Markdown: one wide table for each part."""

from collections.abc import Iterator

from bench.base.text import printable
from bench.leaderboard.board import Board
from bench.leaderboard.tables import paper
from bench.leaderboard.tables.choice import TableChoice
from bench.leaderboard.tables.layout import Layout, Table, TextRow, arranged


def write(board: Board, choice: TableChoice) -> str:
    """
    One wide table per section, and the notes.

    Raises:
        UsageError: no such style or column, none for this board, or a part.
    """
    choice.refuse("md", "part")
    if choice.style:
        return text(paper.layout(board, choice.style))
    return text(arranged(board, chosen=choice.columns, tiers=True))


def text(layout: Layout) -> str:
    """All of it; nothing in it can break a table or is markup of a stranger's."""
    lines = [f"# {escaped(layout.title)}", ""]
    for answer in layout.answers:
        lines += [escaped(answer), ""]
    for part in layout.parts:
        lines += [f"**{escaped(part.title)}**", ""]
        if part.caption:
            lines += [escaped(part.caption), ""]
        for table in part.tables:
            lines += [*_table(table), ""]
        if part.notes:
            lines += [*(f"- {escaped(note)}" for note in part.notes), ""]
    for sentence in layout.summary:
        lines += [escaped(sentence), ""]
    return printable("\n".join([*lines, *(f"- {escaped(note)}" for note in layout.notes)]) + "\n")


def escaped(text: str) -> str:
    """Text that cannot break a Markdown table or smuggle markup into it."""
    for mark in "\\|`*_<>[]#&~$":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


def _table(table: Table) -> Iterator[str]:
    yield _line([escaped(column.head) for column in table.columns])
    yield "|" + "|".join("--:" if c.kind == "number" else "---" for c in table.columns) + "|"
    yield from (_line(_words(row)) for row in table.rows)


def _words(row: TextRow) -> list[str]:
    words = [escaped(word) for word in row.words]
    return [f"**{word}**" if i in row.bold else word for i, word in enumerate(words)]


def _line(words: list[str]) -> str:
    return "| " + " | ".join(words) + " |"
