"""XNOR-Net and BWN: the authors' gradient, a port's, a toolkit's and a library's."""

from typing import Any

import pytest
import torch
from torch import nn

from bench.plugin import Clock, Recipe
from bench.registry import ESTIMATORS
from tests.oracle import (
    Case,
    cases,
    close,
    given,
    make_layer,
    run_inputs,
    run_layer,
    run_weights,
)

PORT = {"second_term": "exact", "clip": "closed"}
PLAIN = {"centring": "off", "clamp": "off", "gain": "off"}
BIBENCH = PLAIN | {"scale_grad": "none", "clip": "closed", "input_scale": "image"}
LIBRARY = cases("xnor_library")[2:]  # the others are of `xnor_net_pp`


@pytest.mark.parametrize("name", ["xnor_net", "bwn"])
def test_port(name: str) -> None:
    """Centring and clamp that stay, scale with its exact gradient, times (1 - 1/C_in) n."""
    (case,) = cases("xnor_net")
    plugin = ESTIMATORS.build(name, PORT)
    layer = make_layer(plugin, given("weight"))
    coach = plugin.coach(nn.Sequential(layer), Clock(), Recipe(epochs=1))
    coach.before_step()
    close(layer.weight, case, "weight_after_centring_and_clamp")
    ran = run_layer(layer, given("input"), given("upstream"))
    coach.after_backward()  # in place, of the gradient that `ran` has

    ran.check(case)


@pytest.mark.parametrize(("gain", "result"), [("off", "grad_weight"), ("n", "grad_weight_sgd")])
@pytest.mark.parametrize("name", ["xnor_net", "bwn"])
def test_lua(name: str, gain: str, result: str) -> None:
    """The authors' own second term, g/n, by default."""
    (case,) = cases("xnor_net_lua")
    plugin = ESTIMATORS.build(name, {"gain": gain})
    layer = make_layer(plugin, given("weight"))
    coach = plugin.coach(nn.Sequential(layer), Clock(), Recipe(epochs=1))
    coach.before_step()
    ran = run_weights(layer, given("upstream_w"))
    coach.after_backward()

    assert layer.weight.grad is not None
    close(layer.weight, case, "weight_after_centring_and_clamp")
    close(layer.weight.grad, case, result)
    close(layer.W(layer.weight)[1], case, "scale")
    ran.check(case, "effective_weight")


def test_bibench() -> None:
    """Inputs times their image's mean |x|, no centring, no factor anywhere."""
    (case,) = cases("xnor_net_bibench")
    layer = make_layer(ESTIMATORS.build("xnor_net", BIBENCH), given("weight"))

    run_layer(layer, given("input"), given("upstream")).check(case)


@pytest.mark.parametrize("case", LIBRARY, ids=str)
def test_library(case: Case) -> None:
    """The scale attached, centring in the forward pass or none."""
    centring = "forward" if case.options["center_weights"] else "off"
    plugin = ESTIMATORS.build("xnor_net", PLAIN | {"second_term": "exact", "centring": centring})
    layer = make_layer(plugin, given("weight"))

    run_layer(layer, given("input"), given("upstream")).check(case)


def test_an_evaluation_sees_what_the_next_step_would() -> None:
    """In evaluation weights are centred and clamped, and stay as they are; so again after it."""
    plugin = ESTIMATORS.build("xnor_net", {})
    layer = make_layer(plugin, given("weight"))
    layer.eval()
    signs, scale = layer.W(layer.weight)

    assert torch.equal(layer.weight, given("weight"))
    plugin.coach(nn.Sequential(layer), Clock(), Recipe(epochs=1)).before_step()
    layer.train()
    again = layer.W(layer.weight)
    torch.testing.assert_close((signs, scale), again)


def test_one_channel_is_not_centred() -> None:
    """It would leave zeros and no gradient."""
    plugin = ESTIMATORS.build("xnor_net", {"gain": "off", "scale_grad": "none", "clip": "off"})
    layer = make_layer(plugin, torch.full((2, 1, 3, 3), 0.5))
    coach = plugin.coach(nn.Sequential(layer), Clock(), Recipe(epochs=1))
    coach.before_step()
    run_weights(layer, torch.ones(2, 1, 3, 3))
    coach.after_backward()

    assert layer.weight.grad is not None
    assert layer.weight.unique().tolist() == [0.5]
    assert layer.weight.grad.unique().tolist() == [1.0]


@pytest.mark.parametrize("params", [{}, PORT, BIBENCH])
def test_linear(params: dict[str, Any]) -> None:
    """Maps of vectors work the same: x (..., C_in), weights (C_out, C_in)."""
    plugin, clock = ESTIMATORS.build("xnor_net", params), Clock()
    w, x = given("linear_weight").requires_grad_(), given("linear_input")
    signs, scale = plugin.binarizer("W", (5, 8), clock, 0)(w)
    a = plugin.binarizer("A", (8,), clock, 0)(x)
    (a @ (signs * scale).T).sum().backward()

    assert scale.shape == (5, 1)
    assert w.grad is not None
    assert w.grad.isfinite().all()


def test_caffe() -> None:
    """BWN as in Caffe codes: E sign(w), whose gradient passes as it is."""
    plain = PLAIN | {"scale_grad": "none", "clip": "off"}
    layer = make_layer(ESTIMATORS.build("bwn", plain), given("weight"))
    ran = run_weights(layer, given("upstream_w"))
    (case,) = cases("bi_real")

    close(ran.results["effective_weight"], case, "effective_weight")
    torch.testing.assert_close(ran.results["grad_weight"], given("upstream_w"))


def test_input_gradient_is_open_at_one() -> None:
    """|x| = 1 gets none."""
    layer = make_layer(ESTIMATORS.build("xnor_net", {}), given("weight"))
    ran = run_inputs(layer, torch.tensor([0.5, 1.0]), torch.ones(2))

    assert ran.results["grad_input"].tolist() == [1.0, 0.0]
