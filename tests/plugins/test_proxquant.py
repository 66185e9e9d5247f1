"""ProxQuant against its released code's proximal steps, and the order of its epochs."""

from typing import Any

import pytest
import torch

from bench.nn.clock import Clock
from bench.plugin import Recipe
from bench.registry import ESTIMATORS
from tests.oracle import Case, cases, close, given, make_layer, run_weights

ONE: Any = ESTIMATORS.build("proxquant", {})
TWO: Any = ESTIMATORS.build("proxquant", {"weight_bits": 2})


@pytest.mark.parametrize("case", cases("proxquant"), ids=str)
def test_proximal_steps(case: Case) -> None:
    """
    Both steps on the weights of a layer, and what ternary weights are evaluated with.

    `binary_prox` is not clipped and is compared inside [-1, 1] alone, for the method always clips;
    `binary_regularizer`, the penalty whose step it is, is not computed in training.
    """
    strength = case.options["lambda"]
    for plugin, name in ((ONE, "binary_prox_then_clip"), (TWO, "ternary_prox")):
        layer = make_layer(plugin, given("weight"))
        coach = plugin.coach(layer, Clock(), Recipe(epochs=9))
        coach.strength = strength
        coach.after_step()
        close(layer.weight, case, name)
    layer = make_layer(TWO, given("weight")).eval()
    close(layer.W(layer.weight), case, "ternarized")

    inside = case.tensor("binary_prox").abs() <= 1
    clipped = case.tensor("binary_prox_then_clip")
    torch.testing.assert_close(
        ONE.prox(given("weight"), strength).flatten()[inside], case.tensor("binary_prox")[inside]
    )
    assert torch.equal(case.tensor("binary_prox").clamp(-1, 1), clipped)
    penalty = (given("weight").abs() - 1).abs().mean()
    assert penalty.item() == pytest.approx(case.results["binary_regularizer"])


def test_real_in_training_binary_in_evaluation() -> None:
    """The gradient is that of real weights."""
    layer = make_layer(ONE, given("weight"))
    ran = run_weights(layer, given("upstream_w"))

    assert torch.equal(ran.results["effective_weight"], given("weight"))
    assert torch.equal(ran.results["grad_weight"], given("upstream_w"))
    assert torch.equal(layer.eval().W(layer.weight), given("weight").sign())


@pytest.mark.parametrize(("rate", "strength"), [("current", 0.02), ("first", 0.2)])
def test_strength_of_an_epoch(rate: str, strength: float) -> None:
    """λ = strength · lr · epoch, of the epoch's rate or of the first."""
    plugin: Any = ESTIMATORS.build("proxquant", {"rate": rate, "strength": 1.0})
    coach = plugin.coach(make_layer(plugin, given("weight")), Clock(), Recipe(epochs=9))
    coach.begin_epoch(2, 0.01)

    assert coach.strength == pytest.approx(strength)


@pytest.mark.parametrize("plugin", [ONE, TWO], ids=["one bit", "two bits"])
def test_freeze(plugin: Any) -> None:
    """From two thirds on weights are what evaluation has, whatever a step does; resumed, too."""
    layer = make_layer(plugin, given("weight"))
    coach = plugin.coach(layer, Clock(), Recipe(epochs=9))
    coach.begin_epoch(5, 0.1)
    assert torch.equal(layer.weight, given("weight"))
    coach.begin_epoch(6, 0.1)
    frozen = plugin.quantized(given("weight"))
    assert torch.equal(layer.weight, frozen)

    run_weights(layer, given("upstream_w"))
    coach.after_backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() == 0
    again = plugin.coach(layer, Clock(), Recipe(epochs=9))
    again.load_state_dict(coach.state_dict())
    for one in (coach, again):
        with torch.no_grad():
            layer.weight.mul_(0.7)
        one.begin_epoch(6, 0.1)
        one.after_step()
        assert torch.equal(layer.weight, frozen)


def test_stages() -> None:
    """A real network, then the method."""
    first, second = ONE.stages()

    assert (first.real, second.real) == (True, False)
    assert (TWO.bits("W"), ONE.bits("A")) == (2, 32)


def test_zeros_are_finite() -> None:
    """No weight beyond the threshold leaves zeros."""
    assert TWO.quantized(torch.zeros(4, 3, 3, 3)).abs().sum() == 0
    assert ONE.prox(torch.zeros(3), 2.0).tolist() == [0, 0, 0]
