"""Settings of W/A beyond one bit, and options of binary layers that a method fixes."""

from pathlib import Path

import pytest

from bench.errors import SuiteError
from bench.planning import planner
from bench.spec.plan import Plan

QUANTIZER = """
from torch import nn

from bench.plugin import Annotated, Clock, Field, Method, Role


class {name}(Method):
    weight_bits: Annotated[int, Field(ge=1, le=4)] = 1
    input_bits: Annotated[int, Field(ge=1, le=4)] = 1
    slope: float = 1.0

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return nn.Tanh()

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return nn.Tanh()
"""
OTHERWISE = {
    "Quantizer": "",
    "Ternary": """
    def bits(self, role: Role) -> int:
        return 2
""",
    "Odd": """
    def bits(self, role: Role) -> int:
        raise RuntimeError("no bits")
""",
    "Wrong": """
    fixes = {"scales": "none"}
""",
}
BASE = {
    "estimators": "[ste, quantizer]",
    "backbones": "{resnet20: {width: 2}}",
    "data": "digits",
    "plugins": "own",
    "wa": "1/1",
    "seeds": "0",
    "train": "{epochs: 2, batch_size: 64}",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    for name, more in OTHERWISE.items():
        text = QUANTIZER.format(name=name) + more
        (folder / f"{name.lower()}.py").write_text(text, encoding="utf-8")
    return tmp_path


def suite(home: Path, **lines: str) -> Path:
    path = home / "x.yaml"
    path.write_text("".join(f"{k}: {v}\n" for k, v in (BASE | lines).items()), encoding="utf-8")
    return path


def planned(home: Path, *overrides: str, **lines: str) -> Plan:
    return planner.plan(suite(home, **lines), overrides)


def refused(home: Path, *overrides: str, **lines: str) -> str:
    with pytest.raises(SuiteError) as caught:
        planned(home, *overrides, **lines)
    return str(caught.value).replace(f"{home}/", "")


def test_an_estimator_with_fields_of_bits_has_those_that_are_asked_for(home: Path) -> None:
    plan = planned(home, wa="[1/1, 1/2, 3/32, 4/4]")
    rows = [(row.label, row.wa) for row in plan.rows]
    assert rows == [
        ("ste", "1/1"), ("quantizer", "1/1"), ("quantizer", "1/2"), ("quantizer", "3/32"),
        ("quantizer", "4/4"),
    ]  # fmt: skip
    cells = {row.wa: row.cells[0] for row in plan.rows}
    assert [cells[wa].wa for wa in cells] == list(cells)
    assert [cells[wa].bits for wa in cells] == ["", "1/2", "3/32", "4/4"]
    both = cells["1/2"].weights, cells["1/2"].activations
    assert all(ref and ref.params["input_bits"] == 2 for ref in both)
    assert cells["3/32"].activations is None
    assert "w1a2" in cells["1/2"].slug


def test_an_estimator_that_has_other_bits_is_left_out_with_a_reason(home: Path) -> None:
    plan = planned(home, wa="[1/32, 2/32, 8/8]", estimators="[ste, ternary, quantizer, odd]")
    assert [(row.label, row.wa) for row in plan.rows] == [
        ("ste", "1/32"), ("quantizer", "1/32"), ("ternary", "2/32"), ("quantizer", "2/32"),
    ]  # fmt: skip
    left = {left.combination for left in plan.left_out}
    assert "ste x resnet20 x 2/32 x default" in left


def test_the_reasons_name_the_bits(home: Path) -> None:
    plan = planned(home, wa="[1/32, 8/8]", estimators="[ste, ternary, quantizer, odd]")
    reasons = [left.reason for left in plan.left_out]
    assert "ternary has weights of 2 bits, not 1" in reasons
    assert "ste has weights of 1 bit, not 8" in reasons
    assert any("quantizer at 8/8: weight_bits" in reason for reason in reasons)
    assert "odd at 1/32 raises RuntimeError: no bits" in reasons


def test_bits_that_an_entry_names_stay(home: Path) -> None:
    plan = planned(home, wa="[1/1, 1/2]", estimators="{quantizer: {input_bits: 2}}")
    assert [row.wa for row in plan.rows] == ["1/2"]
    assert [left.reason for left in plan.left_out] == ["quantizer has activations of 2 bits, not 1"]


def test_an_include_of_bits_that_cannot_be_is_an_error(home: Path) -> None:
    line = refused(home, include="[{estimator: ste, wa: 2/2}]")
    assert line == "x.yaml:8:28: include.0.wa: ste has weights of 1 bit, not 2"


@pytest.mark.parametrize("wa", ["32/1", "9/9", "0/1", "1/16", "binary"])
def test_bits_that_nothing_has_are_an_error(home: Path, wa: str) -> None:
    message = refused(home, wa=wa)
    assert "wa.0: must be `1/1`, `1/32`, `32/32`, or other bits" in message
    assert f"got `{wa}`" in message


def test_bits_are_not_tuned(home: Path) -> None:
    message = refused(home, tune="{estimators: {quantizer: {weight_bits: [1, 2]}}}")
    assert "weight_bits: is not tuned: W/A says how many bits there are" in message


def test_tuning_knows_the_bits_of_a_row(home: Path) -> None:
    plan = planned(
        home,
        wa="[1/2, 2/32]",
        estimators="[quantizer]",
        tune="{estimators: {quantizer: {slope: [1.0, 2.0]}}}",
    )
    cells = [cell for row in plan.rows for trial in row.trials for cell in trial.held_out]
    assert {cell.wa for cell in cells} == {"1/2", "2/32"}
    assert all(cell.weights and cell.weights.params["slope"] in {1, 2} for cell in cells)


def test_a_method_fixes_its_options_beside_estimators_that_leave_them_open(home: Path) -> None:
    plan = planned(home, binarization="{scale: channel, sign0: 1}")
    options = {row.label: row.cells[0].binarization for row in plan.rows}
    assert (options["ste"].scale, options["quantizer"].scale) == ("channel", "none")
    assert {o.sign0 for o in options.values()} == {1}
    swapped = planned(
        home, estimators="{mixed: {W: ste, A: quantizer}}", binarization="{scale: channel}"
    )
    assert swapped.rows[0].cells[0].binarization.scale == "channel"  # of weights


def test_an_option_that_no_estimator_leaves_open_is_refused(home: Path) -> None:
    message = refused(home, estimators="[quantizer]", binarization="{scale: layer}")
    assert message == (
        "x.yaml:8:16: binarization.scale: every estimator of this suite fixes it, to `none`; "
        "drop it"
    )
    assert "override" in refused(home, "binarization.scale=layer", estimators="[quantizer]")
    planned(home, estimators="[quantizer]", binarization="{scale: none}")
    planned(home, "train.warmup=0", estimators="[quantizer]", preset="reference")  # it says layer
    planned(home, "estimators=[quantizer]", binarization="{scale: layer}")  # said of the others


def test_a_method_that_fixes_what_is_no_option_is_an_error(home: Path) -> None:
    message = refused(home, estimators="[ste, wrong]")
    assert "estimators.wrong: its method fixes `scales` of binarization: unknown key" in message
