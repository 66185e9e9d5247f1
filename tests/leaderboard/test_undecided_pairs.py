"""What a board says of pairs: places, chances, confounds, and seeds that are lacking."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import ACCS, board_of_four, made, row

from bench.leaderboard import confounds
from bench.leaderboard.answers import surely_best
from bench.leaderboard.ranking import rank
from bench.leaderboard.stats.pairwise import RankInterval, dunnett
from bench.leaderboard.tables import render
from bench.leaderboard.undecided_pairs import number, undecided
from bench.results.record import Record
from bench.spec.plan import Plan


def test_ranks_are_as_wide_as_the_seeds_leave_them() -> None:
    """Two rows share the first two ranks, one is surely third; one that lost a seed has none."""
    found = {
        x.label: (x.comparison.interval, x.comparison.rank)
        for x in board_of_four().sections[0].measured
    }

    assert found == {
        "alike": (RankInterval(1, 2, 1), 1), "ste": (RankInterval(1, 2, 1), 2),
        "worse": (RankInterval(3, 3, 2), 3), "lost": (None, 4),
    }  # fmt: skip


def test_each_row_is_tested_against_the_baseline() -> None:
    """Dunnett's p of the rows that lost no seed; of the baseline and of one row alone none."""
    p = {x.label: x.comparison.p for x in board_of_four().sections[0].measured}

    assert p["worse"] is not None
    assert p["worse"] < 0.001
    assert p["alike"] is not None
    assert 0.3 < p["alike"] < 1
    assert p["ste"] is p["lost"] is None
    alone = board_of_four({"ste": ACCS["ste"]}).sections[0].measured[0]
    assert (alone.comparison.p, alone.comparison.interval) == (None, RankInterval(1, 1, 1))


def test_only_what_is_surely_best_is_bold() -> None:
    """Two rows that may both be best are not; one that is above all others is."""
    text = render.text(board_of_four(), "md")
    clear = render.text(board_of_four({name: ACCS[name] for name in ("ste", "worse")}), "md")

    assert "**" not in text.replace("**resnet20, W/A 1/1**", "")
    assert "| 1 | 1–2 | alike |" in text
    assert "| 2 | 3 | worse |" in text
    assert "| 1 | 1 | **ste** |" in clear


def test_a_lost_seed_makes_nobody_the_surely_best() -> None:
    """CellState above a row that lost a seed is no result of a test; nor is being alone."""
    alone = board_of_four({"ste": {0: 0.5}, "lost": {0: 0.9, 1: None}})
    (both,) = board_of_four().sections

    assert surely_best(alone.sections[0]) == surely_best(both) == []
    assert "**ste**" not in render.text(alone, "md")


def test_each_schedule_is_tested_in_one_family() -> None:
    """Rows at two schedules against a baseline that has one: all p are of one Dunnett's test."""
    rng = [0.80, 0.81, 0.82]
    rows, records = [], []
    for i, (label, schedule) in enumerate(
        [("ste", "default"), ("reste", "cosine"), ("reste", "linear"), ("reste", "exp")]
    ):
        accs: dict[int, float | None] = {seed: x + 0.004 * i for seed, x in enumerate(rng)}
        cells, found = made(f"{label}{schedule}", accs)
        rows.append(row(label, cells).model_copy(update={"schedule": schedule}))
        records += found
    plan = Plan(suite="s", source="s", source_digest="0", baseline="ste", rows=rows)
    lines = rank(plan, records).sections[0].measured
    control, *others = ([x + 0.004 * i for x in rng] for i in range(4))
    p = dict(zip(("cosine", "linear", "exp"), dunnett(others, control), strict=True))

    assert {
        x.schedule: x.comparison.p for x in lines if x.comparison.p is not None
    } == pytest.approx(p, abs=1e-3)


def test_json_is_json(measured: Path, ask: Callable[..., tuple[int, str, str]]) -> None:
    """One seed a row has no p, which is null, not NaN."""
    text = ask("leaderboard", "tiny", "--results", measured, "--format", "json")[1]

    assert json.loads(text, parse_constant=pytest.fail)["sections"][0]["lines"][0]["p"] is None


