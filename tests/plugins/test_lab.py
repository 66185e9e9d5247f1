"""LAB against the formulas of its released code: three moments of one layer."""

import torch
from torch import nn

from bench.nn.clock import Clock
from bench.plugin import Coach, Recipe
from bench.registry import ESTIMATORS
from tests.oracle import (
    cases,
    close,
    convolution_gradient,
    given,
    make_layer,
    put,
    run_layer,
    run_weights,
)

LAB = ESTIMATORS.build("lab", {})


def coached(net: nn.Module, **params: object) -> Coach:
    return ESTIMATORS.build("lab", dict(params)).coach(net, Clock(), Recipe(epochs=1))


def test_two_steps() -> None:
    """v, α, effective weights and the gradient: before, after one and after two updates of v."""
    start, one, two = cases("lab")
    layer = make_layer(LAB, given("weight"))
    coach = coached(layer)
    seen = run_weights(layer, given("upstream_w"))
    seen.check(start)
    close(layer.W(layer.weight)[1], start, "scale")

    layer.weight.grad = given("grad_prev")
    coach.after_backward()
    close(layer.W.get_buffer("v"), one, "acc")
    seen = run_weights(layer, given("upstream_w"))
    seen.check(one)
    close(layer.W(layer.weight)[1], one, "scale")

    coach.after_backward()  # of the gradient that the weights have: upstream_w
    close(layer.W.get_buffer("v"), two, "acc")
    run_weights(layer, given("upstream_w")).check(two)
    close(layer.W(layer.weight)[1], two, "scale")


def test_gradient_through_the_layer() -> None:
    """dL/dw is the gradient at the effective weights, whatever the scale."""
    layer = make_layer(LAB, given("weight"))
    put(layer.W.v, given("grad_prev") ** 2)
    ran = run_layer(layer, given("input"), given("upstream"))
    g = convolution_gradient(ran, given("upstream"))

    torch.testing.assert_close(ran.results["grad_weight"], g, rtol=1e-9, atol=1e-12)


def test_clip_after_the_step() -> None:
    """Weights are clipped to [-1, 1]."""
    layer = make_layer(LAB, 3 * given("weight"))
    coached(layer).after_step()

    assert torch.equal(layer.weight, (3 * given("weight")).clamp(-1, 1))


def test_optimizer_of_the_weights() -> None:
    """The recipe's, or Adam without decay."""
    layer = make_layer(LAB, given("weight"))
    (group,) = coached(layer, curvature="adam").groups()

    assert coached(layer).groups() == []
    assert (group.rule, group.weight_decay) == ("adam", 0.0)
    assert group.parameters[0] is layer.weight


def test_zeros_stay_finite() -> None:
    """A layer of zeros has the scale 0 and finite gradients."""
    ran = run_weights(make_layer(LAB, torch.zeros(4, 3, 3, 3)), given("upstream_w"))

    assert ran.results["effective_weight"].abs().sum() == 0
    assert ran.results["grad_weight"].isfinite().all()
