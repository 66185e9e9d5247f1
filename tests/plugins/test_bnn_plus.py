"""BNN+: slope, trained scale and regularizers, against the formulas."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nn.layers import BinaryConv2d
from bench.plugin import Clock, Recipe, Seen
from bench.registry import ESTIMATORS
from tests.oracle import Case, cases, close, given, make_layer, run_inputs, run_weights

SLOPES = [case for case in cases("bnn_plus") if case.name.startswith("weights")]
LOSSES = [case for case in cases("bnn_plus") if case.name.startswith("R")]
# the elementwise cases are of `sign_swish`, in test_slopes.py


def made(**params: Any) -> BinaryConv2d:
    return make_layer(ESTIMATORS.build("bnn_plus", params), given("weight"), zero=1)


@pytest.mark.parametrize("case", SLOPES, ids=str)
def test_slope(case: Case) -> None:
    """SignSwish's slope at weights and inputs; without a factor, or with α = 1, nothing else."""
    for params in ({}, {"scale_start": 0.5, "scale_grad": "none"}):
        layer = made(beta=case.options["beta"], **params)
        ran = run_weights(layer, given("upstream_w"))
        close(ran.results["grad_weight"], case, "grad_weight")
        close(layer.W(layer.weight)[0], case, "sign")
        at = run_inputs(layer, given("weight"), given("upstream_w"))
        close(at.results["grad_input"], case, "grad_weight")


def test_scale() -> None:
    """With a factor the gradient is α times that, and α's own is Σ g sign(w), within bounds."""
    case = SLOPES[0]
    layer = made(scale_start=0.5)
    ran = run_weights(layer, given("upstream_w"))
    alpha: Tensor = layer.W.alpha  # pyright: ignore

    close(2 * ran.results["grad_weight"], case, "grad_weight")
    assert alpha.grad is not None
    torch.testing.assert_close(alpha.grad, (given("weight").sign() * given("upstream_w")).sum())
    with torch.no_grad():
        alpha.fill_(20)
    assert layer.W(layer.weight)[1].item() == 10
    assert not made(scale="fixed").W.alpha.requires_grad  # pyright: ignore


def loss_of(layer: BinaryConv2d, **params: Any) -> tuple[Tensor, Tensor]:
    """The coach's loss of the oracles' logits, and the cross entropy in it."""
    plugin = ESTIMATORS.build("bnn_plus", params)
    coach = plugin.coach(nn.Sequential(layer), Clock(), Recipe(epochs=1))
    logits, labels = given("logits"), torch.tensor([3, 1, 0, 9])
    return coach.loss(logits, labels, Seen()), F.cross_entropy(logits, labels)


@pytest.mark.parametrize("case", LOSSES, ids=str)
def test_loss(case: Case) -> None:
    """Cross entropy, and λ times R of the layer, with gradients to weights and α."""
    layer, form = made(scale_start=case.options["a"]), case.name[:2]
    with torch.no_grad():
        layer.W.alpha.fill_(case.options["a"])  # in float64  # pyright: ignore
    total, entropy = loss_of(layer, regularizer=form, weight=0.5)
    total.backward()

    close(2 * (total - entropy), case, "loss")
    assert layer.weight.grad is not None
    close(2 * layer.weight.grad, case, "grad_weight")
    close(2 * layer.W.alpha.grad, case, "grad_a")  # pyright: ignore


def test_other_losses() -> None:
    """regularizer: off leaves cross entropy; regularizer_scale: one has 1 for α."""
    layer = made(scale_start=0.25)
    total, entropy = loss_of(layer, regularizer="off")
    assert torch.equal(total, entropy)
    total, entropy = loss_of(layer, regularizer="R2", weight=1.0, regularizer_scale="one")

    torch.testing.assert_close(total - entropy, (1 - given("weight").abs()).square().sum())
