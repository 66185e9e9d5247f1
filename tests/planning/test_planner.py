"""Suite to plan: every error at once, every combination run once or left out with its reason."""

from pathlib import Path
from typing import Any

import pytest
from small_suite import left_out, params, planned, refused, rows

from bench.errors import DataError, SuiteError
from bench.planning import planner
from bench.spec.plan import Plan

LOCAL = """
from bench.plugin import Surrogate

class Mine(Surrogate):
    formula = "f(z) = z"
    kind = "identity function"

    def value(self, z, _, /):
        return z
"""


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    """One report holds what is wrong with the suite's own fields and what plugins say."""
    path = tmp_path / "x.yaml"
    path.write_text(
        """\
estimators:
  reste: {o_end: 0.5}
  edee: {}
  mine:
    W: reste
    A: {plugin: ste, clp: 2}
  half: {W: ste}
  many: {plugin: reste, matrix: {o_end: 3}}
backbones:
  resnet20:
    width: 3
    wide: 2
data: digitz
wa: [9/9]
seeds: [0, -1]
train:
  epoch: 3
  batch_size: 1
plugin: here
"""
    )

    with pytest.raises(SuiteError) as caught:
        planner.plan(path)

    assert str(caught.value).replace(f"{path}:", "").splitlines() == [
        "2:11: estimators.reste.o_end: must be greater than or equal to 1, got 0.5",
        "3:3: estimators.edee: no `edee` in estimators; did you mean `ede`?",
        "6:22: estimators.mine.A.clp: unknown key; did you mean `clip`?",
        "7:3: estimators.half: needs both W and A, each a plugin's name or a mapping with "
        "`plugin:`",
        "8:25: estimators.many.matrix: must map parameters to lists of values, as in "
        "{o_end: [1, 2, 3]}",
        "11:5: backbones.resnet20.width: must be a multiple of 2, got 3",
        "12:5: backbones.resnet20.wide: unknown key; did you mean `width`?",
        "13:1: data.digitz: no data set `digitz`; did you mean `digits`?",
        "14:6: wa.0: must be `1/1`, `1/32`, `32/32`, or other bits, 8 at most, as `1/2` and "
        "`2/32`, got `9/9`",
        "15:12: seeds.1: must be greater than or equal to 0, got -1",
        "16:1: train.epochs: required, and not there",
        "17:3: train.epoch: unknown key; did you mean `epochs`?",
        "18:3: train.batch_size: must be greater than or equal to 2, got 1",
        "19:1: plugin: unknown key; did you mean `plugins`?",
    ]


def test_a_label_that_nothing_defines_is_an_error(tmp_path: Path) -> None:
    """Baseline, include, exclude and published numbers name labels of the suite, plugins' not."""
    said = refused(
        tmp_path,
        estimators="{a: ste, b: {plugin: ste, clip: 2}}",
        baseline="ste",
        include="[{estimator: c, backbone: net}, {estimator: none}]",
        exclude="[{estimator: [a, aa], reason: x}, {backbone: res, reason: y}]",
        published="{source: me, acc: {a: 1, none: 2, d: 3}}",
    )

    assert said == [
        "x.yaml:6:1: baseline: no `ste` in this suite; known: a, b",
        "x.yaml:7:12: include.0.estimator: no `c` in this suite; known: a, b, none",
        "x.yaml:7:26: include.0.backbone: no `net` in this suite; did you mean `resnet20`?",
        "x.yaml:7:42: include.1: estimator: none and wa: 32/32 go together",
        "x.yaml:8:12: exclude.0.estimator: no `aa` in this suite; did you mean `a`?",
        "x.yaml:8:45: exclude.1.backbone: no `res` in this suite; did you mean `resnet20`?",
        "x.yaml:9:46: published.acc.d: no `d` in this suite; known: a, b, none",
    ]


def test_an_error_below_a_label_is_told_once(tmp_path: Path) -> None:
    """A label whose plugin is broken is not also reported as unknown where it is used."""
    assert refused(tmp_path, estimators="{ste: {clip: 0}}", baseline="ste") == [
        "x.yaml:1:20: estimators.ste.clip: must be greater than 0, got 0"
    ]


