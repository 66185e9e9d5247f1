"""DoReFa-Net at one bit and more, against the authors' formulas and a toolkit's layer."""

from typing import Any

import pytest
import torch

from bench.registry import ESTIMATORS
from tests.oracle import Case, cases, close, given, make_layer, run_inputs, run_layer, run_weights

WEIGHTS, INPUTS = cases("dorefa")[:2], cases("dorefa")[2:]


@pytest.mark.parametrize("case", WEIGHTS, ids=str)
def test_weights(case: Case) -> None:
    """E_l sign(w) at one bit, 2 q(v) - 1 at two, whose largest weight has its gradient."""
    plugin = ESTIMATORS.build("dorefa", {"weight_bits": case.options["bits"]})
    layer = make_layer(plugin, given("weight"), zero=1)
    run_weights(layer, given("upstream_w")).check(case)
    if "scale" in case.results:
        close(layer.W(layer.weight)[1], case, "scale")


@pytest.mark.parametrize("case", INPUTS, ids=str)
def test_inputs(case: Case) -> None:
    """Levels from 0 to 1; gradient where 0 ≤ x ≤ 1."""
    plugin = ESTIMATORS.build("dorefa", {"input_bits": case.options["bits"], "levels": "01"})
    layer = make_layer(plugin, given("weight"))

    run_inputs(layer, given("input"), given("upstream_a")).check(case)


def test_layer_of_signs() -> None:
    """BiBench's: scale by filter, clip in both signs, no factor."""
    (case,) = cases("dorefa_sign")
    plugin = ESTIMATORS.build("dorefa", {"scale": "channel", "weight_clip": "on"})
    ran = run_layer(make_layer(plugin, given("weight")), given("input"), given("upstream"))

    ran.check(case)


@pytest.mark.parametrize("params", [{"levels": "01"}, {"weight_bits": 2}, {"input_bits": 2}])
def test_levels(params: dict[str, Any]) -> None:
    """As many values as bits say, and the promise of signs where it holds."""
    plugin = ESTIMATORS.build("dorefa", params)
    layer = make_layer(plugin, given("weight"))
    ran = run_layer(layer, given("input"), given("upstream"))

    assert len(ran.results["effective_input"].unique()) == 2 ** plugin.bits("A")
    assert len(ran.results["effective_weight"].unique()) == 2 ** plugin.bits("W")
    assert layer.whole == (plugin.bits("W") == plugin.bits("A") == 1)


def test_weights_of_zero() -> None:
    """All weights 0: there is no largest to divide by, and all stays finite."""
    layer = make_layer(ESTIMATORS.build("dorefa", {"weight_bits": 2}), torch.zeros(1, 1, 3, 3))
    ran = run_weights(layer, torch.ones(1, 1, 3, 3))

    assert ran.results["grad_weight"].isfinite().all()
    assert ran.results["effective_weight"].isfinite().all()


def test_one_bit_of_zero() -> None:
    """+1, as the paper's; BiBench's filters have the sign that is asked for."""
    weight = given("weight")
    weight[:, 0] = 0
    signs = [
        make_layer(ESTIMATORS.build("dorefa", {"scale": scale}), weight).W(weight)[0][:, 0]
        for scale in ("layer", "channel")
    ]

    assert [s.unique().tolist() for s in signs] == [[1.0], [0.0]]
