"""TWN against the formulas of its released Caffe layers."""

import pytest
import torch

from bench.nn.clock import Clock
from bench.registry import ESTIMATORS
from tests.oracle import (
    Case,
    cases,
    close,
    convolution_gradient,
    given,
    make_layer,
    run_layer,
    run_weights,
)

CASES: dict[str, Case] = dict(zip(("layer", "filter"), cases("twn"), strict=True))


@pytest.mark.parametrize("scale", ["layer", "filter"])
def test_weights(scale: str) -> None:
    """Effective weights, their scale, and the gradient that passes as it is."""
    case = CASES[scale]
    layer = make_layer(ESTIMATORS.build("twn", {"scale": scale}), given("weight"))
    ran = run_weights(layer, given("upstream_w"))
    _, alpha = layer.W(layer.weight)
    threshold = 0.7 * layer.weight.abs().mean()

    ran.check(case)
    close(alpha, case, "scale")
    close(threshold, case, "threshold")
    assert torch.equal(ran.results["effective_weight"] == 0, layer.weight.abs() <= threshold)


@pytest.mark.parametrize("grad", ["none", "factor", "full"])
def test_gradient_through_the_layer(grad: str) -> None:
    """dL/dw is g, α g, or that and <g, t> t / <t, t>, where g is the convolution's own."""
    layer = make_layer(ESTIMATORS.build("twn", {"scale_grad": grad}), given("weight"))
    ran = run_layer(layer, given("input"), given("upstream"))
    g = convolution_gradient(ran, given("upstream"))
    t, alpha = layer.W(layer.weight)
    wanted = {"none": g, "factor": alpha * g, "full": alpha * g + (g * t).sum() * t / (t * t).sum()}

    torch.testing.assert_close(ran.results["grad_weight"], wanted[grad], rtol=1e-9, atol=1e-12)


def test_nothing_beyond_the_threshold() -> None:
    """A small filter, with a scale of its own, and a layer of zeros are zeros; gradients pass."""
    weight = given("weight")
    weight[1] *= 1e-3
    small = make_layer(ESTIMATORS.build("twn", {"scale": "filter"}), weight)
    zeros = make_layer(ESTIMATORS.build("twn", {}), torch.zeros(4, 3, 3, 3))

    for layer, filters in ((small, [1]), (zeros, [0, 1, 2, 3])):
        ran = run_weights(layer, given("upstream_w"))
        assert ran.results["effective_weight"][filters].abs().sum() == 0
        torch.testing.assert_close(ran.results["grad_weight"], given("upstream_w"))


def test_linear() -> None:
    """Weights of two dimensions."""
    module = ESTIMATORS.build("twn", {}).binarizer("W", (5, 8), Clock(), 0)
    t, alpha = module(given("linear_weight"))

    assert (t.shape, alpha.shape, ESTIMATORS.build("twn", {}).bits("W")) == ((5, 8), (1, 1), 2)