@pytest.mark.parametrize("axis", ["estimators", "backbones"])
def test_an_axis_without_entries_is_an_error(tmp_path: Path, axis: str) -> None:
    """An empty mapping is answered with where to find names."""
    (line,) = refused(tmp_path, **{axis: "{}"})

    assert line.endswith(f": {axis}: names none; `bench list {axis}` has some")


def test_a_plan_has_one_data_set(tmp_path: Path) -> None:
    """Two data sets are two suites."""
    assert refused(tmp_path, data="[digits, cifar10]") == [
        "x.yaml:3:1: data: names 2 data sets, needs one"
    ]


def test_more_images_than_there_are_is_an_error(tmp_path: Path) -> None:
    """A data set is never silently smaller than asked for."""
    with pytest.raises(DataError) as caught:
        planned(tmp_path, data="{digits: {train: 5000}}")

    assert str(caught.value) == "asked for the first 5000 images of a split that has 1442"


def test_a_last_batch_of_one_is_an_error(tmp_path: Path) -> None:
    """A batch size that leaves one image over is refused at its line, before training does so."""
    assert refused(tmp_path, train="{epochs: 2, batch_size: 131}") == [
        "x.yaml:5:20: train.batch_size: 1442 training images leave a last batch of 1, which "
        "BatchNorm cannot normalize; choose another size"
    ]


def test_one_plugin_may_have_two_labels(tmp_path: Path) -> None:
    """A label is the suite's own word, so one plugin can be compared with itself."""
    plan = planned(tmp_path, estimators="{narrow: ste, wide: {plugin: ste, clip: 2}}")

    assert rows(plan) == ["narrow 1/1 default", "wide 1/1 default"]
    assert params(plan) == [{"gain": "raw", "clip": 1.0}, {"gain": "raw", "clip": 2.0}]
    assert {row.cells[0].weights.name for row in plan.rows if row.cells[0].weights} == {"ste"}


def test_weights_and_activations_may_differ(tmp_path: Path) -> None:
    """Each role has its own plugin, by name or with parameters, over what both share."""
    plan = planned(
        tmp_path,
        estimators="{a: {W: reste, A: ste}, b: {plugin: reste, m: 0.2, W: {o_end: 2}, A: {t: 2}}}",
    )
    shared: dict[str, Any] = {
        "gain": "raw", "m": 0.2, "small_mode": "secant", "schedule": "cosine",
    }  # fmt: skip

    assert [list(row.roles) for row in plan.rows] == [["W", "A"], ["W", "A"]]
    assert [row.roles["A"].plugin for row in plan.rows] == ["ste", "reste"]
    assert params(plan)[1] == shared | {"o_end": 2.0, "t": 1.5}
    assert params(plan, "activations")[1] == shared | {"o_end": 3.0, "t": 2.0}


def test_an_exclude_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    """A backbone's name that its matrix has replaced by labels excludes nothing, so it is told."""
    (line,) = refused(
        tmp_path,
        backbones="{resnet20: {matrix: {width: [2, 4]}}}",
        exclude="[{backbone: resnet20, reason: x}]",
    )

    assert line.startswith("x.yaml:6:12: exclude.0.backbone: no `resnet20` in this suite")


@pytest.mark.parametrize(
    ("written", "seeds"), [("0..2", [0, 1, 2]), ("[3]", [3]), ("[0, 1]", [0, 1]), ("[5, 5]", [5])]
)
def test_a_row_has_a_cell_per_seed(tmp_path: Path, written: str, seeds: list[int]) -> None:
    """A seed makes one cell, though it is named twice."""
    (row,) = planned(tmp_path, seeds=written).rows

    assert [cell.seed for cell in row.cells] == seeds


