"""SQ against the formulas of its released Caffe code, with its draws and with torch's."""

from typing import Any

import pytest
import torch

from bench.nn.clock import Clock
from bench.plugin import BinaryConv2d, Recipe
from bench.registry import ESTIMATORS
from tests.oracle import (
    Case,
    cases,
    close,
    convolution_gradient,
    given,
    make_layer,
    run_layer,
    run_weights,
)


def sq(case: Case, **params: object) -> Any:
    bits = 2 if "ternary" in case.name else 1
    return ESTIMATORS.build("sq", {"weight_bits": bits, "ratio": case.options["ratio"]} | params)


def sq_layer(monkeypatch: pytest.MonkeyPatch, case: Case) -> BinaryConv2d:
    """A layer that draws what the oracle drew."""
    draws = torch.tensor(case.options["uniform draws"], dtype=torch.float64)

    def rand(count: int, **_: object) -> torch.Tensor:
        assert count == len(draws)
        return draws

    monkeypatch.setattr(torch, "rand", rand)
    return make_layer(sq(case), given("weight"))


@pytest.mark.parametrize("case", cases("sq"), ids=str)
def test_weights(monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    """Errors, the filters that stay real, the mixed weights, and the gradient as it is."""
    layer, plugin, w = sq_layer(monkeypatch, case), sq(case), given("weight")
    ran = run_weights(layer, given("upstream_w"))
    ran.check(case)
    close(plugin.errors(w), case, "error")
    close(plugin.quantized(w).abs().amax((1, 2, 3)), case, "scale")
    if "threshold" in case.results:
        kept = plugin.quantized(w) != 0
        assert w.abs()[~kept].max() <= case.results["threshold"] < w.abs()[kept].min()

    real = (ran.results["effective_weight"] == w).all(3).all(2).all(1)
    assert real.nonzero().flatten().tolist() == case.results["real"]


def test_gradient_through_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """dL/dw is the convolution's own gradient at the mixed weights."""
    layer = sq_layer(monkeypatch, cases("sq")[0])
    ran = run_layer(layer, given("input"), given("upstream"))
    g = convolution_gradient(ran, given("upstream"))

    torch.testing.assert_close(ran.results["grad_weight"], g, rtol=1e-9, atol=1e-12)


def test_a_coach_draws_before_each_step() -> None:
    """Then the forward draws no more; the same seed draws the same filters."""
    plugin = ESTIMATORS.build("sq", {"ratio": 50})
    layer = make_layer(plugin, given("weight"))
    coach = plugin.coach(layer, Clock(), Recipe(epochs=1))
    seen: list[torch.Tensor] = []
    for _ in range(2):
        torch.manual_seed(3)
        for _ in range(20):
            coach.before_step()
            state = torch.get_rng_state()
            seen.append(layer.W(layer.weight).detach())
            assert torch.equal(torch.get_rng_state(), state)
            assert (seen[-1] == layer.weight).flatten(1).all(1).sum() == 2

    assert all(torch.equal(a, b) for a, b in zip(seen[:20], seen[20:], strict=True))
    assert len({x.sum().item() for x in seen}) > 1


@pytest.mark.parametrize(
    ("ratio", "filters", "real"), [(80, 10, 2), (90, 10, 1), (80, 5, 1), (87.5, 12, 1), (75, 7, 1)]
)
def test_how_many_stay_real(ratio: float, filters: int, real: int) -> None:
    """⌊(1 - ratio/100) C_out⌋, of the numbers and not of what floats make of them."""
    plugin = ESTIMATORS.build("sq", {"ratio": ratio})
    layer: Any = make_layer(plugin, torch.ones(filters, 3, 3, 3))

    assert layer.W.count == real


def test_evaluation() -> None:
    """All filters are quantized, unless the method is told to draw as its code does."""
    for name, filters in (("full", 0), ("draw", 2)):
        plugin = ESTIMATORS.build("sq", {"ratio": 50, "eval": name})
        layer = make_layer(plugin, given("weight")).eval()
        real = (layer.W(layer.weight) == layer.weight).flatten(1).all(1)

        assert real.sum() == filters


@pytest.mark.parametrize("probability", ["linear", "uniform", "sigmoid"])
def test_worst_filters_stay_real_more_often(probability: str) -> None:
    """By their error, but for `uniform`."""
    plugin = ESTIMATORS.build("sq", {"ratio": 75, "probability": probability})
    layer: Any = make_layer(plugin, given("weight")).W
    torch.manual_seed(0)
    times = torch.zeros(4)
    for _ in range(400):
        layer.draw(given("weight"))
        times += layer.real.flatten()
    errors: Any = plugin
    share = errors.errors(given("weight"))
    share = {"linear": share, "sigmoid": share.sigmoid(), "uniform": torch.ones(4)}[probability]

    torch.testing.assert_close(times / 400, (share / share.sum()).float(), rtol=0, atol=0.08)


@pytest.mark.parametrize("bits", [1, 2])
def test_zeros(bits: int) -> None:
    """A layer of zeros has no errors, draws nothing, and stays finite."""
    plugin = ESTIMATORS.build("sq", {"ratio": 50, "weight_bits": bits})
    ran = run_weights(make_layer(plugin, torch.zeros(4, 3, 3, 3)), given("upstream_w"))

    assert ran.results["effective_weight"].abs().sum() == 0
    assert torch.equal(ran.results["grad_weight"], given("upstream_w"))


def test_stages() -> None:
    """Four ratios, the last of them all."""
    plugin = ESTIMATORS.build("sq", {"weight_bits": 2})

    assert [stage.fields["ratio"] for stage in plugin.stages()] == [50, 75, 87.5, 100]
    assert (plugin.bits("W"), plugin.bits("A")) == (2, 32)
