"""HWGQ against the formulas of its released Caffe code."""

import pytest
import torch

from bench.registry import ESTIMATORS
from tests.oracle import (
    cases,
    close,
    convolution_gradient,
    given,
    make_layer,
    run_inputs,
    run_layer,
    run_weights,
)

INPUTS, WEIGHTS = cases("hwgq")


def test_inputs() -> None:
    """Four levels, and the gradient where 0 < x ≤ 3q."""
    layer = make_layer(ESTIMATORS.build("hwgq", {}), given("weight"))

    run_inputs(layer, given("input"), given("upstream_a")).check(INPUTS, *INPUTS.results)


def test_weights() -> None:
    """Signs times the mean |w| of each filter; the gradient passes as it is."""
    layer = make_layer(ESTIMATORS.build("hwgq", {}), given("weight"))
    ran = run_weights(layer, given("upstream_w"))
    ran.results["scale"] = layer.W(layer.weight)[1]

    ran.check(WEIGHTS, *WEIGHTS.results)


def test_thresholds() -> None:
    """No threshold lies between 0 and q: the least positive x is q; borders belong below."""
    module = make_layer(ESTIMATORS.build("hwgq", {"step": 0.5}), given("weight")).A
    x = torch.tensor([-1.0, 0.0, 1e-9, 0.75, 0.7501, 1.25, 1.2501, 9.0])

    assert module(x).tolist() == [0, 0, 0.5, 0.5, 1, 1, 1.5, 1.5]


@pytest.mark.parametrize("grad", ["none", "factor", "full"])
def test_gradient_through_the_layer(grad: str) -> None:
    """dL/dw is g, E g, or that and the derivative of E, where g is the convolution's own."""
    layer = make_layer(ESTIMATORS.build("hwgq", {"scale_grad": grad}), given("weight"))
    ran = run_layer(layer, given("input"), given("upstream"))
    g = convolution_gradient(ran, given("upstream"))
    signs, e = layer.W(layer.weight)
    own = (g * signs).mean((1, 2, 3), keepdim=True) * signs
    wanted = {"none": g, "factor": e * g, "full": e * g + own}

    torch.testing.assert_close(ran.results["grad_weight"], wanted[grad], rtol=1e-9, atol=1e-12)
    assert ESTIMATORS.build("hwgq", {}).bits("A") == 2
    close(e, WEIGHTS, "scale")
