"""ReCU against its released code."""

import math
from typing import Any

import pytest
import torch
from oracle import Case, cases, given, make_layer, run_layer

from bench.registry import ESTIMATORS

A = 0.14 / (math.e - 1)


@pytest.mark.parametrize("case", cases("recu"), ids=str)
def test_is_the_released_module(case: Case) -> None:
    """Output, Q and gradients at five τ, in training and evaluation, to 1e-9; at τ = 1 no clamp."""
    tau = case.options["tau"]
    p = math.log((min(tau, 0.99) - 0.85 + A) / A)
    layer: Any = make_layer(ESTIMATORS.build("recu", {}), given("weight"), p=p)
    layer.train(case.options["training"])
    if tau == 1:  # the released buffer before the first epoch
        layer.W.dial.value.fill_(-math.inf)
    layer.W.after.alpha.data.copy_(given("scale"))

    ran = run_layer(layer, given("input"), given("upstream"))

    ran.results["grad_alpha"] = layer.W.after.alpha.grad
    if tau < 1:
        ran.results["Q"] = layer.W.find_bound(layer.W.scaled(given("weight")))
    ran.check(case)


def test_alpha_starts_as_told() -> None:
    """From U(0, 1), or at 1/(2√27)."""
    layers: list[Any] = [
        make_layer(ESTIMATORS.build("recu", {"alpha_init": start}), given("weight"))
        for start in ("uniform", "expected")
    ]
    uniform, expected = (layer.W.after.alpha for layer in layers)

    assert len(set(uniform.tolist())) == 4
    torch.testing.assert_close(expected, torch.full_like(expected, 0.5 / math.sqrt(27)))
