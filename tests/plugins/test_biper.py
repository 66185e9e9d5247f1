"""BiPer against numbers of its released code."""

import pytest
import torch

from bench.nn.clock import Clock
from bench.nn.coach import Seen
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe
from tests.oracle import Case, cases, close, given, gradient, make_layer, put, run_layer


@pytest.mark.parametrize("case", cases("biper"), ids=str)
def test_layer(case: Case) -> None:
    """Both stages, training and evaluation: output, every gradient, and the loss's term."""
    stage, omega = case.options["stage"], case.options["freq"]
    plugin = ESTIMATORS.build("biper", {"stage": stage, "omega": omega, "tau": 1.0})
    layer = make_layer(plugin, given("weight")).train(case.options["training"])
    put(layer.W.after.alpha, given("scale"))  # pyright: ignore[reportAttributeAccessIssue]
    ran = run_layer(layer, given("input"), given("upstream"))
    ran.results["grad_alpha"] = gradient(layer.W.after.alpha)  # pyright: ignore[reportAttributeAccessIssue]
    layer.weight.grad = None
    coach = plugin.coach(torch.nn.ModuleList([layer]), Clock(), Recipe(epochs=1))
    logits, labels = torch.zeros(1, 2).double(), torch.zeros(1, dtype=torch.long)
    term = coach.loss(logits, labels, Seen()) - torch.log(torch.tensor(2.0).double())
    term.backward()

    ran.check(case, *(n for n in case.results if "regularizer" not in n))
    close(term, case, "regularizer")
    close(gradient(layer.weight), case, "grad_regularizer")


def test_stages() -> None:
    """Sines first, then their signs from the best of them; each with what the paper sets for it."""
    plugin = ESTIMATORS.build("biper", {"first_epochs": 600, "first_lr": 0.021})
    first, second = plugin.stages()
    one, two = (plugin.model_copy(update=s.fields) for s in (first, second))

    assert (first.epochs, first.lr, first.keep, first.fields["tau"]) == (600, 0.021, "best", 0.037)
    assert (one.bits("W"), two.bits("W"), two.bits("A")) == (32, 1, 1)
    assert second.epochs is None


def test_regularizer_off() -> None:
    """Off is cross entropy alone."""
    plugin = ESTIMATORS.build("biper", {"regularizer": "off"})
    layer = make_layer(plugin, given("weight"))
    coach = plugin.coach(torch.nn.ModuleList([layer]), Clock(), Recipe(epochs=1))
    logits, labels = given("logits"), torch.arange(4)

    assert coach.loss(logits, labels, Seen()) == torch.nn.functional.cross_entropy(logits, labels)
