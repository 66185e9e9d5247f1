"""SiMaN against numbers of its released code."""

import pytest
import torch

from bench.nn.clock import Clock
from bench.nn.layers import BinaryConv2d
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe
from tests.oracle import Case, cases, given, gradient, make_layer, put, run_layer

RANK = {"median": "median", "quick": "half"}


def clamped_layer(rank: str, p: float) -> BinaryConv2d:
    """A layer at progress p, its latents as they are before a step."""
    plugin, clock = ESTIMATORS.build("siman", {"rank": rank}), Clock()
    layer = make_layer(plugin, given("weight"), clock=clock)
    coach = plugin.coach(layer, clock, Recipe(epochs=1))
    clock.set(p)
    coach.before_step()
    return layer


@pytest.mark.parametrize("case", cases("siman"), ids=str)
def test_layer(case: Case) -> None:
    """Latents as clamped before the step, output, stored halves and every gradient."""
    layer = clamped_layer(RANK[case.options["sort"]], 1 - case.options["percent"] / 15)
    put(layer.W.after.alpha, given("scale"))  # pyright: ignore[reportAttributeAccessIssue]
    ran = run_layer(layer, given("input"), given("upstream"))
    ran.results |= {
        "grad_alpha": gradient(layer.W.after.alpha),  # pyright: ignore[reportAttributeAccessIssue]
        "weight_after_forward": layer.weight,
        "B": (layer.W.get_buffer("upper") + 1) / 2,
    }

    ran.check(case, *case.results)


@pytest.mark.parametrize("rank", ["median", "half"])
def test_halves(rank: str) -> None:
    """Of an even filter half are +1; evaluation has those of the last training forward."""
    layer = clamped_layer(rank, 0.5)
    weights = torch.randn(4, 3, 4, 2, dtype=torch.float64)
    layer.W.upper = torch.ones_like(weights)
    trained = layer.W(weights)
    layer.eval()

    assert trained.sum((1, 2, 3)).tolist() == [0, 0, 0, 0]
    assert torch.equal(layer.W(torch.randn_like(weights)), trained)


def test_steps_are_kept() -> None:
    """Clamping changes weights in the order in which they lie, channels last as well."""
    plain = clamped_layer("median", 0.3).weight.detach()
    plugin, clock = ESTIMATORS.build("siman", {}), Clock()
    layer = make_layer(plugin, given("weight"), clock=clock)
    layer.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    coach = plugin.coach(layer, clock, Recipe(epochs=1))
    clock.set(0.3)
    coach.before_step()

    torch.testing.assert_close(layer.weight.detach(), plain, rtol=1e-12, atol=0)
