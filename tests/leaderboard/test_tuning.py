"""Fair tuning: one budget, judged on held-out training images, shown beside the untuned row."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from samples import run_plan

from bench.errors import SuiteError
from bench.leaderboard import tuning
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import render
from bench.planning import planner
from bench.results.cell_state import CellStates
from bench.results.record import Record
from bench.spec.filters import select
from bench.spec.plan import Plan, Trial

SUITE = """\
estimators: [ste, reste]
backbones: {resnet20: {width: 2}}
data: {digits: {train: 100, test: 40}}
seeds: [0, 1]
include: [{estimator: none, wa: 32/32}]
baseline: ste
train: {epochs: 1, batch_size: 20}
tune: {train: {lr: [0.05, 0.2]}, estimators: {reste: {o_end: [2, 3]}}, held_out: 0.2, seeds: 0}
"""


def planned(folder: Path, text: str = SUITE) -> Plan:
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    return planner.plan(folder / "x.yaml")


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SuiteError) as caught:
        planned(folder, text)
    return str(caught.value).replace(f"{folder}/", "")


def measured(trial: Trial, accs: list[float | None]) -> list[Record]:
    """Held-out records of a trial; None is a divergence."""
    from samples import record

    return [
        record(cell, curves={"train_loss": [1], "test_acc": [acc], "lr": [0.1]})
        if acc is not None
        else record(cell, status="diverged", reason="the loss", curves={})
        for cell, acc in zip(trial.held_out, accs, strict=True)
    ]


def test_every_row_has_the_same_budget(tmp_path: Path) -> None:
    """STE can try two rates and its own, ReSTE six settings: both get three trials."""
    plan = planned(tmp_path)

    assert {row.label: len(row.trials) for row in plan.rows} == {"ste": 3, "reste": 3, "none": 3}
    assert [t.values for t in plan.rows[0].trials] == [{"lr": 0.1}, {"lr": 0.05}, {"lr": 0.2}]
    assert all(t.values.keys() == {"lr", "o_end"} for t in plan.rows[1].trials)


def test_trials_are_judged_without_the_test_images(tmp_path: Path) -> None:
    """A held-out cell trains on a part of the training images; the final one on all of them."""
    trial = planned(tmp_path).rows[1].trials[1]
    values = trial.values

    assert {cell.data.params["held_out"] for cell in trial.held_out} == {0.2}
    assert all("held_out" not in cell.data.params for cell in trial.cells)
    assert [cell.seed for cell in trial.held_out] == [0]
    assert [cell.seed for cell in trial.cells] == [0, 1]
    for cell in (*trial.held_out, *trial.cells):
        assert cell.weights
        assert (cell.recipe.lr, cell.weights.params["o_end"]) == (values["lr"], values["o_end"])


def test_the_suites_own_setting_is_the_first_trial(tmp_path: Path) -> None:
    """Tuning may keep what it was given: the recipe's rate, the estimator's default."""
    plan = planned(tmp_path)

    assert [row.trials[0].values for row in plan.rows] == [
        {"lr": 0.1},
        {"lr": 0.1, "o_end": 3.0},
        {"lr": 0.1},
    ]
    for row in plan.rows:
        assert [c.id for c in row.trials[0].cells] == [c.id for c in row.cells]


def test_roles_keep_their_own_setting(tmp_path: Path) -> None:
    """W and A apart: the first trial is the row as it is, whatever the two say."""
    text = SUITE.replace("[ste, reste]", "{reste: {W: {plugin: reste, o_end: 2}, A: reste}, ste: }")
    row = next(r for r in planned(tmp_path, text).rows if r.label == "reste")

    assert [c.id for c in row.trials[0].cells] == [c.id for c in row.cells]


def test_two_labels_of_one_training_tune_apart(tmp_path: Path) -> None:
    """Twins run once, unless their tuning tries other things."""
    text = SUITE.replace("[ste, reste]", "{ste: , reste: , other: {plugin: reste}}")

    text = text.replace(
        "{reste: {o_end: [2, 3]}}", "{reste: {o_end: [2, 3]}, other: {m: [0.1, 0.2]}}"
    )
    plan = planned(tmp_path, text)
    known = {r.cell.id: r for row in plan.rows for t in row.trials for r in measured(t, [0.5])}

    assert [row.label for row in plan.rows] == ["ste", "reste", "other", "none"]
    assert [set(t.values) for t in tuning.tuned(plan, known)] == [
        {"lr"}, {"lr", "o_end"}, {"lr", "m"}, {"lr"},
    ]  # fmt: skip


def test_the_best_on_held_out_images_is_chosen(tmp_path: Path) -> None:
    """The higher mean wins, of equals the first, a diverged one never; none before all ran."""
    row = planned(tmp_path).rows[0]
    one, two, three = row.trials

    def choice(a: float | None, b: float | None) -> Trial | None:
        records = [*measured(one, [a]), *measured(two, [b]), *measured(three, [0.0])]
        return tuning.chosen(row, {r.cell.id: r for r in records})

    assert choice(0.5, 0.6) == two
    assert choice(0.5, 0.5) == one
    assert choice(None, 0.1) == two
    assert tuning.chosen(row, {r.cell.id: r for r in measured(one, [0.9])}) is None


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_tuned_rows_stand_beside_untuned_ones(tmp_path: Path) -> None:
    """A whole run: trials, then what they chose; the table names budget, values and untuned row."""
    plan = planned(tmp_path)
    root = tmp_path / "r"
    said = io.StringIO()
    console = Console(file=said, width=200)
    ok = run_plan(plan, root, console)
    board = rank(plan, CellStates(root, plan.possible).records(stale=False))
    section = next(s for s in board.sections if s.tuned)
    text = render.text(board, "md")

    assert ok
    assert [s.tuned for s in board.sections] == [False, True, False, True]
    assert {line.label for line in section.measured} == {"ste", "reste"}
    assert all(
        line.tuned and line.tuned.untuned and line.seeds.ended == 2 for line in section.measured
    )
    assert sorted(line.comparison.rank or 0 for line in section.measured) == [1, 2]
    ran = {cell.parent.name for cell in (root / "cells").glob("*/record.json")}
    assert len(ran) == board.recorded == board.total <= 6 + 9 + 6
    assert "tuned: 3 trials for each row, 1 seed each, judged on 20% of the training" in text
    assert "| untuned, % | chosen |" in text
    again = run_plan(plan, root, console)
    assert again
    assert "tuned: 6 cells, 6 recorded, 0 to run" in said.getvalue()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "lr: [0.05, 0.2]",
            "lr: [0.1, 0.1]",
            "tune.budget: none has 1 setting to try, its own",
        ),
        ("held_out: 0.2, seeds: 0", "budget: 4", "tune.budget: none has 3 settings to try"),
        ("lr: [0.05, 0.2]", "epochs: [1, 2]", "tune.train.epochs: is not tuned: every trial"),
        (
            "lr: [0.05, 0.2]",
            "lrr: [1, 2]",
            "tune.train.lrr: unknown key; did you mean `lr`?",
        ),
        ("lr: [0.05, 0.2]", "lr: [-1, 2]", "tune.train.lr: must be greater than 0, got -1"),
        ("o_end: [2, 3]", "oend: [2, 3]", "tune.estimators.reste.oend: reste has no such"),
        ("o_end: [2, 3]", "o_end: [0, 0.5]", "tune.estimators.reste.o_end: must be greater"),
        ("reste: {o_end", "rest: {o_end", "tune.estimators.rest: no `rest` in this suite"),
        ("held_out: 0.2, seeds: 0", "held_out: 1.5", "tune.held_out: must be less than 1, got 1.5"),
    ],
)
def test_a_wrong_axis_is_told_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Too small a grid, an unknown name, a value out of range, unequal cost."""
    text = refused(tmp_path, SUITE.replace(old, new))

    assert text.startswith("x.yaml:8:")
    assert said in text


