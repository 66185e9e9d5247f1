"""A sheet as Markdown: one wide table for each part."""

from collections.abc import Iterator

from bench.base.text import printable
from bench.leaderboard.tables.layout import Row, Sheet, Table


def text(sheet: Sheet) -> str:
    """All of it; nothing in it can break a table or is markup of a stranger's."""
    lines = [f"# {escaped(sheet.title)}", ""]
    for part in sheet.parts:
        lines += [f"**{escaped(part.title)}**", ""]
        lines += [escaped(part.caption), ""] * bool(part.caption)
        for table in part.tables:
            lines += [*_table(table), ""]
        lines += [*(f"- {escaped(note)}" for note in part.notes), *[""] * bool(part.notes)]
    for sentence in sheet.summary:
        lines += [escaped(sentence), ""]
    return printable("\n".join([*lines, *(f"- {escaped(note)}" for note in sheet.notes)]) + "\n")


def escaped(text: str) -> str:
    """Text that cannot break a Markdown table or smuggle markup into it."""
    for mark in "\\|`*_<>[]#&~$":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


def _table(table: Table) -> Iterator[str]:
    yield _line([escaped(column.head) for column in table.columns])
    yield "|" + "|".join("--:" if c.kind == "number" else "---" for c in table.columns) + "|"
    yield from (_line(_words(row)) for row in table.rows)


def _words(row: Row) -> list[str]:
    words = [escaped(word) for word in row.words]
    return [f"**{word}**" if i in row.bold else word for i, word in enumerate(words)]


def _line(words: list[str]) -> str:
    return "| " + " | ".join(words) + " |"
