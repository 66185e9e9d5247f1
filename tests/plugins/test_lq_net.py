"""LQ-Net against the formulas of its released code."""

import pytest
import torch

from bench.nn.clock import Clock
from bench.plugin import BinaryConv2d
from bench.registry import ESTIMATORS
from tests.oracle import (
    Case,
    Ran,
    cases,
    convolution_gradient,
    given,
    make_layer,
    run_inputs,
    run_layer,
    run_weights,
)

*WEIGHTS, INPUTS = cases("lq_net")


def lq_layer(**params: int) -> BinaryConv2d:
    return make_layer(ESTIMATORS.build("lq_net", dict(params)), given("weight"))


def check_fit(ran: Ran, before: torch.Tensor, after: torch.Tensor, case: Case) -> None:
    """The basis, by code first as the oracle has it: before the step, fitted, and after it."""
    ran.results |= {"basis": before.T, "basis_after": after.T}
    ran.results["fitted_basis"] = (after - 0.9 * before).T / 0.1
    ran.check(case, *case.results)


@pytest.mark.parametrize("case", WEIGHTS, ids=str)
def test_weights(case: Case) -> None:
    """Levels of the old basis, the new one, and the gradient that passes as it is."""
    layer = lq_layer(weight_bits=case.options["bits"])
    before = layer.W.get_buffer("basis").clone()

    check_fit(run_weights(layer, given("upstream_w")), before, layer.W.get_buffer("basis"), case)


def test_inputs() -> None:
    """The same of inputs behind a ReLU, whose gradient ends at the top level."""
    layer = lq_layer()
    before = layer.A.get_buffer("basis").clone()
    ran = run_inputs(layer, given("input").relu(), given("upstream_a"))
    ran.results["grad_relu_input"] = ran.results["grad_input"]

    check_fit(ran, before, layer.A.get_buffer("basis"), INPUTS)


def test_negative_inputs() -> None:
    """They are 0 and have no gradient, as behind a ReLU."""
    x = given("input")
    one, two = (run_inputs(lq_layer(), z, given("upstream_a")) for z in (x, x.relu()))

    assert torch.equal(one.results["effective_input"], two.results["effective_input"])
    assert torch.equal(one.results["grad_input"], two.results["grad_input"] * (x >= 0))


def test_gradient_through_the_layer() -> None:
    """dL/dw is the convolution's own gradient at the levels."""
    layer = lq_layer(weight_bits=2)
    ran = run_layer(layer, given("input"), given("upstream"))
    g = convolution_gradient(ran, given("upstream"))

    torch.testing.assert_close(ran.results["grad_weight"], g, rtol=1e-9, atol=1e-12)


def test_evaluation_leaves_bases() -> None:
    """Bases move in training alone, and are kept with the weights."""
    layer = lq_layer().eval()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer(given("input"))

    assert {"W.basis", "A.basis"} <= before.keys()
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_sign_of_zero() -> None:
    """At one bit zero is -1."""
    layer = make_layer(ESTIMATORS.build("lq_net", {}), torch.zeros(4, 3, 3, 3))

    assert (layer.W(layer.weight)[0] == -1).all()


@pytest.mark.parametrize("x", [0.0, 5.0])
def test_unused_codes(x: float) -> None:
    """Where all inputs have one code the fit is singular: the basis moves as little as it can."""
    layer = lq_layer()
    before = layer.A.get_buffer("basis").clone()
    ran = run_inputs(layer, torch.full((2, 3, 6, 6), x, dtype=torch.float64), given("upstream_a"))

    assert ran.results["grad_input"].isfinite().all()
    if x == 0:
        assert torch.equal(layer.A.get_buffer("basis"), before)
    else:
        fitted = before + (5 - before.sum()) / 2
        torch.testing.assert_close(layer.A.get_buffer("basis"), 0.9 * before + 0.1 * fitted)


def test_more_bits() -> None:
    """Four bits have sixteen levels, and a linear map has a basis for each row."""
    layer = lq_layer(weight_bits=4)
    module = ESTIMATORS.build("lq_net", {"weight_bits": 2}).binarizer("W", (5, 8), Clock(), 0)

    assert layer.W(layer.weight)[0].unique().numel() <= 16
    assert module(given("linear_weight").float()).shape == (5, 8)
    assert module.get_buffer("basis").shape == (5, 2)
