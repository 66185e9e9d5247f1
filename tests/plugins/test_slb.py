"""SLB against its formula, its inputs, and the products that it learns the statistics of."""

import pytest
import torch
from oracle import Case, cases, given, gradient, make_layer, run_inputs, run_weights
from torch import nn

from bench.registry import ESTIMATORS


@pytest.mark.parametrize("case", cases("slb"), ids=str)
def test_weights_are_the_mean_value(case: Case) -> None:
    """Of training, of evaluation, and the gradient, at two temperatures."""
    layer = make_layer(ESTIMATORS.build("slb", {"t_start": case.options["T"]}), given("weight"))
    ran = run_weights(layer, given("upstream_w"))
    ran.results["training_weight"] = ran.results["effective_weight"]
    ran.results["eval_weight"] = layer.eval().W(layer.weight)

    ran.check(case)


def test_temperature_falls_by_one_factor() -> None:
    """From 1 by 1.03 for each of 400 epochs."""
    plugin = ESTIMATORS.build("slb", {})

    assert plugin.temperature(0) == 1  # type: ignore[attr-defined]
    assert plugin.temperature(0.25) == pytest.approx(1.03**-100, rel=2e-3)  # type: ignore[attr-defined]


def test_pact_has_two_levels() -> None:
    """0 up to α/2, α beyond; the gradient goes to x inside and to α from α on."""
    layer = make_layer(ESTIMATORS.build("slb", {"alpha": 0.75}), given("weight"))
    x, up = given("input"), given("upstream_a")
    ran = run_inputs(layer, x, up)

    assert torch.equal(ran.results["effective_input"], 0.75 * (x > 0.375).double())
    assert torch.equal(ran.results["grad_input"], up * ((x > 0) & (x < 0.75)))
    assert gradient(layer.A.alpha).item() == pytest.approx(up[x >= 0.75].sum().item())


def test_sign_inputs() -> None:
    """`inputs: sign` is the clipped one."""
    layer = make_layer(ESTIMATORS.build("slb", {"inputs": "sign"}), given("weight"))
    ran = run_inputs(layer, given("input"), given("upstream_a"))

    assert torch.equal(ran.results["effective_input"], given("input").sign())


def test_evaluation_has_the_statistics_of_training() -> None:
    """A BatchNorm of the trained product sees its mean and variance in the binary one, too."""
    plugin = ESTIMATORS.build("slb", {"t_start": 2.0, "inputs": "sign"})
    layer, x = make_layer(plugin, given("weight")), given("input")
    for _ in range(400):
        layer(x)
    trained = layer(x).detach()
    seen = layer.eval()(x)

    assert not torch.allclose(seen, trained)
    for moment in (torch.mean, torch.var):
        expected, found = (moment(y, (0, 2, 3)) for y in (trained, seen))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_without_state_bn_the_products_are_plain() -> None:
    """Then evaluation is the product of signs."""
    plugin = ESTIMATORS.build("slb", {"state_bn": "off", "inputs": "sign"})
    layer = make_layer(plugin, given("weight"))
    layer(given("input"))
    expected = nn.functional.conv2d(given("input").sign(), given("weight").sign(), padding=1)

    assert torch.equal(layer.eval()(given("input")), expected)


def test_linear_layers() -> None:
    """A linear map has both products, too."""
    plugin = ESTIMATORS.build("slb", {})
    from bench.nn.clock import Clock
    from bench.nn.layers import Layers
    from bench.spec.cell import Binarization

    clock = Clock()
    layers = Layers(
        lambda role, shape: plugin.binarizer(role, shape, clock, 0),
        Binarization(scale="none"),
        plugin.conv,
        plugin.linear,
    )
    layer = layers.linear(8, 5).double()
    y = layer(given("linear_input"))

    assert y.shape == (6, 5)
    learnt = dict(layer.named_buffers())
    assert not torch.equal(learnt["W.after.binary"], learnt["W.after.trained"])
