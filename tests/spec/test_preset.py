"""Presets: files are the list; what they say of an estimator's entry and of a suite."""

from pathlib import Path
from typing import Any

import pytest

from bench.base.yaml_document import parse
from bench.errors import SuiteError
from bench.planning import explain, planner
from bench.planning.resolved_suite import ResolvedSuite, resolve
from bench.spec import preset
from bench.spec.composition import compose
from bench.spec.preset import preset_names

SUITE = """\
estimators:
  ste:
  mine: {plugin: reste, preset: as_it}
  deep: {plugin: reste, preset: as_it, o_end: 2, train: {epochs: 8}, structure: {net: {width: 8}}}
backbones:
  net: {plugin: resnet20, width: 4, order: relu_bn}
  vgg_small: {width: 2, image: 8, train: {lr: 0.2}}
data: digits
seeds: 0
train: {epochs: 3, batch_size: 64, lr_rule: step, lr_steps: [1, 2], weight_decay: 0.001}
"""
IT = """\
train: {epochs: 6, lr_rule: clean, warmup: 2}
binarization: {scale: channel}
estimators: {reste: {o_end: 5, t: 2.5}}
backbones: {resnet20: {order: bn_hardtanh, bireal: true}}
data: {digits: {train: 1}}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of presets with `as_it` in it."""
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "as_it.yaml").write_text(IT)
    monkeypatch.setattr(preset, "_home", lambda: tmp_path / "presets")
    return tmp_path


def resolved(folder: Path, *overrides: str, text: str = SUITE) -> ResolvedSuite:
    (folder / "x.yaml").write_text(text)
    return resolve(folder / "x.yaml", overrides)


def settings(found: ResolvedSuite, estimator: str, backbone: str = "net") -> dict[str, Any]:
    """The recipe and the parameters of a backbone in the rows of an estimator."""
    config = found.axes.network(estimator, backbone)
    return dict(config.recipe) | dict(config.plugin)


def test_an_entry_trains_as_its_preset_says(home: Path) -> None:
    """Its own words go before the preset, the preset before the suite; others are the suite's."""
    found = resolved(home)
    ste, mine, deep = (settings(found, label) for label in ("ste", "mine", "deep"))

    assert [x["epochs"] for x in (ste, mine, deep)] == [3, 6, 8]
    assert [x["order"] for x in (ste, mine, deep)] == ["relu_bn", "bn_hardtanh", "bn_hardtanh"]
    assert [x["width"] for x in (ste, mine, deep)] == [4, 4, 8]
    assert [x["weight_decay"] for x in (ste, mine, deep)] == [0.001] * 3
    assert [found.axes.estimators[x]["W"].plugin.o_end for x in ("mine", "deep")] == [5, 2]
    assert [found.axes.estimators[x]["A"].plugin.t for x in ("mine", "deep")] == [2.5, 2.5]
    assert found.suite.binarization.scale == "layer"
    assert found.suite.data == {"digits": {}}


def test_a_rule_of_rates_takes_no_steps_of_another(home: Path) -> None:
    """The suite's `lr_steps` are of its own rule."""
    found = resolved(home)

    assert [settings(found, x)["lr_rule"] for x in ("ste", "mine")] == ["step", "clean"]
    assert [settings(found, x)["lr_steps"] for x in ("ste", "mine")] == [(1, 2), ()]


def test_a_backbone_s_own_recipe_lies_below(home: Path) -> None:
    """What the entry does not say is the backbone's, then the suite's."""
    vgg = settings(resolved(home), "mine", "vgg_small")

    assert (vgg["lr"], vgg["epochs"], vgg["weight_decay"]) == (0.2, 6, 0.001)
    assert vgg["order"] == "relu_bn"


def test_an_override_of_the_recipe_goes_before_all(home: Path) -> None:
    """Of the suite's `train`, as before what backbones say; of the entry's, for it alone."""
    short = resolved(home, "train.epochs=4", "train.lr=0.3")
    one = resolved(home, "estimators.mine.train.epochs=5")

    assert [settings(short, x)["epochs"] for x in ("ste", "mine", "deep")] == [4, 4, 4]
    assert settings(short, "mine", "vgg_small")["lr"] == 0.3
    assert settings(short, "mine")["warmup"] == 2
    assert [settings(one, x)["epochs"] for x in ("ste", "mine", "deep")] == [3, 5, 8]


