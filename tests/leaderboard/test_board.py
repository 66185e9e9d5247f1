"""Plans and records become tables; statistics by hand; formats; no torch."""

import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from samples import board_of, cell, made, row

from bench.leaderboard.ranking import rank
from bench.leaderboard.stats.intervals import estimate, paired
from bench.leaderboard.tables import render, terminal
from bench.results import store
from bench.results.cell_state import CellState
from bench.spec.plan import Plan, RoleInfo


def test_t_interval() -> None:
    """Mean ± t(0.975, n-1)·s/√n: for 0.50, 0.52, 0.54 it is 0.52 ± 4.3027·0.02/√3."""
    found = estimate([0.50, 0.52, 0.54])

    assert found
    assert found.mean == pytest.approx(0.52)
    assert found.half_width == pytest.approx(4.30265 * 0.02 / 3**0.5, rel=1e-5)
    assert estimate([1.0]) is not None
    assert estimate([1.0]).half_width is None  # type: ignore[union-attr]
    assert estimate([]) is None


def test_pairs_share_a_seed() -> None:
    """A difference uses the seeds that both have, and the spread of the differences."""
    found = paired({0: 3.0, 1: 5.0, 9: 100.0}, {0: 2.0, 1: 3.0, 7: 0.0})

    assert found
    assert (found.mean, found.n) == (1.5, 2)
    assert found.half_width == pytest.approx(12.7062 * 0.5**0.5 / 2**0.5, rel=1e-5)


def test_rows_are_ranked_by_last_accuracy() -> None:
    """Best mean first, lines without a seed last, full precision in a section of its own."""
    board = board_of()
    lines = board.sections[0].measured

    assert [(x.label, x.comparison.rank, x.seeds.ended) for x in lines] == [
        ("reste", 1, 3), ("ste", 2, 3), ("wild|*", 3, 1), ("absent", None, 0),
    ]  # fmt: skip
    assert board.sections[1].measured[0].comparison.rank is None
    assert lines[0].comparison.difference
    assert lines[0].comparison.difference.mean == pytest.approx(0.02)
    assert lines[1].comparison.difference is None
    assert lines[2].seeds.lost == {"diverged: the loss": 2}
    assert (lines[3].seeds.missing, board.recorded, board.total) == (1, 10, 11)


def test_a_row_that_lost_a_seed_stands_below() -> None:
    """The mean of the seeds that survived is no reason to lead."""
    a, a_records = made("steady", {0: 0.50, 1: 0.52})
    b, b_records = made("lucky", {0: 0.90, 1: None})
    plan = Plan(
        suite="s", source="s.yaml", source_digest="0", baseline=None,
        rows=[row("steady", a), row("lucky", b)],
    )  # fmt: skip
    lines = rank(plan, [*a_records, *b_records]).sections[0].measured

    assert [(x.label, x.comparison.rank) for x in lines] == [("steady", 1), ("lucky", 2)]


def test_an_estimator_without_a_kind_is_not_full_precision() -> None:
    """A plugin need not say of which kind it is; the table then says nothing."""
    cells, records = made("mine", {0: 0.5})
    bare = row("mine", cells).model_copy(
        update={"roles": {"W": RoleInfo(plugin="mine", formula="", kind="")}}
    )
    plan = Plan(suite="s", source="s", source_digest="0", baseline=None, rows=[bare])
    text = render.text(rank(plan, records), "md")

    assert "full precision" not in text
    assert "| mine | - |" in text


def test_the_metric_is_the_last_epoch() -> None:
    """acc is of the last epoch, best of all epochs: 0.5 and 0.6 of the same curve."""
    line = board_of().sections[1].measured[0]

    assert line.scores.last
    assert line.scores.best
    assert (line.scores.last.mean, line.scores.best.mean) == (0.5, 0.6)


def test_markdown_has_every_column_and_survives_names() -> None:
    """Table 3's columns and more, one table row per line; a label cannot break the table."""
    text = render.text(board_of(), "md")
    header = next(
        line for line in text.splitlines() if line.startswith("| # |") or "estimator" in line
    )

    for column in ("formula", "type", "rational", "flexible", "acc, %", "n", "lost", "best, %",
                   "Δ, points", "images/s", "published, %"):  # fmt: skip
        assert column in header
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1
    assert r"wild\|\*" in text
    assert "54.00 ± 6.57" in text
    assert "+2.00 ± 2.48" in text
    assert "84.44" in text
    assert "lost: wild" in text


def test_csv_and_json_are_for_machines(tmp_path: Path) -> None:
    """CSV reads back as a frame of numbers, JSON as the whole board with its cells."""
    path = tmp_path / "x.csv"
    path.write_text(render.text(board_of(), "csv"), encoding="utf-8")
    frame = pd.read_csv(path).set_index("label")
    data = json.loads(render.text(board_of(), "json"))
    words = pd.read_csv(path, dtype=str, keep_default_na=False)

    assert [*words["rank"]] == ["1", "2", "3", "", ""]
    assert frame.loc["reste", "acc"] == pytest.approx(0.54)
    assert frame.loc["reste", "difference_half_width"] == pytest.approx(0.0248, abs=1e-4)
    assert frame.loc["wild|*", "lost"] == 2
    assert data["sections"][0]["lines"][0]["cells"][0] == made("reste", {0: 0.1})[0][0].id


