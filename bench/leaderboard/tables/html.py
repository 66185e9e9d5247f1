"""A board as HTML: a table for each part, to be opened as it is or put into another page."""

from collections.abc import Iterator
from html import escape

from bench.base.text import printable
from bench.leaderboard.board import Board
from bench.leaderboard.tables import paper
from bench.leaderboard.tables.choice import TableChoice
from bench.leaderboard.tables.layout import Layout, Table, TextRow, arranged

STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1b1b1b; background: #fff }
table { border-collapse: collapse; margin: 1.5rem 0 .5rem; font-variant-numeric: tabular-nums }
caption { text-align: left; padding-bottom: .5rem }
caption span { display: block; color: #555 }
th, td { padding: .15rem .7rem; text-align: left; font-weight: normal; vertical-align: top }
thead th { font-weight: 600 }
.number { text-align: right; white-space: nowrap }
thead, tbody { border-bottom: 1px solid #999 }
thead { border-top: 2px solid #333 }
tbody:last-child { border-bottom: 2px solid #333 }
ul { color: #555; padding-left: 1.2rem }"""


def write(board: Board, choice: TableChoice) -> str:
    """
    A page of its own with one table per section.

    Raises:
        UsageError: no such style or column, none for this board, or a part.
    """
    choice.refuse("html", "part")
    if choice.style:
        return page(paper.layout(board, choice.style))
    return page(arranged(board, chosen=choice.columns))


def page(layout: Layout) -> str:
    """A page of its own, which needs nothing else."""
    title = escape(layout.title)
    head = f'<meta charset="utf-8">\n<title>{title}</title>\n<style>\n{STYLE}\n</style>'
    body = f"<h1>{title}</h1>\n{fragment(layout)}"
    return printable(f'<!doctype html>\n<html lang="en">\n{head}\n{body}</html>\n')


def fragment(layout: Layout) -> str:
    """The tables and notes alone, for a page that has its own head."""
    lines = [f"<p><strong>{escape(answer)}</strong></p>" for answer in layout.answers]
    for part in layout.parts:
        recipe = f"<span>{escape(part.caption)}</span>" if part.caption else ""
        caption = f"<caption><strong>{escape(part.title)}</strong>{recipe}</caption>"
        for table in part.tables:
            lines += ["<table>", caption, *_table(table), "</table>"]
            caption = ""
        lines += _list(part.notes)
    lines += [f"<p>{escape(sentence)}</p>" for sentence in layout.summary]
    return printable("\n".join([*lines, *_list(layout.notes)]) + "\n")


def _table(table: Table) -> Iterator[str]:
    """Head and rows; a body for each tier, the row's name is its head."""
    kinds = [' class="number"' if c.kind == "number" else "" for c in table.columns]
    heads = (
        f'<th scope="col"{kind}>{escape(column.head)}</th>'
        for column, kind in zip(table.columns, kinds, strict=True)
    )
    yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    for row in table.rows:
        if row.rule:
            yield "</tbody><tbody>"
        yield f"<tr>{''.join(_cells(row, kinds, table.name))}</tr>"
    yield "</tbody>"


def _cells(row: TextRow, kinds: list[str], name: int) -> Iterator[str]:
    for i, (word, kind) in enumerate(zip(row.words, kinds, strict=True)):
        text = f"<strong>{escape(word)}</strong>" if i in row.bold else escape(word)
        yield f'<th scope="row">{text}</th>' if i == name else f"<td{kind}>{text}</td>"


def _list(notes: list[str]) -> list[str]:
    items = [f"<li>{escape(note)}</li>" for note in notes]
    return ["<ul>", *items, "</ul>"] if items else []
