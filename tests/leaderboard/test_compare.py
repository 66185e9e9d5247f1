"""Suites set side by side, and one suite in two folders."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import cell, made, record, row

from bench.errors import UsageError
from bench.leaderboard import compare
from bench.leaderboard.compare import FolderResults
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import render
from bench.results import store
from bench.results.record import Record
from bench.spec.cell import Cell, DataRef, Recipe, Ref
from bench.spec.plan import Absent, Plan, Row, Trial
from bench.spec.published import Claim

ACCS: dict[str, dict[int, float | None]] = {
    "ste": {0: 0.80, 1: 0.81, 2: 0.82},
    "reste": {0: 0.70, 1: 0.71, 2: 0.73},
}


def plan_of(name: str, rows: list[Row], baseline: str | None = "ste", **more: object) -> Plan:
    return Plan.model_validate(
        {"suite": name, "source": name, "source_digest": "0", "baseline": baseline, "rows": rows}
        | more
    )


def other(one: Row, **change: object) -> Row:
    """The row, its cells changed."""
    cells = [Cell.model_validate(c.model_dump() | change) for c in one.cells]
    return one.model_copy(update={"cells": cells})


def rows_of(*labels: str) -> list[Row]:
    return [row(label, made(label, ACCS.get(label, {0: 0.5}))[0]) for label in labels]


def measured_records(plan: Plan) -> list[Record]:
    return [
        record(c, curves={"train_loss": [1], "test_acc": [0.5 + c.seed / 100], "lr": [0.1]})
        for c in plan.cells
    ]


def test_equal_sections_are_one() -> None:
    """Rows of one recipe are ranked together; what both have stands once, with all seeds."""
    ste = row("ste", made("ste", {1: 0.8, 7: 0.8})[0])
    plan, notes = compare.joined(
        [plan_of("a", rows_of("ste", "reste")), plan_of("b", [ste, *rows_of("ede")])]
    )
    (section,) = rank(plan, measured_records(plan)).sections

    assert (plan.suite, plan.baseline, notes) == ("a + b", "ste", [])
    assert {line.label: line.seeds.ended for line in section.measured} == {
        "ste": 4,
        "reste": 3,
        "ede": 1,
    }
    assert section.backbone == "resnet20"
    assert all(line.comparison.interval for line in section.measured)


def test_what_differs_is_named_and_apart() -> None:
    """Another recipe is another section, called after its suite; the note says what differs."""
    longer = [other(one, recipe=Recipe(epochs=5)) for one in rows_of("ste", "reste")]
    plan, notes = compare.joined([plan_of("a", rows_of("ste", "reste")), plan_of("b", longer)])
    board = rank(plan, measured_records(plan))

    assert notes == ["resnet20: a and b differ in train.epochs 2 and 5"]
    assert [s.backbone for s in board.sections] == ["resnet20 (a)", "resnet20 (b)"]
    assert [len(s.measured) for s in board.sections] == [2, 2]
    assert all(
        x.comparison.difference for s in board.sections for x in s.measured if x.label == "reste"
    )
    assert board.across is None  # one network, the same seeds


def test_nets_of_two_names_that_train_alike_are_one() -> None:
    """A section is what its rows share, however a suite calls the net."""
    renamed = [one.model_copy(update={"backbone": "mine"}) for one in rows_of("reste")]
    plan, _ = compare.joined([plan_of("a", rows_of("ste")), plan_of("b", renamed)])

    assert {one.backbone for one in plan.rows} == {"resnet20"}


def test_rows_of_one_name_that_train_otherwise_are_told_apart() -> None:
    """Each is called after its suite, and neither can be the common baseline."""
    ref = Ref(name="ste", params={"clip": 2.0}).model_dump()
    wide = [other(one, weights=ref, activations=ref) for one in rows_of("ste")]
    plan, notes = compare.joined([plan_of("a", rows_of("ste")), plan_of("b", wide)])

    assert {one.label for one in plan.rows} == {"ste (a)", "ste (b)"}
    assert plan.baseline is None
    assert notes == ["no Δ: the suites have no baseline in common"]


def test_what_one_publishes_and_another_runs_is_run() -> None:
    """A published row stands beside the measured one; the others once."""
    claims = [
        Claim(label=x, backbone="resnet20", wa="1/1", method=x, acc=80, source="T") for x in "xy"
    ]
    absent = [Absent(claim=c, reason="not in this suite") for c in claims]
    run = rows_of("x")[0].model_copy(update={"claim": claims[0]})
    plan, _ = compare.joined(
        [plan_of("a", rows_of("ste"), absent=absent), plan_of("b", [run], absent=absent[1:])]
    )

    assert [a.claim.label for a in plan.absent] == ["y"]


def test_what_cannot_be_compared_is_refused() -> None:
    """Other data, another definition of e and s, another budget: each says why."""
    a = plan_of("a", rows_of("ste"))
    data = DataRef(name="digits", fingerprint="1" * 16).model_dump()
    one = other(rows_of("ste")[0], data=data)
    with pytest.raises(UsageError, match="`a` and `b` are measured on other data: two versions of"):
        compare.joined([a, plan_of("b", [one])])
    images = one.model_copy(update={"data": "CIFAR-10"})
    with pytest.raises(UsageError, match="measured on other data: digits and CIFAR-10"):
        compare.joined([a, plan_of("b", [images])])
    with pytest.raises(UsageError, match="`b` as `code`; choose one with --equilibrium"):
        compare.joined([a, plan_of("b", rows_of("ste"), equilibrium="code")])
    trial = Trial(values={"lr": 1}, roles={}, held_out=[cell(seed=9)], cells=[cell(seed=8)])
    tuned = [rows_of("ste")[0].model_copy(update={"trials": [trial] * n}) for n in (1, 2)]
    plans = [plan_of(f"t{i}", [r], held_out=0.1) for i, r in enumerate(tuned)]
    with pytest.raises(UsageError, match="`t0` is tuned with 1 trials on 10% held out, `t1` with"):
        compare.joined(plans)
    board = rank(compare.joined([a, plans[1]])[0], [])
    assert any("tuned: 2 trials" in note for note in board.notes)


def test_two_folders_side_by_side() -> None:
    """Each row below its like: the difference by seed, equal bits told, other code no obstacle."""
    mine = plan_of("s", rows_of("ste", "reste"))
    theirs = plan_of("s", [other(x, core=2) for x in rows_of("ste", "reste")])
    records = [r for label in ACCS for r in made(label, ACCS[label])[1]]
    known = {(r.cell.weights and r.cell.weights.name, r.cell.seed): r for r in records}
    again: list[Record] = []
    for one in theirs.cells:
        old = known[one.weights and one.weights.name, one.seed].model_copy(update={"cell": one})
        moved = old.curves | {"test_acc": [(old.last_acc or 0) + 0.02 + one.seed / 100]}
        curves = moved if one.weights and one.weights.name == "reste" else old.curves
        again.append(old.model_copy(update={"curves": curves}))
    board = compare.side_by_side(
        FolderResults("A", mine, records), FolderResults("B", theirs, again)
    )
    (section,) = board.sections
    text = render.text(board, "md")

    assert [x.label for x in section.measured] == ["ste (A)", "ste (B)", "reste (A)", "reste (B)"]
    assert not any(x.comparison.interval or x.comparison.rank for x in section.measured)
    assert section.measured[1].comparison.difference
    assert section.measured[1].comparison.difference.mean == 0
    assert section.measured[3].comparison.difference
    assert section.measured[3].comparison.difference.mean == pytest.approx(0.03)
    assert section.measured[3].comparison.difference.n == 3
    assert section.measured[2].comparison.difference is None
    assert "equal to the bit, 3 seeds: ste on resnet20, 1/1" in board.notes
    assert (
        "3 of 3 seeds differ, seed 0 in test_acc from epoch 1 0.7 / 0.72: reste on resnet20, 1/1"
        in board.notes
    )
    assert board.notes[0].startswith("Δ: B less A, paired by seed")
    assert (board.recorded, board.total) == (12, 12)
    assert "ste (B)" in text


def test_a_row_of_one_folder_stands_alone() -> None:
    """Another recipe has a section of its own, other seeds no difference."""
    mine = plan_of("s", rows_of("ste", "reste"))
    theirs = plan_of("s", [row("ste", made("ste", {8: 0.5})[0])])
    board = compare.side_by_side(
        FolderResults("A", mine, []), FolderResults("B", theirs, measured_records(theirs))
    )

    assert [x.label for x in board.sections[0].measured] == ["reste (A)", "ste (A)", "ste (B)"]
    assert board.sections[0].measured[2].comparison.difference is None
    assert "no seed that both measured: ste on resnet20, 1/1" in board.notes
    longer = plan_of("s", [other(x, recipe=Recipe(epochs=9)) for x in rows_of("ste")])
    apart = compare.side_by_side(FolderResults("A", mine, []), FolderResults("B", longer, []))
    assert [s.backbone for s in apart.sections] == ["resnet20 (A)", "resnet20 (B)"]
    assert "resnet20: A and B differ in train.epochs 2 and 9" in apart.notes


def test_the_command(
    measured: Path, tmp_path: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    """Two suites of one folder, one suite of two, in several formats; the rest is explained."""
    root = tmp_path / "copy"
    shutil.copytree(measured, root)
    plan = store.find_plan(root, "tiny")
    store.save_plan(root, plan.model_copy(update={"suite": "small", "rows": plan.rows[:1]}))
    code, out, _ = ask("compare", "tiny", "small.yaml", "--results", root, "--format", "json")

    assert code == 0
    board = json.loads(out)
    assert board["suite"] == "tiny + small"
    assert sorted(x["label"] for x in board["sections"][0]["lines"]) == ["reste", "ste"]
    for words in (
        ("compare", "tiny", "--results", measured, "--results", root),
        ("compare", "--results", measured, root),
        ("compare", "tiny", measured, root),
    ):
        code, out, err = ask(*words, "--format", "csv")
        assert code == 0
        assert out.count("\n") == 5
        assert "note: equal to the bit, 1 seed: " in err
    assert ask("compare", "tiny", "--results", root)[2].startswith("error: name two suites")
    assert "not 2 folders and 2 suites" in ask("compare", "a", "b", measured, root)[2]
    assert "no suite `tinny` ran in" in ask("compare", "tiny", "tinny", "--results", root)[2]
    assert "did you mean `tiny`" in ask("compare", "small", "tinny", "--results", root)[2]
    assert "two folders and one suite" in ask("compare", "tiny", root, root)[2]
    (root / "suites" / "tiny" / "plan.json").unlink()
    assert "no suite ran in all folders" in ask("compare", measured, root)[2]
