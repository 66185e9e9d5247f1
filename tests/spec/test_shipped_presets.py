"""Every shipped preset, as a suite's and as an estimator's: networks are built, recipes arrive."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.base.yaml_document import read
from bench.nn.macs import skeleton
from bench.planning import planner
from bench.planning.resolved_suite import resolve
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Recipe
from bench.spec.preset import preset_names
from bench.spec.suite_file import SHIPPED

RELEASES = [name for name in preset_names() if name.startswith("as_")]
SUITE = """\
estimators: {{ {estimators} }}
backbones: [{backbones}]
data: cifar10
wa: [1/1, 1/2, 1/32]
seeds: 0
train: {{epochs: {epochs}, batch_size: 96, lr_rule: linear, lr_end: 0.01}}
"""


def said(name: str) -> dict[str, Any]:
    return read(SHIPPED / "presets" / f"{name}.yaml").data


def written(folder: Path, name: str, entry: str, epochs: int = 700) -> Path:
    """A suite of what the preset speaks of, each estimator with this entry."""
    preset = said(name)
    estimators = ", ".join(f"{x}: {entry}" for x in preset.get("estimators", {"ste": {}}))
    backbones = ", ".join(preset["backbones"])
    path = folder / "x.yaml"
    path.write_text(SUITE.format(estimators=estimators, backbones=backbones, epochs=epochs))
    return path


def test_the_shipped_presets() -> None:
    """The lists of methods and of networks are not empty, and no preset speaks of a stranger."""
    assert {"paper", "reference"} < set(preset_names())
    assert len(RELEASES) > 20
    for name in RELEASES:
        assert said(name).keys() <= {"train", "backbones", "estimators", "data"}
        assert said(name)["backbones"].keys() <= set(BACKBONES.names())
        assert said(name).get("estimators", {}).keys() <= set(ESTIMATORS.names())


@pytest.mark.parametrize("name", RELEASES)
def test_an_estimator_trains_as_it_is_published(tmp_path: Path, name: str) -> None:
    """Its cells have all that the preset says of recipe and structure, and the network is built."""
    found = resolve(written(tmp_path, name, f"{{preset: {name}}}"))
    preset = said(name)
    label = next(iter(found.axes.estimators))
    for backbone, values in preset["backbones"].items():
        config = found.axes.network(label, backbone)
        parameters = {k: v for k, v in values.items() if k != "train"}
        train = preset.get("train", {}) | values.get("train", {})
        whole = Recipe.model_validate({"epochs": 700} | train)

        assert parameters.items() <= dict(config.plugin).items()
        assert [getattr(config.recipe, k) for k in train] == [getattr(whole, k) for k in train]
        with torch.device("meta"):
            assert skeleton(config.plugin.model_copy(update={"width": 4}), config.plugin.native)
    for estimator, values in preset.get("estimators", {}).items():
        assert values.items() <= dict(found.axes.estimators[estimator]["W"].plugin).items()


@pytest.mark.parametrize("name", ["as_ir_net", "as_hwgq", "as_bnn", "as_reactnet"])
def test_a_suite_is_as_it_is_published(tmp_path: Path, name: str) -> None:
    """The same as the lowest layer of a suite: what that says itself goes first."""
    text = written(tmp_path, name, "").read_text()
    (tmp_path / "x.yaml").write_text(f"preset: {name}\n" + text)
    found = resolve(tmp_path / "x.yaml")
    preset = said(name)
    for backbone, values in preset["backbones"].items():
        config = found.axes.backbones[backbone]
        recipe = config.recipe
        parameters = {k: v for k, v in values.items() if k != "train"}

        assert parameters.items() <= dict(config.plugin).items()
        assert (recipe.epochs, recipe.batch_size, recipe.lr_rule) == (700, 96, "linear")
        for key in ("optimizer", "weight_decay", "lr"):
            train = preset.get("train", {}) | values.get("train", {})
            assert getattr(recipe, key) == train.get(key, getattr(recipe, key))


def test_a_plan_of_two_published_rows(tmp_path: Path) -> None:
    """Two methods beside STE, each in its structure; a twin shortens each by itself."""
    (tmp_path / "x.yaml").write_text(
        "estimators:\n  ste:\n"
        "  ir_net: {preset: as_ir_net, train: {epochs: 8}}\n"
        "  recu: {preset: as_recu, train: {epochs: 9, batch_size: 64}}\n"
        "backbones: {resnet20: {width: 4}}\ndata: digits\nseeds: 0\n"
        "train: {epochs: 3, batch_size: 64, lr_rule: clean}\n"
    )
    rows = {row.label: row for row in planner.plan(tmp_path / "x.yaml").rows}
    epochs = {label: row.recipe.epochs for label, row in rows.items()}

    assert epochs == {"ste": 3, "ir_net": 8, "recu": 9}
    assert rows["recu"].cells[0].backbone.params["shortcut"] == "avgpool_pad"
    assert rows["ir_net"].cells[0].backbone.params["width"] == 4
    assert "order bn_hardtanh, suite relu_bn" in rows["ir_net"].differences
