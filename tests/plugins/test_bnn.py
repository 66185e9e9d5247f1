"""BNN against a published layer, and where its clip stands."""

import torch
from torch import nn

from bench.plugin import Clock, Recipe
from bench.registry import ESTIMATORS
from tests.oracle import cases, given, make_layer, run_layer


def test_oracle() -> None:
    """Signs, and 1[|.| ≤ 1] in both."""
    (case,) = cases("bnn")
    layer = make_layer(ESTIMATORS.build("bnn", {}), given("weight"))

    run_layer(layer, given("input"), given("upstream")).check(case)


def test_clip_outside() -> None:
    """clip: outside passes gradients as they are, to weights beyond ±1 too."""
    layer = make_layer(ESTIMATORS.build("bnn", {"clip": "outside"}), given("weight"))
    (case,) = cases("bnn")
    ran = run_layer(layer, given("input"), given("upstream"))

    ran.check(case, "output")
    torch.testing.assert_close(
        ran.results["grad_weight"].flatten(), case.tensor("grad_effective_weight")
    )


def test_weights_are_clipped_after_the_step() -> None:
    """To [-1, 1], unless clip_weights is off."""
    for option, most in (("on", 1.0), ("off", 3.0)):
        plugin = ESTIMATORS.build("bnn", {"clip_weights": option})
        layer = make_layer(plugin, torch.full((1, 1, 1, 1), 3.0))
        plugin.coach(nn.Sequential(layer), Clock(), Recipe(epochs=1)).after_step()

        assert layer.weight.item() == most