def test_seeds_are_outermost(tmp_path: Path) -> None:
    """All rows meet their first seed before any meets its second, so that a table fills evenly."""
    plan = planned(tmp_path, estimators="[ste, reste]", seeds="[4, 2]")
    names = [(cell.seed, cell.weights and cell.weights.name) for cell in plan.cells]

    assert names == [(4, "ste"), (4, "reste"), (2, "ste"), (2, "reste")]


def test_include_adds_to_the_product(tmp_path: Path) -> None:
    """Full precision, and a width or schedule of one estimator, join without their products."""
    plan = planned(
        tmp_path,
        estimators="[ste, reste]",
        seeds="0..1",
        include="[{estimator: none, wa: 32/32, seeds: [7]}, "
        "{estimator: reste, wa: 1/32, schedule: linear}]",
    )
    real, extra = plan.rows[2:]

    assert rows(plan)[:2] == ["ste 1/1 default", "reste 1/1 default"]
    assert (real.label, real.wa, real.roles, [c.seed for c in real.cells]) == (
        "none",
        "32/32",
        {},
        [7],
    )
    assert (extra.label, extra.wa, extra.schedule, len(extra.cells)) == (
        "reste",
        "1/32",
        "linear",
        2,
    )
    assert extra.cells[0].activations is None


def test_include_of_what_is_there_runs_once(tmp_path: Path) -> None:
    """A combination that the product has already is left out, and says whose cells it repeats."""
    plan = planned(tmp_path, include="[{estimator: ste}]")

    assert rows(plan) == ["ste 1/1 default"]
    assert left_out(plan) == {
        "ste x resnet20 x 1/1 x default": "the same cells as ste x default; they run once"
    }


def test_full_precision_has_no_estimator(tmp_path: Path) -> None:
    """An estimator included over an axis with 32/32 makes no row there, whatever its seeds."""
    plan = planned(tmp_path, wa="[1/1, 32/32]", include="[{estimator: ste, seeds: [5]}]")

    assert [row.label for row in plan.rows if row.wa == "32/32"] == ["none"]


def test_exclude_leaves_out_what_matches_every_field(tmp_path: Path) -> None:
    """A rule needs all its fields to match, one word of each, and its reason is kept."""
    plan = planned(
        tmp_path,
        estimators="[ste, reste, rbnn]",
        wa="[1/1, 1/32]",
        exclude="[{estimator: [none, r*], wa: 1/32, reason: not now}, "
        "{estimator: rbnn, reason: never}]",
    )

    assert rows(plan) == ["ste 1/1 default", "reste 1/1 default", "ste 1/32 default"]
    assert left_out(plan) == {
        "rbnn x resnet20 x 1/1 x default": "never",
        "reste x resnet20 x 1/32 x default": "not now",
        "rbnn x resnet20 x 1/32 x default": "not now",
    }


def test_a_suite_with_everything_left_out_is_an_error(tmp_path: Path) -> None:
    """A plan without a row tells the reason of the first combination."""
    assert refused(tmp_path, exclude="[{estimator: ste, reason: tired}]") == [
        "x.yaml: every combination is left out: tired"
    ]


def test_a_knobless_estimator_runs_once_per_axis_of_schedules(tmp_path: Path) -> None:
    """What has no scheduled knob is not trained again for another schedule."""
    plan = planned(tmp_path, estimators="[ste, reste]", schedules="[linear, exp]")

    assert rows(plan) == ["ste 1/1 default", "reste 1/1 linear", "reste 1/1 exp"]
    assert left_out(plan) == {
        "ste x resnet20 x 1/1 x exp": "ste has no scheduled knob; it runs once, not once per "
        "schedule"
    }


def test_a_knobless_estimator_runs_under_the_first_schedule_left(tmp_path: Path) -> None:
    """Excluding the first schedule of the axis does not exclude what ignores schedules."""
    plan = planned(
        tmp_path,
        estimators="[ste, ede]",
        schedules="[linear, exp, power]",
        exclude="[{schedule: linear, reason: no}]",
    )

    assert rows(plan) == ["ste 1/1 default", "ede 1/1 exp", "ede 1/1 power"]


