"""RAD against numbers of its released loss, and of the paper's as a third party quotes it."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from bench.nn.clock import Clock
from bench.plugin import Coach, Estimator, Recipe, Seen
from bench.registry import ESTIMATORS
from tests.oracle import (
    Case,
    cases,
    close,
    convolution_gradient,
    given,
    gradient,
    make_layer,
    run_layer,
)

LOGITS, LABELS = torch.zeros(4, 10, dtype=torch.float64), torch.zeros(4, dtype=torch.long)


def rad(**params: object) -> Estimator:
    return ESTIMATORS.build("rad", {"weight": 1.0} | params)


def coached(plugin: Estimator, p: float = 0.0) -> Coach:
    clock = Clock()
    coach = plugin.coach(make_layer(plugin, given("weight")), clock, Recipe(epochs=1))
    clock.set(p)
    return coach


def preact(case: Case) -> torch.Tensor:
    if "input" in case.options:
        return given(case.options["input"]).requires_grad_()
    return (case.options["factor"] * given("input") + case.options["offset"]).requires_grad_()


def regularizer(coach: Coach, *xs: torch.Tensor) -> torch.Tensor:
    """What the loss has beside cross entropy."""
    return coach.loss(LOGITS, LABELS, Seen(preact=xs)) - F.cross_entropy(LOGITS, LABELS)


@pytest.mark.parametrize("case", cases("rad"), ids=str)
def test_released_loss(case: Case) -> None:
    """Both parts of the loss, their gradients, and their sum through the coach."""
    x, plugin = preact(case), rad()
    parts: Any = plugin
    first, second, third = parts.terms(x)
    close(first + second, case, "loss1")
    close(third, case, "loss2")
    if "grad_loss1" in case.results:
        for name, part in (("grad_loss1", first + second), ("grad_loss2", third)):
            close(torch.autograd.grad(part, x, retain_graph=True)[0], case, name)
    total = regularizer(coached(plugin), x)
    total.backward()

    close_to = case.tensor("loss1") + case.tensor("loss2")
    torch.testing.assert_close(total.detach().view(1), close_to, rtol=1e-9, atol=0)
    if "grad_sum" in case.results:
        close(gradient(x), case, "grad_sum")
    else:
        wanted = case.tensor("grad_loss1") + case.tensor("grad_loss2")
        torch.testing.assert_close(gradient(x).flatten(), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", cases("rad_paper"), ids=str)
def test_printed_loss(case: Case) -> None:
    """The paper's form, as quoted."""
    x = preact(case)
    ks = {name.lower().replace("k", "k_"): case.options[name] for name in ("kD", "kS", "kM")}
    loss = regularizer(coached(rad(form="paper", **ks)), x)
    loss.backward()

    torch.testing.assert_close(loss.detach().view(1), case.tensor("loss"), rtol=1e-9, atol=0)
    close(gradient(x), case, "grad")


def test_mean_over_layers_and_weight() -> None:
    """Two layers count as their mean; the weight is 0 from the epoch where it goes off."""
    x, y = given("input"), 0.1 * given("input") + 1
    one, two = (regularizer(coached(rad()), z) for z in (x, y))
    both = regularizer(coached(rad(weight=3.0)), x, y)

    torch.testing.assert_close(both, 1.5 * (one + two))
    assert regularizer(coached(rad(), p=0.91), x) == one
    assert regularizer(coached(rad(), p=60 / 65), x) == 0
    assert coached(rad()).loss(LOGITS, LABELS, Seen()) == F.cross_entropy(LOGITS, LABELS)


def test_constant_channel_is_finite() -> None:
    """A channel without deviation has finite gradients."""
    x = torch.ones(2, 3, 4, 4, requires_grad=True)
    regularizer(coached(rad()), x).backward()

    assert gradient(x).isfinite().all()


def test_layer() -> None:
    """Signs; gradients pass, those of inputs within 1; weights are clipped after the step."""
    plugin = rad()
    layer = make_layer(plugin, given("weight"))
    ran = run_layer(layer, given("input"), given("upstream"))
    g = convolution_gradient(ran, given("upstream"))
    plugin.coach(layer, Clock(), Recipe(epochs=1)).after_step()

    assert torch.equal(ran.results["effective_weight"], given("weight").sign())
    torch.testing.assert_close(ran.results["grad_weight"], g, rtol=1e-9, atol=1e-12)
    assert ran.results["grad_input"][given("input").abs() > 1].abs().sum() == 0
    assert torch.equal(layer.weight, given("weight").clamp(-1, 1))
