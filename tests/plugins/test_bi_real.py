"""Bi-Real Net against its released layer, a toolkit's, and larq's factor."""

import pytest
from torch import nn

from bench.plugin import Clock, Recipe
from bench.registry import ESTIMATORS
from tests.oracle import Case, cases, close, given, make_layer, run_layer, run_weights


@pytest.mark.parametrize("case", [*cases("bi_real"), *cases("bi_real_bibench")], ids=str)
def test_oracle(case: Case) -> None:
    """E sign(w) by filter without a factor in the gradient, ApproxSign of inputs."""
    layer = make_layer(ESTIMATORS.build("bi_real", {}), given("weight"))
    ran = run_layer(layer, given("input"), given("upstream"))
    ran.check(case)
    if "grad_conv_weights" in case.results:
        close(ran.results["grad_weight"], case, "grad_conv_weights")


def test_magnitude_aware_gradient() -> None:
    """scale_grad: factor is larq's magnitude_aware_sign."""
    (case,) = (c for c in cases("larq") if c.name == "magnitude_aware_sign")
    plugin = ESTIMATORS.build("bi_real", {"scale_grad": "factor"})

    run_weights(make_layer(plugin, given("weight"), zero=1), given("upstream_w")).check(case)


def test_uniform_start() -> None:
    """init: uniform draws all binary weights from U(0, 0.001); else they stay."""
    for init in ("backbone", "uniform"):
        plugin = ESTIMATORS.build("bi_real", {"init": init})
        layer = make_layer(plugin, given("weight"))
        plugin.coach(nn.Sequential(layer), Clock(), Recipe(epochs=1))
        low, high = layer.weight.min().item(), layer.weight.max().item()

        assert (0 <= low <= high <= 0.001) == (init == "uniform")