def test_a_network_may_have_a_recipe_of_its_own(home: Path) -> None:
    """In a preset it goes before the preset's; what an entry or an override says before both."""
    (home / "presets" / "as_it.yaml").write_text(
        "train: {epochs: 6, lr: 0.4, lr_rule: clean}\n"
        "backbones: {vgg_small: {order: bn_relu,"
        " train: {epochs: 7, lr_rule: step, lr_steps: 5, warmup: 1}}}\n"
    )
    found = resolved(home)
    net, vgg, deep = (
        settings(found, *x) for x in (("mine", "net"), ("mine", "vgg_small"), ("deep", "vgg_small"))
    )
    short = settings(resolved(home, "train.epochs=6"), "mine", "vgg_small")
    alone = "estimators.mine.structure.vgg_small.train.epochs=9"

    assert [x["epochs"] for x in (net, vgg, deep, short)] == [6, 7, 8, 6]
    assert (vgg["lr"], vgg["lr_rule"], vgg["lr_steps"]) == (0.4, "step", (5,))
    assert (net["lr_rule"], net["lr_steps"], vgg["order"]) == ("clean", (), "bn_relu")
    assert settings(resolved(home, alone), "mine", "vgg_small")["epochs"] == 9
    assert settings(resolved(home, alone, "train.epochs=6"), "mine", "vgg_small")["epochs"] == 6
    text = "preset: as_it\nestimators: ste\nbackbones: vgg_small\ndata: digits\nseeds: 0\n"
    (home / "x.yaml").write_text(text + "train: {epochs: 3, lr_rule: linear}\n")
    (config,) = resolve(home / "x.yaml").axes.backbones.values()
    recipe = config.recipe
    assert (recipe.epochs, recipe.lr_rule, recipe.lr, recipe.warmup) == (3, "linear", 0.4, 1)
    shown = explain.describe(home / "x.yaml", ["estimators={ste: {preset: as_it}}"])
    assert "estimators.ste.structure.vgg_small.train.warmup" in shown


def test_an_override_of_the_rule_drops_the_preset_s_steps(home: Path) -> None:
    """Or the recipe would contradict itself."""
    (home / "presets" / "as_it.yaml").write_text("train: {lr_rule: step, lr_steps: [1, 2]}\n")
    found = resolved(home, "train.lr_rule=clean", "train.lr_steps=[]")

    assert settings(found, "mine")["lr_steps"] == ()


def test_a_twin_trains_the_same_in_less_time(home: Path) -> None:
    """A suite that extends another changes the epochs of an entry and keeps its preset."""
    resolved(home)
    (home / "y.yaml").write_text("extends: x\nestimators: {mine: {train: {epochs: 4}}}\n")
    mine = settings(resolve(home / "y.yaml"), "mine")

    assert (mine["epochs"], mine["order"], mine["warmup"]) == (4, "bn_hardtanh", 2)


def test_roles_matrices_and_lists(home: Path) -> None:
    """A preset is of every label that an entry makes, and of a plugin in one role."""
    text = SUITE.replace(
        "  deep:", "  both: {W: reste, A: ste, preset: as_it}\n"
        "  many: {plugin: reste, preset: as_it, matrix: {t: [1, 2]}}\n  deep:",
    )  # fmt: skip
    found = resolved(home, text=text)
    roles = found.axes.estimators

    assert settings(found, "many(t=1)")["order"] == settings(found, "both")["order"]
    assert [roles[f"many(t={t})"]["W"].plugin.o_end for t in (1, 2)] == [5, 5]
    assert [roles[f"many(t={t})"]["W"].plugin.t for t in (1, 2)] == [1, 2]
    assert roles["both"]["W"].plugin.o_end == 5


def test_rows_say_in_what_they_differ(home: Path) -> None:
    """Cells have the structure and the recipe; the row knows the suite's."""
    (home / "x.yaml").write_text(SUITE)
    rows = {(r.label, r.backbone): r for r in planner.plan(home / "x.yaml").rows}
    mine = rows["mine", "net"]

    assert rows["ste", "net"].usual is None
    assert rows["ste", "net"].differences == []
    assert mine.recipe.epochs == 6
    assert mine.cells[0].backbone.params["bireal"] is True
    assert mine.differences == [
        "order bn_hardtanh, suite relu_bn", "bireal True, suite False", "epochs 6, suite 3",
        "warmup 2, suite 0", "lr_rule clean, suite step", "lr_steps none, suite 1 2",
    ]  # fmt: skip
    assert mine.as_usual().cells[0].recipe == rows["ste", "net"].recipe
    assert mine.as_usual().net == rows["ste", "net"].net


