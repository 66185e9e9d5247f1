"""The one table of columns: what stands in it stands everywhere."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from samples import board_of

from bench.leaderboard.board import Board
from bench.leaderboard.columns.column import Column
from bench.leaderboard.columns.table import COLUMNS
from bench.leaderboard.columns.values import of_measured
from bench.leaderboard.tables import render, terminal, trace_text
from bench.leaderboard.tables.json import trace_fields
from bench.leaderboard.trace import RowTrace, trace_target
from bench.report.page.row_details import row_details
from bench.report.page.sortable_table import Targets, sortable_tables

HEAD = "odd, %"
ADDED = Column(
    key="odd",
    value=of_measured(lambda row: 0.125 * row.seeds.ended),
    group="other accuracies",
    head=HEAD,
    write=lambda value: f"{value:.3f}!",
    about="What only this test has.",
    macro="Odd",
    of_seed=lambda seed: 0.125 * len(seed.record.curves),
    source="nowhere",
)


@pytest.fixture
def board() -> Iterator[Board]:
    """A board of a program whose table has one column more."""
    COLUMNS.append(ADDED)
    yield board_of()
    COLUMNS.remove(ADDED)


def test_people_read_it(board: Board) -> None:
    """A column added to the table stands on terminals of any width, in Markdown, LaTeX, HTML."""
    for width in (60, 120, 240):
        out = Console(file=io.StringIO(), width=width)
        out.print(terminal.table(board, width))
        assert HEAD in (text := out.file.getvalue())  # pyright: ignore[reportAttributeAccessIssue]
        assert "0.375!" in text
    for form in ("md", "html"):
        assert HEAD in (text := render.text(board, form))
        assert "0.375!" in text
    tex = render.text(board, "tex")
    assert r"\shortstack[r]{odd,\\\%}" in tex
    assert r"\newcommand{\benchSteResnetTwoZeroOneOneOdd}{0.375!}" in tex


def test_programs_read_it(board: Board) -> None:
    """It is in CSV and in JSON by its key, as a plain number."""
    first = next(csv.DictReader(io.StringIO(render.text(board, "csv"))))
    line = json.loads(render.text(board, "json"))["sections"][0]["lines"][0]

    assert float(first["odd"]) == line["odd"] == 0.375


def test_the_page_has_it(board: Board) -> None:
    """The report's table shows it, sorts by it and says what it is."""
    (shown, *_) = sortable_tables(board, lambda _: Targets())
    (word,) = [word for word in shown.rows[0].words if word.column.key == "odd"]

    assert (word.text, word.value) == ("0.375!", 0.375)
    assert word.column.about == "What only this test has."


@pytest.mark.usefixtures("board")
def test_traces_have_it(measured: Path) -> None:
    """`bench trace` and the report's rows tell what each seed gives to it."""
    found = trace_target("tiny", ["ste"], measured)
    assert isinstance(found, list)
    (trace,) = found
    assert isinstance(trace, RowTrace)
    details = row_details(trace, "row-1")
    place = details.heads.index(HEAD)

    assert "odd" in trace_fields(trace)["line"]
    assert ADDED in trace_text.shown_columns(trace)
    assert [seed.words[place] for seed in details.seeds] == [
        f"{seed.values['odd']:.3f}!" for seed in trace.seeds
    ]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.key)
def test_a_column_says_what_it_is(column: Column) -> None:
    """In a sentence, whoever reads it; the names of keys, heads and macros are its own."""
    assert column.about.endswith(".")
    for name in ("key", "head", "macro"):
        own = getattr(column, name)
        assert not own or [getattr(c, name) for c in COLUMNS].count(own) == 1
