"""SD-BNN against its released code."""

import math

import pytest
import torch
from oracle import Case, cases, given, gradient, make_layer, put, run_inputs, run_layer

from bench.registry import ESTIMATORS


@pytest.mark.parametrize("case", cases("sd_bnn"), ids=str)
def test_is_the_released_module(case: Case) -> None:
    """Output, signs and all gradients, those of α, F1 and F2 too."""
    fields = {"t_min": case.options["t"], "reduction": case.options["reduction"]}
    layer = make_layer(ESTIMATORS.build("sd_bnn", fields), given("weight"))
    first = torch.tensor([0.3 * math.cos(0.9 * i) for i in range(9)], dtype=torch.float64)
    second = torch.tensor([0.4 * math.sin(0.7 * i + 0.2) for i in range(9)], dtype=torch.float64)
    own = dict(layer.named_parameters())
    put(own["W.alpha"], given("slopes") - 0.4)
    put(own["A.F1.weight"], first)
    put(own["A.F2.weight"], second)
    ran = run_layer(layer, given("input"), given("upstream"))
    ran.results["grad_alpha"] = gradient(own["W.alpha"])
    ran.results["grad_dybeta_fc_0_weight"] = gradient(own["A.F1.weight"])
    ran.results["grad_dybeta_fc_2_weight"] = gradient(own["A.F2.weight"])

    assert case.options["k"] == max(1 / case.options["t"], 1)
    assert {*ran.results} >= {*case.results}
    ran.check(case)


@pytest.mark.parametrize("shape", [(6, 3), (2, 5, 3), (2, 3, 4, 4)])
def test_inputs_of_any_layer(shape: tuple[int, ...]) -> None:
    """Images, tokens and plain features are shifted; a narrow layer has one hidden unit."""
    layer = make_layer(ESTIMATORS.build("sd_bnn", {}), given("weight"))
    x = torch.linspace(-2, 2, math.prod(shape), dtype=torch.float64).reshape(shape)
    ran = run_inputs(layer, x, torch.ones_like(x))

    assert ran.results["effective_input"].shape == x.shape
    assert dict(layer.named_parameters())["A.F1.weight"].shape == (1, 3)