def test_show_suite_tells_where_it_is_from(home: Path) -> None:
    """The preset, the file that goes before it, the parameters of networks by label."""
    (home / "x.yaml").write_text(SUITE)
    lines = [line.split() for line in explain.describe(home / "x.yaml", []).splitlines() if line]
    told = {words[0]: " ".join(words[1:]) for words in lines}

    assert told["estimators.mine.preset"] == "as_it x.yaml:3"
    assert told["estimators.mine.o_end"] == "5 preset as_it"
    assert told["estimators.deep.o_end"] == "2 x.yaml:4"
    assert told["estimators.mine.train.epochs"] == "6 preset as_it"
    assert told["estimators.deep.train.epochs"] == "8 x.yaml:4"
    assert told["estimators.mine.structure.net.order"] == "bn_hardtanh preset as_it"
    assert told["estimators.deep.structure.net.width"] == "8 x.yaml:4"
    assert "estimators.ste.train.epochs" not in told


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("preset=as_its", "no preset `as_its`; did you mean `as_it`?"),
        ("estimators.mine.preset=it", "no preset `it`; did you mean `as_it`?"),
        ("estimators.mine.preset=[1]", "no preset `[1]`; known: as_it"),
        ("estimators.mine.train=3", "must be a mapping, as the suite's train is"),
        ("estimators.mine.train.epoch=3", "unknown key; did you mean `epochs`?"),
        ("estimators.mine.train.warmup=9", "warmup (=9) must be at most epochs (=6)"),
        ("estimators.mine.structure=3",
         "must map backbones to parameters, as in {resnet20: {order: bn_hardtanh}}"),
        ("estimators.mine.structure.nets.width=2", "no backbone `nets` here; did you mean `net`?"),
        ("estimators.mine.structure.net.train=2", "must be a mapping, as the suite's train is"),
        ("estimators.mine.structure.net.train.lr=-1", "must be greater than 0, got -1"),
        ("estimators.mine.structure.net.wide=2", "unknown key; did you mean `width`?"),
        ("estimators.mine.structure.net.width=3", "must be a multiple of 2, got 3"),
    ],
)  # fmt: skip
def test_errors_say_what_and_where(home: Path, override: str, message: str) -> None:
    """One line each, at the override that says it."""
    with pytest.raises(SuiteError) as caught:
        resolved(home, override)
    (line,) = str(caught.value).splitlines()

    assert line.startswith(f"override `{override}`: {override.partition('=')[0][:16]}")
    assert line.endswith(f": {message}")


def test_a_recipe_that_fits_no_other_backbone_is_told_where_it_runs(home: Path) -> None:
    """On a backbone of few epochs late steps are an error, unless that row is left out."""
    (home / "presets" / "as_it.yaml").write_text("train: {lr_rule: step, lr_steps: 4}\n")
    text = SUITE.replace("train: {lr: 0.2}", "train: {epochs: 9}") + "wa: 1/1\n"
    text = text.replace("  deep:", "  other:").replace("train: {epochs: 8}, ", "")
    out = "exclude: [{estimator: [mine, other], backbone: net, reason: short}]\n"
    (home / "x.yaml").write_text(text)
    (home / "y.yaml").write_text(text + out)
    resolve(home / "x.yaml")

    assert len(planner.plan(home / "y.yaml").rows) == 4
    with pytest.raises(SuiteError, match=r"mine.train: lr_steps names epoch 4, epochs run"):
        planner.plan(home / "x.yaml")


def test_a_narrower_twin_drops_structures_of_what_it_drops(home: Path) -> None:
    """A list of backbones chooses, also of what estimators say of them."""
    both = "structure: {net: {width: 8}, vgg_small: {width: 1}}"
    text = SUITE.replace("structure: {net: {width: 8}}", both)
    (home / "x.yaml").write_text(text)
    (home / "y.yaml").write_text("extends: x\nbackbones: [net]\n")

    assert settings(resolve(home / "y.yaml"), "deep")["width"] == 8


@pytest.mark.parametrize("content", ["", "3", "train: 3", "backbones: {resnet20: 3}", "data: x"])
def test_a_damaged_file_is_named(home: Path, content: str) -> None:
    """Whatever it holds, one line names it, for a suite as for an estimator."""
    (home / "presets" / "as_it.yaml").write_text(content)
    for text in (SUITE, SUITE.replace("preset: as_it, ", "") + "preset: as_it\n"):
        with pytest.raises(SuiteError, match=r"as_it.yaml: damaged; install signbench again"):
            resolved(home, text=text)


def test_the_names_are_those_of_files(home: Path) -> None:
    """A file more is a preset more; the suite's error knows it, too."""
    (home / "presets" / "as_that.yaml").write_text("train: {epochs: 1}\n")

    assert preset_names() == ["as_it", "as_that"]


def test_a_suite_s_preset_fills_what_is_not_said(home: Path) -> None:
    """As the lowest layer: the suite's rule of rates drops the steps of the preset's."""
    (home / "presets" / "as_it.yaml").write_text(
        "train: {lr_rule: step, lr_steps: [7], epochs: 9, lr: 0.5}\n"
        "backbones: {resnet20: {order: bn_prelu}}\n"
    )
    text = "preset: as_it\nestimators: ste\nbackbones: resnet20\ndata: digits\nseeds: 0\n"
    (home / "x.yaml").write_text(text + "train: {lr_rule: clean}\n")
    data = compose(home / "x.yaml").data

    assert data["train"] == {"epochs": 9, "lr": 0.5, "lr_rule": "clean"}
    assert data["backbones"] == {"resnet20": {"order": "bn_prelu"}}
    assert parse(text, "x").data["preset"] == "as_it"