def test_an_entry_that_names_its_schedule_keeps_it(tmp_path: Path) -> None:
    """The axis of schedules does not change a schedule that an entry gives."""
    plan = planned(tmp_path, estimators="{ede: {schedule: linear}}", schedules="[default, cosine]")

    assert params(plan)[0]["schedule"] == "linear"
    assert left_out(plan) == {
        "ede x resnet20 x 1/1 x cosine": "ede names its own schedule; it runs once"
    }


def test_the_default_schedule_by_its_name_runs_once(tmp_path: Path) -> None:
    """A schedule that is the estimator's default makes the same cells, which are not repeated."""
    plan = planned(tmp_path, estimators="[ede]", schedules="[default, exp]")

    assert rows(plan) == ["ede 1/1 default"]
    assert left_out(plan) == {
        "ede x resnet20 x 1/1 x exp": "the same cells as ede x default; they run once"
    }


def test_a_knob_that_cannot_follow_a_schedule_is_left_out(tmp_path: Path) -> None:
    """FDA from no terms at all has no exponential path, and the plan says so."""
    plan = planned(tmp_path, estimators="{fda: {n_start: 0}}", schedules="[default, exp]")

    assert rows(plan) == ["fda 1/1 default"]
    assert left_out(plan) == {
        "fda x resnet20 x 1/1 x exp": "fda's knob cannot follow exp: division by zero"
    }


def test_an_entrys_own_schedule_must_be_possible(tmp_path: Path) -> None:
    """A schedule that the entry itself gives is held against its knob, too."""
    plan = planned(tmp_path, estimators="{ste: , fda: {n_start: 0, schedule: exp}}")

    assert rows(plan) == ["ste 1/1 default"]
    assert left_out(plan) == {
        "fda x resnet20 x 1/1 x default": "fda's knob cannot follow exp: division by zero"
    }


def test_a_knob_has_a_number_at_every_moment(tmp_path: Path) -> None:
    """A knob that starts at nan because it would end at infinity is refused."""
    (line,) = refused(tmp_path, estimators="{reste: {o_end: .inf}}")

    assert "reste" in line


def test_32_32_runs_once_per_backbone(tmp_path: Path) -> None:
    """On the axis of widths full precision is one row, not one per estimator and schedule."""
    plan = planned(
        tmp_path,
        estimators="[ste, reste]",
        backbones="{small: {plugin: resnet20, width: 2}, resnet20: }",
        wa="[1/1, 32/32]",
        schedules="[default, linear]",
    )
    reasons = {c: r for c, r in left_out(plan).items() if "32/32" in c}

    assert [(r.label, r.backbone) for r in plan.rows if r.wa == "32/32"] == [
        ("none", "small"),
        ("none", "resnet20"),
    ]
    assert len(reasons) == 8
    assert set(reasons.values()) == {"32/32 binarizes nothing; it runs once, in full precision"}


def test_full_precision_that_is_left_out_is_called_by_its_name(tmp_path: Path) -> None:
    """As rows call it, not `none` as suites do."""
    plan = planned(
        tmp_path,
        estimators="[ste]",
        wa="[1/1, 32/32]",
        exclude="[{estimator: none, reason: no time}]",
    )

    assert left_out(plan)["full precision x resnet20 x 32/32 x default"] == "no time"


def test_a_cell_depends_on_no_label_or_comment(tmp_path: Path) -> None:
    """Ids hash what is trained: not its name in a suite, the order there, or how it is written."""
    path = tmp_path / "y.yaml"
    path.write_text(
        """\
# The same two cells, and a third.
train: {batch_size: 0x40, epochs: 2, lr: 1.0e-1}  # lr is the default
data: {digits: {}}
seeds: [1, 0]
backbones: {net: {plugin: resnet20, width: 2}}
estimators:
  power: {plugin: reste, o_end: 3.0, schedule: cosine}
  straight: {plugin: ste, clip: 1}
baseline: straight
exclude: [{estimator: power, wa: 1/32, reason: none}]
"""
    )
    mine = {cell.id for cell in planned(tmp_path, estimators="[ste, reste]").cells}
    other = {cell.id for cell in planner.plan(path).cells}

    assert len(mine) == 2
    assert len(other) == 4
    assert mine < other


