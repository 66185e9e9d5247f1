"""IE-Net against its released code, with one product and with two."""

import math
from typing import Any

import pytest
import torch
from oracle import Case, cases, given, make_layer, run_layer
from torch import nn

from bench.nn.clock import Clock
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization


@pytest.mark.parametrize("case", cases("ie_net"), ids=str)
def test_is_the_released_module(case: Case) -> None:
    """
    Output, effective tensors and gradients, those of shifts, c and α too, to 1e-9.

    In the doubled case the oracle's effective tensors are of the second product alone, whose share
    of the gradient to signs that both products use is not apart in ours.
    """
    o, twice = case.options, case.name.startswith("doubled")
    p = math.log(o["t"] / 0.01) / math.log(1000)
    plugin = ESTIMATORS.build("ie_net", {"products": 2 if twice else 1})
    layer: Any = make_layer(plugin, given("weight"), p=p).train(o["training"])
    layer.W.after.alpha.data.copy_(given("scale"))
    if twice:
        layer.A.s1.data.copy_(given("shift"))
        layer.A.s2.data.copy_(-given("shift"))
        layer.c.data.copy_(0.001 * (1 + torch.arange(4, dtype=torch.float64)))

    ran = run_layer(layer, given("input"), given("upstream"))

    alpha = layer.W.after.alpha.grad
    if not twice:
        ran.results["grad_alpha"] = alpha
        ran.check(case)
        return
    ran.results |= {"grad_conv_alpha": alpha, "grad_conv_weight": ran.results["grad_weight"]}
    ran.results |= {"grad_s1": layer.A.s1.grad, "grad_s2": layer.A.s2.grad, "grad_c": layer.c.grad}
    ran.check(case, *sorted(case.results.keys() - {"grad_effective_weight"}))


def test_starts_with_two_equal_inputs() -> None:
    """Shifts start at 0, c in [0, 0.001]; a linear map has two products as well."""
    plugin = ESTIMATORS.build("ie_net", {})
    layer: Any = plugin.linear(
        *(8, 5),
        binarizer=lambda role, shape: plugin.binarizer(role, shape, Clock(), 0),
        options=Binarization.model_validate(plugin.fixes),
    )
    x, signs = given("linear_input").float(), layer.W(layer.weight)
    layer.bias.data.zero_()

    assert 0 <= layer.c.min() <= layer.c.max() <= 0.001
    once = nn.functional.linear(layer.A(x), signs) * layer.W.after.alpha
    torch.testing.assert_close(layer(x), once * (1 + layer.c))


def test_a_real_input_is_multiplied_once() -> None:
    """At 1/32 there is nothing to shift, so one product, and no c."""
    layer: Any = make_layer(ESTIMATORS.build("ie_net", {}), given("weight"), real_input=True)

    assert [name for name, _ in layer.named_parameters()] == ["weight", "W.after.alpha"]
    assert layer(given("input")).shape == (2, 4, 6, 6)
