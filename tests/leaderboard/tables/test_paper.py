"""Boards in the layout of the paper's tables."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from samples import board_of, board_of_ledger, made, row

from bench.errors import UsageError
from bench.leaderboard.board import Comparison
from bench.leaderboard.ranking import rank
from bench.leaderboard.stats.pairwise import RankInterval
from bench.leaderboard.tables import paper, render
from bench.leaderboard.tables.choice import TableChoice
from bench.spec import published
from bench.spec.plan import Absent, Plan


@pytest.mark.parametrize("style", paper.STYLES)
def test_rows_are_the_papers_in_its_order(style: str) -> None:
    """Every printed number once, in order; ours beside those that were measured."""
    name = style.removeprefix("paper:")
    claims = published.read_ledger(name, Path())
    text = render.text(board_of_ledger(name), "csv", style)
    rows = [*csv.DictReader(io.StringIO(text))]
    head = "Acc(%)" if "Acc(%)" in rows[0] else "Top-1(%)"

    assert [found[head] for found in rows] == [f"{c.acc:.2f}" for c in claims]
    assert (rows[0]["ours, last"], rows[0]["ours, last ±"]) == ("51.00", "12.71")
    assert (rows[1]["ours, last"], rows[1]["ours, last ±"]) == ("not built", "")
    assert [bool(found["cells"]) for found in rows[:3]] == [True, False, False]


def test_table_three_has_the_papers_columns() -> None:
    """Its columns in its order, our verdicts and accuracies beside the printed ones."""
    laid = paper.layout(board_of_ledger("table3", own="mine"), "paper:table3")
    (table,) = laid.parts[0].tables

    assert [column.head for column in table.columns] == [
        "Estimators", "Formula", "Type", "Rational", "rational, ours", "Flexible",
        "flexible, ours", "Acc(%)", "ours, last", "ours, best", "n",
    ]  # fmt: skip
    assert [r.words[0] for r in table.rows] == [
        "DSQ", "STE", "EDE", "FDA †", "RBNN †", "ReSTE", "mine",
    ]  # fmt: skip
    assert [r.rule for r in table.rows] == [False] * 6 + [True]
    assert table.rows[0].words[7:] == ["84.11", "51.00 ± 12.71", "51.00 ± 12.71", "2"]
    assert table.rows[6].words[7:] == ["-", "40.00 ± 12.71", "40.00 ± 12.71", "2"]
    assert "Table 3" in laid.parts[0].caption


def test_nets_are_apart_and_named_once() -> None:
    """Table 1's blocks: a line between them, the net's name at the first row of each."""
    (table,) = paper.layout(board_of_ledger("table1"), "paper:table1").parts[0].tables
    heads = [(r.words[0], r.rule) for r in table.rows if r.words[0]]

    assert heads == [
        ("ResNet-18", False), ("ResNet-20", True), ("ResNet-20", True), ("VGG-small", True),
        ("VGG-small", True),
    ]  # fmt: skip
    assert table.rows[0].words[:5] == ["ResNet-18", "FP", "32/32", "-", "94.84"]


def test_what_is_not_measured_says_so() -> None:
    """Not in the suite, not built, not run yet, or lost: each in a word."""
    claims = published.read_ledger("table3", Path())
    rows = [
        row(one.label, made(one.label, {0: 0.5})[0]).model_copy(update={"claim": one})
        for one in claims[:3]
    ]
    plan = Plan(
        suite="s", source="s", source_digest="0", baseline=None, rows=rows,
        absent=[Absent(claim=claims[3], reason="not built")],
    )  # fmt: skip
    records = [made(claims[0].label, {0: 0.5})[1][0], made(claims[1].label, {0: None})[1][0]]
    (table,) = paper.layout(rank(plan, records), "paper:table3").parts[0].tables

    assert [r.words[8] for r in table.rows] == [
        "50.00", "lost", "not measured", "not built", "not in this suite", "not in this suite",
    ]  # fmt: skip


def test_a_number_measured_twice_says_where() -> None:
    """Of a board with two sections that carry one number, both rows, told apart."""
    found = board_of_ledger("table3")
    again = [replace(x, backbone="resnet20 (b)") for x in found.sections[0].rows]
    sections = [*found.sections, replace(found.sections[0], backbone="b", rows=again)]
    laid = paper.layout(replace(found, sections=sections), "paper:table3")

    assert [r.words[0] for r in laid.parts[0].tables[0].rows][:3] == [
        "DSQ (dsq on resnet20)", "DSQ (dsq on resnet20 (b))", "STE",
    ]  # fmt: skip


def test_strategies_stand_abreast() -> None:
    """The appendix's Table 2 has progressive beside fixed."""
    (table,) = (
        paper.layout(board_of_ledger("appendix-table2"), "paper:appendix-table2").parts[0].tables
    )

    assert len(table.columns) == 12
    assert len(table.rows) == 4
    assert table.rows[0].words[:3] == ["Progressive", "o_end = 1", "85.18"]
    assert table.rows[0].words[6:9] == ["Fixed", "o = 1", "85.18"]


def test_what_is_surely_best_is_bold() -> None:
    """The measured accuracy alone, and the marks of a row stand beside its printed name."""
    found = board_of_ledger("table3")
    first, *others = found.sections[0].rows
    surely = Comparison(interval=RankInterval(1, 1, 1))
    sure = replace(first, comparison=surely, confounds=["device gpu, others cpu"])
    found = replace(found, sections=[replace(found.sections[0], rows=[sure, *others])])
    text = render.text(found, "md", "paper:table3")

    assert r"| FDA †\* |" in text
    assert "| **54.00 ± 12.71** |" in text
    assert "device gpu, others cpu" in text


@pytest.mark.parametrize(("width", "times"), [(70, 3), (200, 1)])
def test_a_style_fits_the_terminal(width: int, times: int) -> None:
    """One table, or several under each other, each with the names of its rows."""
    console = Console(width=width, record=True, file=io.StringIO())
    render.render(board_of_ledger("table3"), "rich", console, TableChoice("paper:table3"))
    lines = console.export_text().splitlines()

    assert max(map(len, lines)) <= width
    assert sum(line.split()[:2] == ["RBNN", "†"] for line in lines) == times


def test_a_page_names_its_rows() -> None:
    """The head of a row is its method, not the net that stands at the first row alone."""
    text = render.text(board_of_ledger("table2"), "html", "paper:table2")

    assert '<th scope="row">XNOR' not in text
    assert '<th scope="row">Xnor-Net</th>' in text
    assert '<th scope="row"></th>' not in text


def test_what_cannot_be_laid_out_is_refused(
    measured: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    """No such style, no row of it, no style of JSON: each says what there is."""
    with pytest.raises(UsageError, match="no style `paper:tabel3`; did you mean `paper:table3`"):
        paper.layout(board_of(), "paper:tabel3")
    with pytest.raises(UsageError, match="--format json is the whole board"):
        render.text(board_of(), "json", "paper:table3")
    found = ask("leaderboard", "tiny", "--results", measured, "--style", "paper:table1")
    assert found == (
        2, "",
        "error: no row of `tiny` carries a number of Table 1, CIFAR-10; its suite needs "
        "`published: table1`\n",
    )  # fmt: skip
