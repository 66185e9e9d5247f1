"""BinaryConnect: weights drawn or not, clipped, against numbers of the authors' formulas."""

import torch
from torch import nn

from bench.plugin import Clock, Recipe
from bench.registry import ESTIMATORS
from tests.oracle import cases, close, given, make_layer, run_weights

(CASE,) = cases("binary_connect")


def test_oracle() -> None:
    """Signs with sign(0) = +1, gradient as it is; one step of SGD, then the clip."""
    plugin = ESTIMATORS.build("binary_connect", {"clip": CASE.options["H"]})
    layer = make_layer(plugin, given("weight"), zero=1, real_input=True)
    run_weights(layer, given("upstream_w")).check(CASE)
    torch.optim.SGD([layer.weight], lr=CASE.options["lr"]).step()
    plugin.coach(nn.Sequential(layer), Clock(), Recipe(epochs=1)).after_step()

    close(layer.weight, CASE, "after")


def test_drawn_weights_are_plus_with_the_oracles_probability() -> None:
    """Of many draws; a test has the signs, gradients pass as they are."""
    plugin = ESTIMATORS.build("binary_connect", {"weights": "stochastic"})
    layer = make_layer(plugin, given("weight"), zero=1, real_input=True)
    torch.manual_seed(0)
    ran = [run_weights(layer, given("upstream_w")) for _ in range(1000)]
    share = torch.stack([(r.results["effective_weight"] > 0).double() for r in ran]).mean(0)
    p = CASE.tensor("probability_of_plus").view_as(share)

    assert (share - p).abs().max() < 5 * 0.5 / 1000**0.5
    ran[0].check(CASE, "grad_weight")
    layer.eval()
    run_weights(layer, given("upstream_w")).check(CASE, "effective_weight")


def test_real_weights_at_test() -> None:
    """test_weights: real multiplies by the real ones, in evaluation alone."""
    plugin = ESTIMATORS.build("binary_connect", {"test_weights": "real", "clip": 0.5})
    layer = make_layer(plugin, given("weight"), zero=1)
    ran = run_weights(layer, given("upstream_w"))
    layer.eval()

    assert ran.results["effective_weight"].unique().tolist() == [-0.5, 0.5]
    assert run_weights(layer, given("upstream_w")).results["effective_weight"] is layer.weight
    assert not layer.whole


def test_glorot_rate() -> None:
    """lr_scale: glorot divides the rate of (4, 3, 3, 3) weights by √(1.5/63)."""
    plugin = ESTIMATORS.build("binary_connect", {"lr_scale": "glorot"})
    layer = make_layer(plugin, given("weight"))
    (group,) = plugin.coach(nn.Sequential(layer), Clock(), Recipe(epochs=1)).groups()

    assert group.parameters == [layer.weight]
    assert abs(group.factor - (63 / 1.5) ** 0.5) < 1e-12


def test_weights_of_zero_are_positive() -> None:
    """Whatever sign0 is: the source rounds (0/H + 1)/2 up."""
    layer = make_layer(ESTIMATORS.build("binary_connect", {"clip": 0.5}), torch.zeros(4, 3, 3, 3))
    signs, scale = layer.W(layer.weight)

    assert torch.equal(signs * scale, torch.full((4, 3, 3, 3), 0.5, dtype=torch.float64))
