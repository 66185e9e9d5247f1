"""Bop against the formula of its released optimizer, and through the trainer."""

import json
from pathlib import Path

import pytest
import torch
from oracle import HOME, Case, cases, close, given, make_layer, put

from bench.data.sources import Digits
from bench.nn.clock import Clock
from bench.nn.layers import Layers, binary_layers
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization, Recipe
from bench.train.model import Model
from bench.train.optimizer import make_optimizer
from bench.train.snapshot import Snapshot
from bench.train.trainer import TrainingStopped, train


@pytest.mark.parametrize("case", cases("bop"), ids=str)
def test_three_steps_are_the_released_optimizers(case: Case) -> None:
    """Weights, moments and flips after each of three gradients."""
    layer = make_layer(ESTIMATORS.build("bop", case.options), given("weight"))
    plugin, recipe = ESTIMATORS.build("bop", case.options), Recipe(epochs=1)
    optimizer = make_optimizer(layer, recipe, plugin.coach(layer, Clock(), recipe))
    one, two = given("upstream_w"), given("grad_prev")
    flips: list[int] = []
    for step, grad in enumerate((one, 20 * two - 1.5 * one, 0.5 * one - 30 * two), 1):
        before = layer.weight.detach().clone()
        layer.weight.grad = grad
        optimizer.step()
        flips.append(int((layer.weight != before).sum()))
        close(layer.weight, case, f"weight_{step}")
        close(optimizer.state_dict()["state"][0]["m"], case, f"moment_{step}")

    assert flips == case.results["flips"]


def test_gamma_falls_as_the_schedules_say() -> None:
    """By ten each hundred epochs, or on a line to its end."""
    oracle = json.loads((HOME / "schedules.json").read_text(encoding="utf-8"))
    recipe = Recipe(epochs=oracle["epochs"])
    coach = ESTIMATORS.build("bop", {}).coach(torch.nn.Module(), Clock(), recipe)
    for e, values in oracle["at"].items():
        coach.begin_epoch(int(e), 0.1)
        expected = values["bop gamma (1e-4, x.1 each 100 epochs)"]
        assert coach.gamma == pytest.approx(expected, rel=1e-12)  # type: ignore[attr-defined]
    line = ESTIMATORS.build("bop", {"gamma_rule": "linear"}).coach(
        torch.nn.Module(), Clock(), recipe
    )
    line.begin_epoch(200, 0.1)
    assert line.gamma == pytest.approx((1e-4 + 1e-6) / 2)  # type: ignore[attr-defined]


def test_at_the_threshold_nothing_flips() -> None:
    """w m must be above it; the released code gives +1 there."""
    layer = make_layer(ESTIMATORS.build("bop", {}), given("weight"))
    plugin, recipe = ESTIMATORS.build("bop", {"threshold": 0.5, "gamma": 1}), Recipe(epochs=1)
    optimizer = make_optimizer(layer, recipe, plugin.coach(layer, Clock(), recipe))
    put(layer.weight, -torch.ones(4, 3, 3, 3))
    layer.weight.grad = torch.full_like(layer.weight, -0.5)
    optimizer.step()

    assert bool((layer.weight == -1).all())


class Stopper:
    """Keeps a snapshot before one step and stops there."""

    def __init__(self, at: int) -> None:
        self.at, self.asked, self.kept = at, 0, list[Snapshot]()

    def due(self) -> bool:
        return False

    def stopping(self) -> bool:
        self.asked += 1
        return self.asked == self.at

    def keep(self, snapshot: Snapshot) -> None:
        self.kept.append(snapshot)


@pytest.mark.parametrize("others", ["recipe", "adam"])
def test_training_holds_signs_and_resumes(others: str) -> None:
    """Weights stay -1 and +1, some flip, and a run stopped inside an epoch ends in the same."""
    ends: list[dict[str, torch.Tensor]] = []
    for stop in (None, 5):
        built, snapshot, stopper = model(others), None, Stopper(stop or 0)
        try:
            run(built, None, stopper if stop else None)
        except TrainingStopped:
            built, (snapshot,) = model(others), stopper.kept
            run(built, snapshot, None)
        assert (snapshot is None) == (stop is None)
        ends.append({k: v.clone() for k, v in built.net.state_dict().items()})
    start = {name: w.weight.detach() for name, w in binary_layers(model(others).net)}

    assert all(torch.equal(ends[0][k], ends[1][k]) for k in ends[0])
    weights = torch.cat([ends[0][f"{name}.weight"].flatten() for name in start])
    assert set(weights.tolist()) == {-1.0, 1.0}
    assert bool((weights != torch.cat([w.flatten().sign() for w in start.values()])).any())


def model(others: str) -> Model:
    torch.manual_seed(0)
    clock, plugin = Clock(), ESTIMATORS.build("bop", {"others": others, "gamma": 0.01})
    layers = Layers(
        lambda role, shape: plugin.binarizer(role, shape, clock, 0), Binarization(scale="none")
    )
    return Model(BACKBONES.build("resnet20", {"width": 2}).build(10, 1, layers), clock, plugin)


def run(built: Model, snapshot: Snapshot | None, stopper: Stopper | None) -> None:
    recipe = Recipe(epochs=2, batch_size=32, lr=0.01)
    data = Digits(train=96, test=60).load(Path("nowhere"))
    train(
        built.net, built.clock, data, recipe, 3,
        coach=built.coach(recipe), resume=snapshot, checkpointer=stopper,
    )  # fmt: skip
