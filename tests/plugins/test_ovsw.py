"""OvSW against numbers of its released code."""

import pytest
import torch

from bench.nn.clock import Clock
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe
from tests.oracle import Case, cases, close, given, gradient, make_layer, put, run_layer

AFTER = ("grad_after_ags", "grad_after_sad", "tracker")


@pytest.mark.parametrize("case", cases("ovsw"), ids=str)
def test_layer(case: Case) -> None:
    """Output and gradients; then both rules on the gradient, and what they remember."""
    options = {"delta": case.options["delta"], "lam": case.options["lambda"]}
    plugin = ESTIMATORS.build("ovsw", options)
    layer = make_layer(plugin, given("weight")).train(case.options["training"])
    ran = run_layer(layer, given("input"), given("upstream"))
    signs, scale = layer.W(layer.weight)
    ran.results["effective_weight"] = signs  # the source has its scale after the convolution
    ran.results["grad_effective_weight"] = ran.results["grad_effective_weight"] * scale
    ran.results["grad_weight"] = ran.results["grad_weight"].clone()

    ran.check(case, *(n for n in case.results if n not in AFTER))

    coach = plugin.coach(torch.nn.ModuleList([layer]), Clock(), Recipe(epochs=1))
    put(coach.get_buffer("tracker0"), 2e-4 * (given("grad_prev") > 0).double())
    put(coach.get_buffer("signs0"), (given("weight") - 4 * given("grad_prev")).sign())
    coach.after_backward()

    close(gradient(layer.weight), case, "grad_after_sad")
    close(coach.get_buffer("tracker0"), case, "tracker")
    scaled = ESTIMATORS.build("ovsw", options | {"lam": 0.0})
    layer.weight.grad = ran.results["grad_weight"].clone()
    scaled.coach(torch.nn.ModuleList([layer]), Clock(), Recipe(epochs=1)).after_backward()
    close(gradient(layer.weight), case, "grad_after_ags")


def test_silent_at_first() -> None:
    """Every weight is silent until its sign changes once; then it is not for 2,301 steps."""
    plugin = ESTIMATORS.build("ovsw", {"delta": 0.0, "lam": 1.0})
    layer = make_layer(plugin, given("weight"))
    coach = plugin.coach(torch.nn.ModuleList([layer]), Clock(), Recipe(epochs=1))
    layer.weight.grad = torch.zeros_like(layer.weight)
    coach.after_backward()
    assert torch.equal(gradient(layer.weight), layer.weight.detach())

    with torch.no_grad():
        layer.weight[0, 0, 0, 0].neg_()
    layer.weight.grad = torch.zeros_like(layer.weight)
    coach.after_backward()
    woken = gradient(layer.weight) == 0

    assert woken.sum() == 1
    assert woken[0, 0, 0, 0]
    assert 0.001 * 0.999**2301 > 1e-4 > 0.001 * 0.999**2302