def test_stale_rows_are_marked_in_every_format() -> None:
    """A row with stale records says how many of its seeds and why; one that is not used is told."""
    a, a_records = made("ste", {0: 0.50, 1: 0.52})
    b, _ = made("reste", {0: 0.51})
    rows = [row("ste", a), row("reste", b)]
    plan = Plan(suite="s", source="s", source_digest="0", baseline=None, rows=rows)
    old = [r.model_copy(update={"cell": cell(seed=9 + n)}) for n, r in enumerate(a_records)]
    stale = {
        a[1].id: CellState(a[1], old[0], ("x.py changed", "the data changed")),
        b[0].id: CellState(b[0], old[1], ("x.py changed",)),
        "other": CellState(a[0]),
    }
    board = rank(plan, a_records, stale=stale, notes=["mind the gap"])
    line, unused = board.sections[0].measured
    console = Console(width=240, record=True, file=io.StringIO())
    console.print(terminal.table(board, 240))
    frame = pd.read_csv(io.StringIO(render.text(board, "csv"))).set_index("label")
    data = json.loads(render.text(board, "json"))

    assert (board.recorded, board.stale, board.total) == (1, 2, 3)
    assert (line.seeds.stale, line.seeds.unused) == ({"x.py changed, the data changed": 1}, {})
    assert (unused.seeds.stale, unused.seeds.unused, unused.seeds.missing) == (
        {},
        {"x.py changed": 1},
        0,
    )
    assert (line.cells, unused.cells) == ([a[0].id, old[0].cell.id], [old[1].cell.id])
    for text in (console.export_text(), render.text(board, "md")):
        assert "ste (stale) " in text
        assert "reste (stale)" not in text
        assert "1 of 3 cells recorded, 2 stale." in text
        assert "stale: ste on resnet20, 1/1, 1 of 2 seeds, x.py changed, the data changed" in text
        assert "stale, not used: 1 cell, x.py changed; " in text
        assert "mind the gap" in text
    columns = ["stale", "unused", "stale_reasons"]
    assert [*frame.loc["ste", columns]] == [1, 0, "x.py changed, the data changed"]
    assert [*frame.loc["reste", columns]] == [0, 1, "x.py changed"]
    assert frame.loc["reste", "cells"] == old[1].cell.id
    assert data["sections"][0]["lines"][0]["stale"] == line.seeds.stale
    assert data["sections"][0]["lines"][1]["unused"] == unused.seeds.unused
    assert data["stale"] == 2


@pytest.mark.parametrize("width", [60, 100, 240])
def test_terminal_table_fits(width: int) -> None:
    """Every accuracy can be read at any width, in one table or in two."""
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal.table(board_of(), width))
    text = console.export_text()

    assert max(map(len, text.splitlines())) <= width
    assert "54.00 ± 6.57" in text
    assert "6 of 11" not in text
    assert "10 of 11 cells recorded." in text


def test_mixtures_are_named() -> None:
    """Records from several devices or engines in one table carry a footnote that says so."""
    a, records = made("ste", {0: 0.5, 1: 0.6})
    other = records[1].provenance.model_copy(update={"device": "gpu", "compiled": True})
    mixed = [records[0], records[1].model_copy(update={"provenance": other})]
    plan = Plan(
        suite="s", source="s", source_digest="0", baseline=None, rows=[row("ste", a)],
    )  # fmt: skip
    notes = " ".join(rank(plan, mixed).notes)

    assert "several devices: cpu, gpu" in notes
    assert "several engines: compiled, eager" in notes


def test_a_cell_that_moved_is_a_mixture_of_its_own() -> None:
    """A record that two machines trained one after the other counts for both."""
    a, (record,) = made("ste", {0: 0.5})
    first = record.provenance.model_copy(update={"device": "gpu", "threads": 8, "dirty": True})
    plan = Plan(
        suite="s", source="s", source_digest="0", baseline=None, rows=[row("ste", a)],
    )  # fmt: skip
    notes = " ".join(rank(plan, [record.model_copy(update={"earlier": [first]})]).notes)

    assert "several devices: cpu, gpu" in notes
    assert "several threads per cell: 1, 8" in notes
    assert "uncommitted changes" in notes


def test_leaderboard_needs_no_torch(
    tmp_path: Path, torchless: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """`bench leaderboard` answers from disk where torch cannot even be imported."""
    a, records = made("ste", {0: 0.5, 1: 0.6})
    plan = Plan(
        suite="quickstart", source="quickstart.yaml", source_digest="0",
        baseline="ste", rows=[row("ste", a)],
    )  # fmt: skip
    store.save_plan(tmp_path, plan)
    for r in records:
        store.save_record(tmp_path, r)
    for form in ("rich", "md", "csv", "json"):
        done = torchless("leaderboard", "quickstart", "--results", tmp_path, "--format", form)
        assert done.returncode == 0, done.stderr
        assert "55.00" in done.stdout or "0.55" in done.stdout