@pytest.mark.parametrize(
    "override",
    [
        "seeds=1",
        "train.epochs=3",
        "train.lr=0.2",
        "data={digits: {train: 128}}",
        "backbones.resnet20.width=4",
        "estimators={ste: {clip: 2}}",
        "binarization.scale=none",
        "wa=1/32",
    ],
)
def test_a_cell_depends_on_all_that_trains_it(tmp_path: Path, override: str) -> None:
    """Whatever changes the numbers changes the id."""
    (before,) = planned(tmp_path).cells
    (after,) = planned(tmp_path, override).cells

    assert before.id != after.id


def test_a_plan_survives_json(tmp_path: Path) -> None:
    """A plan read back from its file is the same plan, infinite parameters included."""
    plan = planned(
        tmp_path,
        "seeds=0..1",
        estimators="{ste: {clip: .inf}, dsq: , ede: , fda: , rbnn: , reste: , a: {W: ste, A: ede}}",
        wa="[1/1, 1/32, 32/32]",
        schedules="[default, linear]",
        train="{epochs: 2, batch_size: 64, histograms: [1, 0, 1]}",
        published="{source: me, acc: {ste: 84.44}}",
    )
    again = Plan.model_validate_json(plan.model_dump_json())

    assert again == plan
    assert [cell.id for cell in again.cells] == [cell.id for cell in plan.cells]


def test_published_numbers_are_numbers(tmp_path: Path) -> None:
    """A published accuracy that is no number could not be read back, and is refused."""
    (line,) = refused(tmp_path, published="{source: me, acc: {ste: .nan}}")

    assert line.startswith("x.yaml:6:31: published.acc.ste: must be ")


def test_a_plan_says_what_it_resolves(tmp_path: Path) -> None:
    """Name, overrides, baseline, data and published numbers are the suite's."""
    plan = planned(
        tmp_path,
        "train.epochs=3",
        baseline="ste",
        published="{source: me, acc: {ste: 84.44, none: 91}}",
    )

    assert (plan.suite, plan.overrides, plan.baseline) == (
        "x@train.epochs=3",
        ["train.epochs=3"],
        "ste",
    )
    assert {(row.data, row.recipe.epochs) for row in plan.rows} == {("digits (8x8)", 3)}
    assert [(row.claim.acc, row.claim.source) for row in plan.rows if row.claim] == [(84.44, "me")]


def test_the_shipped_suite_is_table_3() -> None:
    """The quickstart compares six estimators and full precision, five seeds each."""
    plan = planner.plan(Path("quickstart"))

    assert [row.label for row in plan.rows] == [
        "ste",
        "dsq",
        "ede",
        "fda",
        "rbnn",
        "reste",
        "none",
    ]
    assert len(plan.cells) == 35
    assert plan.left_out == []


@pytest.mark.parametrize(
    "lines",
    [
        {"include": '[{estimator: "s*", wa: 1/32}]'},
        {"baseline": '"s*"'},
        {"published": '{source: me, acc: {"s*": 1}}'},
    ],
    ids=["include", "baseline", "published"],
)
def test_only_exclude_knows_wildcards(tmp_path: Path, lines: dict[str, str]) -> None:
    """What must name one label is not met by a pattern that some label matches."""
    (line,) = refused(tmp_path, **lines)

    assert ": no `s*` in this suite" in line


def test_a_label_may_hold_any_sign(tmp_path: Path) -> None:
    """A label is found by itself, though a pattern would read its signs otherwise."""
    plan = planned(
        tmp_path,
        estimators='{"a[1]": ste, "b[1]": {plugin: ste, clip: 2}}',
        baseline='"a[1]"',
        exclude='[{estimator: "b[1]", reason: x}]',
    )

    assert (plan.baseline, rows(plan)) == ("a[1]", ["a[1] 1/1 default"])


