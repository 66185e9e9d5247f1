"""IR-Net against its released code, and its options."""

import math

import pytest
import torch
from oracle import Case, Ran, cases, given, make_layer, run_layer

from bench.registry import ESTIMATORS


@pytest.mark.parametrize("case", cases("ir_net"), ids=str)
def test_is_the_released_module(case: Case) -> None:
    """Output, effective weights, scale and gradients at four t, in float64 to 1e-9."""
    t_min, t = 1e-3, case.options["t"]
    plugin = ESTIMATORS.build("ir_net", {"t_min": t_min})
    layer = make_layer(plugin, given("weight"), p=math.log(t / t_min) / math.log(10 / t_min))

    ran = run_layer(layer, given("input"), given("upstream"))

    ran.results["scale"] = layer.W(layer.weight)[1]
    ran.check(case)


def test_options() -> None:
    """Without scale_shift there are signs alone; without std_grad another gradient, equal signs."""
    whole, part = (run(std_grad=x) for x in ("on", "off"))
    plain = run(scale_shift="off").layer

    assert set(plain.W(plain.weight).unique().tolist()) == {-1, 1}
    assert torch.equal(whole.results["output"], part.results["output"])
    assert not torch.allclose(whole.results["grad_weight"], part.results["grad_weight"])


def run(**fields: object) -> Ran:
    layer = make_layer(ESTIMATORS.build("ir_net", fields), given("weight"))
    return run_layer(layer, given("input"), given("upstream"))