def test_a_networks_parameter_can_be_tuned(tmp_path: Path) -> None:
    """Any plugin's: here the start of BatchNorm, with the recipe and the estimator as they are."""
    text = SUITE.replace("{train: {lr: [0.05, 0.2]}", "{backbones: {resnet20: {bn_init: [0.1, 1]}}")
    rows = {row.label: row for row in planned(tmp_path, text).rows}
    tried = {c.backbone.params["bn_init"] for t in rows["ste"].trials for c in t.cells}

    assert [t.values for t in rows["ste"].trials] == [{"bn_init": 1.0}, {"bn_init": 0.1}]
    assert tried == {1.0, 0.1}
    wrong = text.replace("bn_init", "bn_inti")
    assert "tune.backbones.resnet20.bn_inti: resnet20 has no such parameter; did you mean" in (
        refused(tmp_path, wrong)
    )
    assert "tune.backbones.r20: no `r20` in this suite" in refused(
        tmp_path, text.replace("{resnet20: {bn", "{r20: {bn")
    )


def test_data_that_holds_out_already_is_refused(tmp_path: Path) -> None:
    """Tuning on what a suite already tests on would look at its test images."""
    text = SUITE.replace("test: 40}", "held_out: 0.2}")

    assert "tune.held_out: the data holds images out already" in refused(tmp_path, text)


def test_a_seed_filter_keeps_the_trials(tmp_path: Path) -> None:
    """`--filter seed=1` chooses rows' seeds; what judges the trials runs all the same."""
    plan = planned(tmp_path)
    chosen = {cell.id for cell in select(plan, "seed=1")}
    judged = {cell.id for row in plan.rows for t in row.trials for cell in t.held_out}

    assert judged <= chosen
    assert {cell.seed for cell in plan.cells if cell.id in chosen} == {1}


def test_what_is_not_tuned_yet_is_said(tmp_path: Path) -> None:
    """A row whose trials have no records is named below the table."""
    notes = rank(planned(tmp_path), []).notes

    assert "not tuned yet: ste on resnet20, 1/1, 3 of 3 held-out cells lack" in notes
