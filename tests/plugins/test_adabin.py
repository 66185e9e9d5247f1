"""AdaBin against its released code. Maxout, the oracle's fourth case, is of the networks."""

import math
from typing import Any

import pytest
import torch
from oracle import Case, Ran, cases, given, make_layer, run_layer

from bench.registry import ESTIMATORS

LAYERS = [case for case in cases("adabin") if "t" in case.options]
SIGN = [case for case in cases("adabin") if "z" in case.results]


@pytest.mark.parametrize("case", LAYERS, ids=str)
def test_is_the_released_module(case: Case) -> None:
    """Output, effective tensors and gradients, those of α and β too, to 1e-9."""
    ran = run(case.options["t"], case.options["alpha_a"], case.options["beta_a"])

    own: Any = ran.layer.A
    ran.results["grad_binary_a_alpha_a"] = own.alpha.grad
    ran.results["grad_binary_a_beta_a"] = own.beta.grad
    ran.check(case)


@pytest.mark.parametrize("case", SIGN, ids=str)
def test_sign_of_activations(case: Case) -> None:
    """Value and slope at points in [-2.5, 2.5], with α = 1 and β = 0."""
    z = case.tensor("z").requires_grad_()
    y = make_layer(ESTIMATORS.build("adabin", {}), given("weight")).A(z)
    y.sum().backward()

    assert z.grad is not None
    torch.testing.assert_close(y.detach(), case.tensor("value"))
    torch.testing.assert_close(z.grad, case.tensor("slope"))


def test_two_levels_in_either_form() -> None:
    """Code: ±α + αβ; paper: ±α + β. A filter has two levels, one deviation from its mean."""
    code, paper = (run(0.1, 0.5, 0.2, offset=form) for form in ("code", "paper"))

    assert levels(code.results["effective_input"]) == pytest.approx([-0.4, 0.6])
    assert levels(paper.results["effective_input"]) == pytest.approx([-0.3, 0.7])
    for w, found in zip(given("weight"), code.results["effective_weight"], strict=True):
        mean, deviation = w.mean().item(), w.std(correction=0).item()
        assert levels(found) == pytest.approx([mean - deviation, mean + deviation])


def test_alpha_is_held_above_its_least() -> None:
    """With `alpha_min` an α that crossed 0 acts as the least, and its gradient is not cut."""
    held = run(0.1, -0.3, 0.0, alpha_min=0.01)

    assert levels(held.results["effective_input"]) == pytest.approx([-0.01, 0.01])
    alpha: Any = held.layer.A.alpha
    assert alpha.grad.abs() > 0


def test_without_its_flag_t_stays() -> None:
    """`progressive: off` is t = 0.1 at any progress."""
    ran = run(10.0, 1.0, 0.0, progressive="off")
    start = run(0.1, 1.0, 0.0)

    torch.testing.assert_close(ran.results["grad_weight"], start.results["grad_weight"])


def run(t: float, alpha: float, beta: float, **fields: object) -> Ran:
    p = math.log(t / 1e-3) / math.log(1e4)
    layer: Any = make_layer(ESTIMATORS.build("adabin", fields), given("weight"), p=p)
    layer.A.alpha.data.fill_(alpha)
    layer.A.beta.data.fill_(beta)
    return run_layer(layer, given("input"), given("upstream"))


def levels(x: torch.Tensor) -> list[float]:
    return sorted(set(x.detach().flatten().tolist()))
