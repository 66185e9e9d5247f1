"""A suite's document passes through steps that each make another and leave theirs as it was."""

import copy
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from bench.base.yaml_document import parse
from bench.spec.composition import compose
from bench.spec.extends import extend
from bench.spec.overrides import override
from bench.spec.preset import apply_presets
from bench.spec.short_forms import listed_labels, spell_out

BASE = """\
estimators: {ste: {clip: 2}, reste: {o_end: 3}}
backbones: {resnet20: {width: 4, train: {lr: 0.3}, data: digits}}
data: {cifar10: {train: 5}}
published: {source: me, acc: {ste: 1, reste: 2}}
include: [{estimator: reste, wa: 1/32}]
exclude: [{estimator: [ste, reste], reason: no}]
baseline: reste
train: {epochs: 3}
"""
TOP = """\
extends: base
preset: paper
estimators: [ste]
data: digits
seeds: 0
"""


def test_every_step_leaves_its_document_as_it_was(tmp_path: Path) -> None:
    """Spelling out, extending, overriding and the preset change copies, of nested data too."""
    written = parse(TOP, str(tmp_path / "top.yaml"))
    base = spell_out(parse(BASE, str(tmp_path / "base.yaml")))
    spelled_out = spell_out(written)
    extended = extend(base, spelled_out, listed_labels(written))
    overridden = override(extended, "backbones.resnet20.width=8")
    retrained = override(overridden, "train.lr=0.2")
    steps = [written, base, spelled_out, extended, overridden, retrained, apply_presets(retrained)]
    before = copy.deepcopy(steps)

    spell_out(written)
    extend(base, spelled_out, listed_labels(written))
    override(extended, "backbones.resnet20.width=8")
    override(overridden, "train.lr=0.2")
    apply_presets(retrained)

    assert steps == before
    assert [s.data["backbones"]["resnet20"]["width"] for s in steps[3:5]] == [4, 8]
    assert ["lr" in s.data["backbones"]["resnet20"]["train"] for s in steps[4:6]] == [True, False]
    with pytest.raises(FrozenInstanceError):
        written.data = {}  # pyright: ignore


def test_a_suite_passes_through_the_steps_in_order(tmp_path: Path) -> None:
    """The preset lies under the override, which lies over the suite and what that extends."""
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "top.yaml").write_text(TOP)
    document = compose(tmp_path / "top.yaml", ["estimators.ste.clip=1", "train.epochs=7"])

    assert document.data["estimators"] == {"ste": {"clip": 1}}
    assert document.data["data"] == {"digits": {}}
    assert (document.data["train"]["epochs"], document.data["train"]["lr_rule"]) == (7, "clean")
    assert document.data["published"]["acc"] == {"ste": 1}
    assert (document.data["include"], "baseline" in document.data) == ([], False)
    assert document.data["exclude"] == [{"estimator": ["ste"], "reason": "no"}]


@pytest.mark.parametrize(
    ("written", "spelled_out"),
    [
        ("ste", {"ste": {}}),
        ("[ste, ede]", {"ste": {}, "ede": {}}),
        ("{mine: ste}", {"mine": {"plugin": "ste"}}),
        (
            "{a: {W: ste, A: {plugin: ede}}}",
            {"a": {"W": {"plugin": "ste"}, "A": {"plugin": "ede"}}},
        ),
        ("[1]", [1]),
        ("3", 3),
    ],
)
def test_short_forms_are_spelled_out_once(written: str, spelled_out: object) -> None:
    """Names become mappings of labels; what has no meaning stays, for the suite's own checks."""
    document = spell_out(parse(f"estimators: {written}", "x.yaml"))

    assert document.data["estimators"] == spelled_out
    assert spell_out(document) == document


def test_a_base_with_a_number_for_a_label_is_no_crash(tmp_path: Path) -> None:
    """A list of names chooses among whatever labels the base has."""
    (tmp_path / "base.yaml").write_text(BASE.replace("{ste: {clip: 2}", "{5: {}"))
    (tmp_path / "top.yaml").write_text(TOP)

    assert [*compose(tmp_path / "top.yaml").data["estimators"]] == ["ste"]
