"""LCR-BNN's loss against its released code, and how it stands on its base."""

from importlib import import_module
from typing import Any

import pytest
import torch
from oracle import Case, cases, given, make_layer, run_layer
from torch import Tensor, nn

from bench.nn.clock import Clock
from bench.nn.coach import Seen, Teaching
from bench.plugin import Coach, Recipe
from bench.registry import ESTIMATORS

CODE: Any = import_module("bench.shipped.estimators.lcr_bnn")
RECIPE = Recipe(epochs=4)


class Staged(nn.ModuleList):
    """A network that names four stages, with one layer."""

    stages = ("a", "b", "c", "d")


def made(base: str = "ir_net", **fields: object) -> tuple[Any, Any]:
    plugin, clock = ESTIMATORS.build("lcr_bnn", {"base": base} | fields), Clock()
    net = Staged([make_layer(plugin, given("weight"), clock=clock)])
    return plugin.coach(net, clock, RECIPE).double(), net


def seen() -> Seen:
    binary, real = (tuple(given(f"stage{i}_{k}") for i in range(4)) for k in "bf")
    return Seen(stage=binary, teacher=Teaching(given("teacher_logits"), real))


LABELS = torch.tensor([1, 3])
LOGITS = given("logits")[:2]


@pytest.mark.parametrize("case", cases("lcr_bnn"), ids=str)
def test_is_the_released_loss(case: Case) -> None:
    """L, retention matrices, σ of both networks and gradients to each stage, to 1e-9."""
    coach, _ = made(iterations=case.options["iterations"], normalise="none", alpha=1.0)
    all_seen = seen()
    assert all_seen.teacher is not None
    for stage in all_seen.stage:
        stage.requires_grad_()
    cross_entropy = Coach(RECIPE).loss(LOGITS, LABELS, all_seen)
    loss = coach.loss(LOGITS, LABELS, all_seen) - cross_entropy
    loss.backward()

    found: dict[str, Tensor] = {"loss": loss.detach()}
    for i, stage in enumerate(all_seen.stage):
        assert stage.grad is not None
        found[f"grad_stage{i}_b"] = stage.grad
    for i in range(3):
        for who, stages in (("b", all_seen.stage), ("f", all_seen.teacher.stage)):
            r = CODE.matrix(stages[i], stages[i + 1]).detach()
            found[f"sigma_{i}_{who}"] = CODE.sigma(r, 1)
            if who == "b":
                found[f"retention_{i}"] = r
    assert found.keys() == case.results.keys()
    for name, ours in found.items():
        theirs = torch.as_tensor(case.results[name], dtype=torch.float64).flatten()
        torch.testing.assert_close(ours.flatten(), theirs, rtol=1e-9, atol=1e-12)


def test_weight_of_the_loss() -> None:
    """As released alpha L/N/1e4, else alpha L; γ trains."""
    plain = Coach(RECIPE).loss(LOGITS, LABELS, seen())
    code, whole = (made(normalise=n)[0] for n in ("code", "none"))
    added = [coach.loss(LOGITS, LABELS, seen()) - plain for coach in (code, whole)]
    added[1].backward()

    torch.testing.assert_close(added[0] * 2e4, added[1], rtol=1e-7, atol=0)
    assert code.gamma.shape == (4,)
    assert whole.gamma.grad.abs().min() > 0


def test_more_steps_come_near_the_largest_singular_value() -> None:
    """σ after thirty steps is the spectral norm of the retention matrix."""
    r = CODE.matrix(given("stage0_b"), given("stage1_b"))

    torch.testing.assert_close(CODE.sigma(r, 30), torch.linalg.matrix_norm(r, 2), rtol=1e-6, atol=0)
    torch.testing.assert_close(CODE.sigma(torch.zeros_like(r), 1), torch.full((2,), 1e-6).double())


@pytest.mark.parametrize("base", ["ir_net", "rbnn_full"])
def test_layers_are_the_base_methods(base: str) -> None:
    """Outputs and gradients equal those of the base, whose coach acts as well."""
    torch.manual_seed(0)
    coach, net = made(base)
    torch.manual_seed(0)
    other = make_layer(ESTIMATORS.build(base, {}), given("weight"))
    ours, theirs = (run_layer(x, given("input"), given("upstream")) for x in (net[0], other))
    for name, found in ours.results.items():
        assert torch.equal(found, theirs.results[name])
    coach.begin_epoch(2, 0.1)
    for hook in (coach.before_step, coach.after_backward, coach.after_step):
        hook()

    assert coach.groups() == []
    assert base == "ir_net" or net[0].W.done == 2
