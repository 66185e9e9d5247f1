"""
A&B BNN and its sign against their released code.

Of `ab_bnn.json` the case of the quantized PReLU is not reproduced: that is an activation of the
released network, which no block of ours has, and no part of a binary layer.
"""

import pytest
import torch
from oracle import cases, close, given, gradient, make_layer, put, run_layer

from bench.plugin import Surrogate
from bench.registry import ESTIMATORS

WEIGHTS, SIGN, _PRELU = cases("ab_bnn")


def test_weights_are_the_released_modules() -> None:
    """Output and all gradients, the gain's too; its inputs are real."""
    layer = make_layer(ESTIMATORS.build("ab_bnn", {}), given("weight"), real_input=True)
    gain = dict(layer.named_parameters())["W.gain"]
    put(gain, given("scale"))
    ran = run_layer(layer, given("input"), given("upstream"))
    ran.results["grad_gain"] = gradient(gain)

    ran.check(WEIGHTS, "effective_weight", "output", "grad_input", "grad_weight", "grad_gain")


def test_sign_is_the_released_one() -> None:
    """Its values and slopes at 27 points, as a surrogate and as the method's sign of inputs."""
    z = SIGN.tensor("z")
    plugin, none = ESTIMATORS.build("ab_sign", {}), torch.zeros((), dtype=torch.float64)
    assert isinstance(plugin, Surrogate)
    close(plugin.df(z, none), SIGN, "slope")

    layer = make_layer(ESTIMATORS.build("ab_bnn", {}), given("weight"))
    x = z.clone().requires_grad_()
    y = layer.A(x)
    y.sum().backward()
    close(y, SIGN, "value")
    close(gradient(x), SIGN, "slope")


@pytest.mark.parametrize("name", ["ab_bnn", "ab_sign"])
def test_another_slope(name: str) -> None:
    """α is the field of both: the slope at 0 is α/2."""
    plugin = ESTIMATORS.build(name, {"alpha": 5.0})
    x = torch.zeros(1, 3, 1, 1, dtype=torch.float64, requires_grad=True)
    make_layer(plugin, given("weight")).A(x).sum().backward()

    assert gradient(x).flatten().tolist() == pytest.approx([2.5] * 3)