def test_none_is_no_label(tmp_path: Path) -> None:
    """The word for full precision cannot be an estimator's label."""
    (line,) = refused(tmp_path, estimators="{none: {plugin: ste}}")

    assert line.startswith("x.yaml:1:14: estimators.none: ")


@pytest.mark.parametrize("folder", ["nowhere", "a" * 300], ids=["none", "long"])
def test_a_plugin_folder_must_be_there(tmp_path: Path, folder: str) -> None:
    """A folder of plugins that does not exist is an error where it is named."""
    (line,) = refused(tmp_path, plugins=folder)

    assert line.startswith("x.yaml:6:1: plugins: no folder `")


def test_a_suite_brings_its_plugins(tmp_path: Path) -> None:
    """A suite's folders are looked up beside the suite, and parameters there are checked alike."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.py").write_text(LOCAL)
    plan = planned(tmp_path, estimators="[mine, ste]", plugins="here")

    assert rows(plan) == ["mine 1/1 default", "ste 1/1 default"]
    assert refused(tmp_path, estimators="{mine: {x: 1}}", plugins="[here]") == [
        "x.yaml:1:21: estimators.mine.x: unknown key; known: gain"
    ]


def test_a_formula_is_not_owed(tmp_path: Path) -> None:
    """An estimator that prints neither formula nor kind is planned and judged like any other."""
    (tmp_path / "mine.py").write_text(LOCAL.replace("formula =", "#").replace("kind =", "#"))
    (mine,) = planned(tmp_path, estimators="[mine]", plugins=".").rows

    assert (mine.roles["W"].formula, mine.roles["W"].kind) == ("", "")
    assert mine.roles["W"].printed is not None


def test_a_parameter_may_be_a_list(tmp_path: Path) -> None:
    """A plugin with a list among its parameters is planned and judged like any other."""
    text = LOCAL.replace("kind =", "levels: list[float] = [1.0]\n    kind =")
    (tmp_path / "mine.py").write_text(text)
    (mine,) = planned(tmp_path, estimators="[mine]", plugins=".").rows

    assert mine.roles["W"].printed is not None


def test_a_broken_f_costs_its_own_verdicts(tmp_path: Path) -> None:
    """An f that cannot be judged is planned without a verdict, and the others keep theirs."""
    (tmp_path / "mine.py").write_text(LOCAL.replace("return z", "raise RuntimeError('boom')"))
    mine, ste = planned(tmp_path, estimators="[mine, ste]", plugins=".").rows

    assert mine.roles["W"].printed is None
    assert mine.roles["W"].trained is None
    assert ste.roles["W"].printed is not None


def test_published_numbers_stand_where_they_belong(tmp_path: Path) -> None:
    """A number printed for W/A 1/1 and the default schedule stands beside no other row."""
    plan = planned(
        tmp_path,
        estimators="[reste]",
        wa="[1/1, 1/32]",
        schedules="[default, linear]",
        include="[{estimator: none, wa: 32/32}]",
        published="{source: x, acc: {reste: 86.75, none: 91.7}}",
    )

    assert {(r.wa, r.schedule): r.claim and r.claim.acc for r in plan.rows} == {
        ("1/1", "default"): 86.75,
        ("1/1", "linear"): None,
        ("1/32", "default"): None,
        ("1/32", "linear"): None,
        ("32/32", "default"): 91.7,
    }


def test_further_seeds_join_their_row(tmp_path: Path) -> None:
    """`include` with more seeds of a label makes its row longer, not a second row."""
    plan = planned(tmp_path, estimators="[ste]", include="[{estimator: ste, seeds: 0..3}]")

    (row,) = plan.rows
    assert [cell.seed for cell in row.cells] == [0, 1, 2, 3]


def test_a_wrong_part_does_not_hide_wrong_labels(tmp_path: Path) -> None:
    """A mistake in `train` and one in `baseline` are reported together."""
    lines = refused(tmp_path, estimators="[ste]", baseline="stee", train="{epoch: 3}")

    assert any("baseline: no `stee` in this suite" in line for line in lines)
    assert any("train.epoch: unknown key" in line for line in lines)