def test_a_difference_says_over_how_many_seeds() -> None:
    """Where the baseline has fewer, a footnote and the CSV tell."""
    found = board_of_four({"ste": {0: 0.5, 1: 0.6}, "reste": {0: 0.5, 1: 0.6, 2: 0.9}})

    assert "Δ of reste on resnet20, 1/1: over the 2 seeds that the baseline has too" in (
        render.text(found, "md")
    )
    assert "difference_n" in render.text(found, "csv")


def test_false_discoveries_are_bounded_otherwise() -> None:
    """The correction that was asked for is the one that is told."""
    assert "Holm's correction, 5 % for any" in board_of_four().notes[0]
    assert (
        "Benjamini and Hochberg's correction, 5 % of those found"
        in board_of_four(correction="fdr").notes[0]
    )


def test_sections_are_compared_by_ranks() -> None:
    """One is no comparison, nor is one network in two recipes; rows of two are ranked in each."""
    cells = {label: made(label, values) for label, values in ACCS.items()}
    rows = [row(label, own) for label, (own, _) in cells.items()]
    other = [r.model_copy(update={"backbone": "another", "net": "another"}) for r in rows]
    longer = [r.model_copy(update={"backbone": "resnet20(epochs=9)"}) for r in rows]
    plan = Plan(suite="s", source="s", source_digest="0", baseline="ste", rows=[*rows, *other])
    records = [r for _, records in cells.values() for r in records]
    found = rank(plan, records)

    assert board_of_four().across is None
    assert rank(plan.model_copy(update={"rows": [*rows, *longer]}), records).across is None
    assert found.across
    assert list(found.across.ranks.items()) == [("alike", 1), ("ste", 2), ("worse", 3), ("lost", 4)]
    assert "average ranks over resnet20 1/1, another 1/1: alike 1.00, ste 2.00" in render.text(
        found, "md"
    ).replace("\\", "")


def test_a_row_of_another_machine_is_marked() -> None:
    """What only one row has is said beside it, in every format; what all have is not."""
    a, first = made("ste", {0: 0.5, 1: 0.6})
    b, second = made("reste", {0: 0.5, 1: 0.6})
    c, third = made("dsq", {0: 0.5})

    def on_gpu(record: Record) -> Record:
        there = record.provenance.model_copy(update={"device": "gpu", "compiled": True})
        return record.model_copy(update={"provenance": there})

    second = [on_gpu(record) for record in second]
    plan = Plan(
        suite="s", source="s", source_digest="0", baseline=None,
        rows=[row("ste", a), row("reste", b), row("dsq", c)],
    )  # fmt: skip
    found = rank(plan, [*first, *second, *third])
    said = {x.label: x.confounds for x in found.sections[0].measured}

    assert said == {
        "ste": [], "dsq": ["seeds 0, others 0 1"],
        "reste": ["device gpu, others cpu", "engine compiled, others eager"],
    }  # fmt: skip
    text = render.text(found, "md").replace("\\", "")
    assert "| reste* |" in text
    assert "* reste on resnet20, 1/1: device gpu, others cpu; engine compiled" in text
    assert "device gpu, others cpu" in render.text(found, "csv")
    assert confounds.differing([second, second, []]) == [[], [], []]


def test_what_a_pair_lacks() -> None:
    """Of four rows the one that lost a seed is in no pair; the others' needs are computed."""
    found = undecided(board_of_four(), 0.8)

    assert [(p.a.label, p.b.label) for p in found] == [("alike", "ste")]
    assert number(board_of_four()) == 3
    assert found[0].difference == pytest.approx(0.005)
    assert found[0].needed
    assert found[0].more == found[0].needed - 4
    assert (undecided(board_of_four(), 0.99)[0].needed or 0) > found[0].needed


def test_the_command(measured: Path, ask: Callable[..., tuple[int, str, str]]) -> None:
    """With one seed each nothing can be told, and no number of seeds can be named."""
    code, out, err = ask("power", "tiny", "--results", measured, "--format", "json")
    (pair,) = json.loads(out)

    assert (code, err) == (0, "")
    assert {pair["better"], pair["worse"]} == {"ste", "reste"}
    assert (pair["n"], pair["needed"]) == ([1, 1], None)
    assert (
        "1 of 1 pairs of rows cannot be told apart"
        in ask("power", "tiny", "--results", measured)[1]
    )
    assert ask("power", "nothing", "--results", measured)[0] == 2
