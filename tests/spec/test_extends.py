"""What a suite does not say it takes from another, from a preset, from defaults; and where."""

from pathlib import Path

import pytest

from bench.errors import SuiteError
from bench.planning import explain, planner
from bench.spec.composition import compose
from bench.spec.suite import Suite, parse

BASE = """\
# A question.
estimators:
  a: {plugin: ste, clip: 2}
  b: {plugin: reste, o_end: 4}
backbones:
  resnet20: {width: 4, train: {epochs: 29}}
data: digits
seeds: [0, 1]
baseline: a
train: {epochs: 23, batch_size: 64}
published: {source: me, acc: {a: 1, b: 2}}
"""


def suites(folder: Path, top: str, base: str = BASE) -> Path:
    """A suite and the one that it extends."""
    (folder / "base.yaml").write_text(base, encoding="utf-8")
    (folder / "top.yaml").write_text("extends: base\n" + top, encoding="utf-8")
    return folder / "top.yaml"


def loaded(path: Path, *overrides: str) -> Suite:
    suite, wrong = parse(compose(path, overrides))
    assert wrong == []
    assert suite
    return suite


def refused(path: Path) -> str:
    with pytest.raises(SuiteError) as caught:
        planner.plan(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_mappings_merge_and_all_else_is_replaced(tmp_path: Path) -> None:
    """A parameter, a list and a label of the top suite stand; the rest is the base's."""
    top = "estimators: {b: {o_end: 2}, c: ede}\nseeds: [5]\ntrain: {epochs: 7}\n"
    suite = loaded(suites(tmp_path, top))

    assert suite.estimators == {
        "a": {"plugin": "ste", "clip": 2},
        "b": {"plugin": "reste", "o_end": 2},
        "c": {"plugin": "ede"},
    }
    assert suite.seeds == [5]
    assert (suite.train.epochs, suite.train.batch_size, suite.baseline) == (7, 64, "a")


def test_data_is_chosen_not_added(tmp_path: Path) -> None:
    """One data set: naming another replaces the base's."""
    suite = loaded(suites(tmp_path, "data: {cifar10: {train: 5}}\n"))

    assert suite.data == {"cifar10": {"train": 5}}


def test_a_list_of_names_narrows(tmp_path: Path) -> None:
    """`estimators: [a]` keeps a, with what the base says of it, and what is published of it."""
    suite = loaded(suites(tmp_path, "estimators: [a]\n"))

    assert suite.estimators == {"a": {"plugin": "ste", "clip": 2}}
    assert suite.published.acc == {"a": 1}


def test_a_suite_extends_what_extends(tmp_path: Path) -> None:
    """A chain, a shipped suite by name, and no circle."""
    suites(tmp_path, "seeds: [7]\n")
    (tmp_path / "third.yaml").write_text("extends: top.yaml\ntrain: {lr: 0.5}\n")
    (tmp_path / "shipped.yaml").write_text("extends: quickstart\nseeds: 0\n")
    (tmp_path / "round.yaml").write_text("extends: round\n")
    third = loaded(tmp_path / "third.yaml")

    assert (third.seeds, third.train.lr, third.train.epochs) == ([7], 0.5, 23)
    assert loaded(tmp_path / "shipped.yaml").train.epochs == 20
    assert "`round` extends this suite" in refused(tmp_path / "round.yaml")


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    """The line that extends, and the name that is not there."""
    (tmp_path / "x.yaml").write_text("seeds: 0\nextends: tabel1\n")

    said = refused(tmp_path / "x.yaml")

    assert said.startswith("x.yaml:2:1: extends: no suite at `tabel1`; did you mean `table1`?")


def test_a_missing_base_of_a_base_is_named_with_all_that_lead_there(tmp_path: Path) -> None:
    """Each line that extends is named, from the suite that was asked for to the one that fails."""
    path = suites(tmp_path, "seeds: 0\n", f"{BASE}extends: gone\n")

    assert refused(path).startswith(
        "top.yaml:1:1: extends: base.yaml:12:1: extends: no suite at `gone`"
    )


def test_an_error_names_the_file_it_stands_in(tmp_path: Path) -> None:
    """A wrong parameter of the base is found in the base."""
    said = refused(suites(tmp_path, "seeds: 0\n", BASE.replace("o_end: 4", "o_end: 0")))

    assert said.startswith("base.yaml:4:22: estimators.b.o_end: must be greater")


def test_plugins_of_the_base_lie_beside_the_base(tmp_path: Path) -> None:
    """A folder that the base names is found from a suite elsewhere."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(
        "from bench.plugin import Surrogate\n\n\nclass Mine(Surrogate):\n"
        "    def value(self, z, _, /):\n        return z\n"
    )
    (tmp_path / "base.yaml").write_text(BASE + "plugins: own\ninclude: []\n")
    (tmp_path / "far").mkdir()
    top = tmp_path / "far" / "top.yaml"
    top.write_text("extends: ../base.yaml\nestimators: {mine: }\n")

    assert [row.label for row in planner.plan(top).rows] == ["a", "b", "mine"]


def test_backbones_carry_recipe_and_data(tmp_path: Path) -> None:
    """A net's own epochs and data go before the suite's; its rows are planned with them."""
    top = "backbones:\n  small: {plugin: resnet20, width: 2, data: {digits: {train: 99}}}\n"
    plan = planner.plan(suites(tmp_path, top))
    found = {row.backbone: (row.recipe.epochs, row.recipe.batch_size) for row in plan.rows}

    assert found == {"resnet20": (29, 64), "small": (23, 64)}
    assert {row.backbone: row.cells[0].data.params for row in plan.rows} == {
        "resnet20": {},
        "small": {"train": 99},
    }


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{train: {epochs: 0}}", "top.yaml:2:23: backbones.resnet20.train.epochs: must be greater"),
        ("{train: {epoch: 1}}", "top.yaml:2:23: backbones.resnet20.train.epoch: unknown key; did"),
        ("{train: 3}", "top.yaml:2:15: backbones.resnet20.train: must be a mapping"),
        ("{train: {warmup: 30}}", "top.yaml:2:15: backbones.resnet20.train: warmup (=30) must be"),
        ("{data: digitz}", "top.yaml:2:15: backbones.resnet20.data.digitz: no data set `digitz`"),
        ("{data: [digits, cifar10]}", "top.yaml:2:15: backbones.resnet20.data: names 2 data sets"),
    ],
)
def test_what_a_backbone_says_is_checked(tmp_path: Path, entry: str, said: str) -> None:
    """Recipe and data of a backbone are refused with their own place."""
    path = suites(tmp_path, f"backbones: {{resnet20: {entry}}}\n".replace("{", "\n {", 1))
    path.write_text(f"extends: base\nbackbones: {{resnet20: {entry}}}\n")
    place = said.replace("2:23", "2:32").replace("2:15", "2:24")

    assert any(line.startswith(place) for line in refused(path).splitlines()), refused(path)


def test_presets_fill_what_is_not_said(tmp_path: Path) -> None:
    """`reference` is the released code, `paper` the text; the suite's own values go first."""
    path = suites(tmp_path, "train: {lr: 0.3}\n")
    own, reference, paper = (loaded(path, *o) for o in ([], ["preset=reference"], ["preset=paper"]))

    assert (own.binarization.scale_at, own.equilibrium) == ("post", "paper")
    assert (reference.binarization.scale_at, reference.equilibrium) == ("pre", "code")
    assert (reference.train.lr_rule, paper.train.lr_rule) == ("reference", "clean")
    assert (reference.train.warmup, paper.train.warmup) == (5, 0)
    assert reference.train.lr == paper.train.lr == 0.3
    assert reference.estimators["a"] == paper.estimators["a"] == {"plugin": "ste", "clip": 2}
    assert [s.backbones["resnet20"]["order"] for s in (reference, paper)] == [
        "relu_bn",
        "bn_hardtanh",
    ]


def test_presets_reach_plugins_under_any_label(tmp_path: Path) -> None:
    """STE by another label, in one role, or with a matrix: eq. 1 has no clip."""
    (tmp_path / "x.yaml").write_text(
        "preset: paper\nestimators:\n  mine: ste\n  apart: {W: ste, A: {plugin: ste, gain: unit}}\n"
        "  both: {plugin: ste, matrix: {clip: [1, 2]}}\n"
        "backbones: {n: {plugin: resnet20, width: 2}}\ndata: digits\nseeds: 0\ntrain: {epochs: 1}\n"
    )
    plan = planner.plan(tmp_path / "x.yaml")
    clips = {
        row.label: [ref.params["clip"] for ref in (row.cells[0].weights, row.cells[0].activations)
                    if ref]
        for row in plan.rows
    }  # fmt: skip

    assert clips == {"mine": ["Infinity"] * 2, "apart": ["Infinity"] * 2, "both(clip=1)": [1.0] * 2,
                     "both(clip=2)": [2.0] * 2}  # fmt: skip


def test_show_suite_says_where_each_value_is_from(tmp_path: Path) -> None:
    """Top suite, base, override, preset, default: each value has one origin."""
    path = suites(tmp_path, "train: {batch_size: 32}\n")
    text = explain.describe(path, ["preset=reference", "train.lr=0.2"])
    found = {line.split()[0]: " ".join(line.split()) for line in text.splitlines() if line}

    assert found["train.batch_size"].endswith("32 top.yaml:2")
    assert found["train.epochs"].endswith("base.yaml:10")
    assert found["train.lr"].endswith("override `train.lr=0.2`")
    assert found["train.momentum"].endswith("preset reference")
    assert found["train.indicators"].endswith("default")
    assert found["estimators.b.o_end"].endswith("base.yaml:4")
    assert found["estimators.b.small_mode"].endswith("preset reference")
    assert found["backbones.resnet20.train.epochs"].endswith("29 base.yaml:6")


def test_a_gain_that_cannot_be_divided_by_is_refused(tmp_path: Path) -> None:
    """ReSTE without a plateau has a pole at 0: `gain: unit` has nothing to divide by."""
    said = refused(suites(tmp_path, "estimators: {b: {small_mode: none, gain: unit}}\n"))

    assert "estimators.b: gain: unit divides by the slope at 0, which is" in said


@pytest.mark.parametrize("data", ["null", "3", "[]", "{}"])
def test_data_that_names_nothing_is_an_error(tmp_path: Path, data: str) -> None:
    """No backbone is silently dropped, no message is empty."""
    path = suites(tmp_path, "seeds: 0\n")
    own = refused_with(path, f"backbones.resnet20.data={data}")
    shared = refused_with(path, f"data={data}")

    assert "backbones.resnet20.data: names no data sets, needs one" in own
    assert shared.startswith("override `data=")


def refused_with(path: Path, override: str) -> str:
    with pytest.raises(SuiteError) as caught:
        planner.plan(path, [override])
    return str(caught.value)


def test_a_preset_stays_below_what_both_roles_share(tmp_path: Path) -> None:
    """`{W: ste, A: ste, clip: 1.5}` keeps its clip, and a matrix its values."""
    top = (
        "estimators:\n  a: {W: ste, A: ste, clip: 1.5, plugin: ste}\n"
        "  m: {W: reste, A: reste, matrix: {t: [1.2, 2]}}\n"
    )
    base = BASE.replace("baseline: a\n", "").replace("published", "#")
    base = base.replace("  a: {plugin: ste, clip: 2}\n", "")
    plan = planner.plan(suites(tmp_path, top, base), ["preset=reference"])
    found = {r.label: r.cells[0].weights.params for r in plan.rows if r.cells[0].weights}

    assert found["a"]["clip"] == 1.5
    assert (found["m(t=1.2)"]["t"], found["m(t=2)"]["t"]) == (1.2, 2.0)


def test_narrowing_keeps_what_is_said_of_the_rest(tmp_path: Path) -> None:
    """Matrix rows, includes, excludes and baseline of the names that stay, of no others."""
    base = (
        BASE.replace("b: {plugin: reste, o_end: 4}", "b: {plugin: reste, matrix: {o_end: [2, 3]}}")
        .replace("{a: 1, b: 2}", '{a: 1, "b(o_end=2)": 2}')
        .replace("baseline: a", "baseline: a\ninclude: [{estimator: a, wa: 1/32}]")
    )
    plan = planner.plan(suites(tmp_path, "estimators: [b]\n", base))

    assert [row.label for row in plan.rows] == ["b(o_end=2)", "b(o_end=3)"]
    assert [row.claim.acc for row in plan.rows if row.claim] == [2]
    assert plan.baseline is None


def test_shipped_suites_can_be_narrowed(tmp_path: Path) -> None:
    """One network of Table 1, one estimator: no error about what was left behind."""
    for line in ("backbones: [resnet20]", "estimators: [reste]"):
        (tmp_path / "x.yaml").write_text(f"extends: table1-mini\n{line}\n")
        assert planner.plan(tmp_path / "x.yaml").rows


def test_an_override_reaches_a_nets_own_recipe(tmp_path: Path) -> None:
    """`train.epochs=25` is the last word, also where a backbone says otherwise."""
    plan = planner.plan(suites(tmp_path, "seeds: 0\n"), ["train.epochs=25"])

    assert {row.recipe.epochs for row in plan.rows} == {25}


def test_only_a_file_extends(tmp_path: Path) -> None:
    """`extends=...` on a command line would come too late; it is refused."""
    assert "only a file can extend" in refused_with(
        suites(tmp_path, "seeds: 0\n"), "extends=table1"
    )


def test_a_parameter_stands_once(tmp_path: Path) -> None:
    """A value beside a matrix of the same parameter would be ignored; it is refused."""
    said = refused(suites(tmp_path, "estimators: {b: {matrix: {o_end: [2, 3]}}}\n"))

    assert "estimators.b.o_end: stands in the matrix, too, as [2, 3]; say it once" in said


def test_a_ledger_beside_the_base_is_found(tmp_path: Path) -> None:
    """From a suite in another folder, too."""
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "mine.yaml").write_text(
        "source: x\nclaims: [{label: a, backbone: resnet20, wa: 1/1, method: A, acc: 5}]\n"
    )
    (tmp_path / "base.yaml").write_text(
        BASE.replace("{source: me, acc: {a: 1, b: 2}}", "mine"), encoding="utf-8"
    )
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "top.yaml").write_text("extends: ../base.yaml\nseeds: 0\n")
    plan = planner.plan(tmp_path / "far" / "top.yaml")

    assert [row.claim.acc for row in plan.rows if row.claim] == [5]


def test_a_number_without_a_row_is_listed(tmp_path: Path) -> None:
    """What is published for a W/A that the suite does not have is named as absent."""
    top = "published: {source: me, wa: 1/32, acc: {a: 80}}\n"
    plan = planner.plan(suites(tmp_path, top, BASE.replace("published", "#")))

    assert [(a.claim.acc, a.reason) for a in plan.absent] == [(80, "not in this suite")]
