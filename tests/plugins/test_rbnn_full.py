"""RBNN against its released code; its rotation, once an epoch; how it starts."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from oracle import Case, Ran, cases, given, make_layer, rotation, run_layer
from torch import Tensor, nn

from bench.nn.clock import Clock
from bench.nn.layers import BinaryConv2d
from bench.plugin import Recipe, standardized
from bench.registry import ESTIMATORS

RECIPE = Recipe(epochs=10)


@pytest.mark.parametrize("case", cases("rbnn"), ids=str)
def test_is_the_released_module(case: Case) -> None:
    """Output, effective tensors, all gradients, and rotations after an update, to 1e-9."""
    o = case.options
    w, scale, upstream = (given(name) for name in o["inputs"].split(", "))
    p = math.log(o["t"] / 0.01) / math.log(1000)
    layer: Any = make_layer(ESTIMATORS.build("rbnn_full", {}), w, p=p, real_input=o["a32"])
    own = layer.W
    fresh = torch.full((len(w),), math.pi / 2, dtype=torch.float64)
    beta = fresh if o["angle"] == "pi/2" else given(o["angle"].removeprefix("inputs."))
    with torch.no_grad():
        for ours, theirs in (
            (own.R1, rotation(3)),
            (own.R2, rotation(9)),
            (own.after.alpha, scale),
            (own.beta, beta),
        ):
            ours.copy_(theirs)
    if o["epoch"] >= 0:
        own.turn(layer.weight)

    ran = run(layer, upstream)

    ran.results |= {"grad_alpha": own.after.alpha.grad, "grad_rotate": own.beta.grad}
    ran.results |= {"R1": own.R1, "R2": own.R2}
    ran.results["rotated"] = own.R1.T @ own.matrices(standardized(w)) @ own.R2
    ran.check(case)


def run(layer: BinaryConv2d, upstream: Tensor) -> Ran:
    return run_layer(layer, given("input"), upstream)


def test_turns_once_an_epoch() -> None:
    """Rotations move when an epoch begins, not when a resumed one begins again; they stay such."""
    net, clock, plugin = nn.ModuleList(), Clock(), ESTIMATORS.build("rbnn_full", {})
    layer: Any = make_layer(plugin, given("weight"), clock=clock)
    net.append(layer)
    coach = plugin.coach(net, clock, RECIPE)
    seen = [layer.W.R2.clone()]
    for epoch in (0, 0, 1):
        with torch.no_grad():
            layer.weight.add_(0.1 * given("upstream_w") * epoch)
            coach.begin_epoch(epoch, 0.1)
        seen.append(layer.W.R2.clone())

    assert [torch.equal(a, b) for a, b in pairwise(seen)] == [False, True, False]
    for r in (layer.W.R1, layer.W.R2):
        torch.testing.assert_close(r.T @ r, torch.eye(len(r), dtype=r.dtype))
    assert {"0.W.R1", "0.W.R2", "0.W.done"} <= net.state_dict().keys()


def test_a_rotation_brings_weights_closer_to_their_signs() -> None:
    """Turning raises the sum of |r|, what the rule maximizes."""
    layer: Any = make_layer(ESTIMATORS.build("rbnn_full", {}), given("weight8"))
    x = layer.W.matrices(standardized(given("weight8")))
    sizes: list[float] = []
    for _ in range(3):
        sizes.append((layer.W.R1.T @ x @ layer.W.R2).abs().sum().item())
        layer.W.turn(layer.weight)

    assert sizes[0] < sizes[1] <= sizes[2]


def test_starts_without_a_gradient_of_latents() -> None:
    """At β = π/2 latents get nothing; another start, or an attached rotation, lets some through."""
    grads = [
        run(make_layer(ESTIMATORS.build("rbnn_full", fields), given("weight")), given("upstream"))
        .results["grad_weight"]
        .abs()
        .max()
        .item()
        for fields in ({}, {"beta_start": 0.5}, {"detach_rotation": "off"})
    ]

    assert grads[0] < 1e-6
    assert min(grads[1:]) > 0.1


def test_alpha_starts_at_a_mean_magnitude() -> None:
    """Expected: 1/(2√27); weights: that of the weights there are, unless it trained before."""
    plugin, clock = ESTIMATORS.build("rbnn_full", {"alpha_init": "weights"}), Clock()
    layer: Any = make_layer(plugin, given("weight"), clock=clock)
    torch.testing.assert_close(layer.W.after.alpha[0].item(), 0.5 / math.sqrt(27))
    plugin.coach(nn.ModuleList([layer]), clock, RECIPE)
    begun = layer.W.after.alpha.clone()
    torch.testing.assert_close(begun, given("weight").abs().mean((1, 2, 3)))
    layer.W.done.fill_(3)
    layer.weight.data.mul_(2)
    plugin.coach(nn.ModuleList([layer]), clock, RECIPE)

    assert torch.equal(layer.W.after.alpha, begun)
