"""BD-BNN's loss against its released code."""

import pytest
import torch
from oracle import Case, cases, close, given, gradient, make_layer, run_layer

from bench.nn.clock import Clock
from bench.plugin import Seen
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe

LOGITS, LABELS = given("logits"), torch.tensor([0, 3, 5, 9])


@pytest.mark.parametrize("case", cases("bd_bnn"), ids=str)
def test_loss_is_the_released_one(case: Case) -> None:
    """What comes on top of the recipe's loss, and its gradient to weights."""
    plugin, recipe = ESTIMATORS.build("bd_bnn", case.options), Recipe(epochs=1)
    layer = make_layer(plugin, given("weight"))
    plain = plugin.model_copy(update={"strength": 0.0}).coach(layer, Clock(), recipe)
    added = plugin.coach(layer, Clock(), recipe).loss(LOGITS, LABELS, Seen())
    added = added - plain.loss(LOGITS, LABELS, Seen())
    added.backward()

    close(added, case, "loss")
    close(gradient(layer.weight), case, "grad_weight")
    close(added.detach().sqrt() + case.options["target"], case, "kurtosis")


def test_equal_weights_stay_finite() -> None:
    """Their deviation is 0; the loss and its gradient are numbers."""
    plugin = ESTIMATORS.build("bd_bnn", {})
    layer = make_layer(plugin, torch.full((4, 3, 3, 3), 0.5))
    loss = plugin.coach(layer, Clock(), Recipe(epochs=1)).loss(LOGITS, LABELS, Seen())
    loss.backward()

    assert bool(loss.isfinite())
    assert bool(gradient(layer.weight).isfinite().all())


def test_weights_and_inputs_are_bi_reals() -> None:
    """The same layer as Bi-Real's, whose oracles they have."""
    ran = [
        run_layer(
            make_layer(ESTIMATORS.build(name, {}), given("weight")),
            given("input"),
            given("upstream"),
        )
        for name in ("bd_bnn", "bi_real")
    ]
    for name, found in ran[0].results.items():
        torch.testing.assert_close(found, ran[1].results[name], rtol=1e-12, atol=1e-12)
