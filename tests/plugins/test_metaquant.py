"""
MetaQuant and FSG's fast net against their released code.

The gradients that stand for φ's are put in its place. Of `fsg.json` the two cases "fast and slow"
are not reproduced: the slow net is not built.
"""

from collections.abc import Callable

import pytest
import torch
from oracle import Case, cases, given, gradient, make_layer, put, run_layer
from torch import Tensor

from bench.nn.clock import Clock
from bench.nn.layers import BinaryConv2d
from bench.plugin import Estimator
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe
from bench.train.optimizer import make_optimizer

RECIPE = Recipe(epochs=2, lr=0.01, optimizer="adam", weight_decay=0.0)
BUILT = [
    case
    for name in ("metaquant", "fsg")
    for case in cases(name)
    if "slow" not in case.options["meta"]
]


@pytest.mark.parametrize("case", BUILT, ids=str)
def test_layer_is_the_released_one(case: Case) -> None:
    """With and without the virtual step: output, gradients, and that of what φ gave."""
    fields = {"forward": case.options["forward"].lower()}
    plugin = ESTIMATORS.build(case.method, fields)
    layer = make_layer(plugin, given("weight"), real_input=True)
    fast = (1.5 * given("upstream_w")).requires_grad_()
    if case.options["meta"] == "fast":
        setattr(layer.W, "net", (lambda _: fast,))  # noqa: B010 - no parameter of it
        put(layer.W.rate, torch.tensor(case.options["lr"], dtype=torch.float64))
        put(layer.W.moved, given("grad_prev"))
    ran = run_layer(layer, given("input"), given("upstream"))
    assert isinstance(layer.W.calibration, Callable)
    ran.results["calibration"] = layer.W.calibration(layer.weight)
    if fast.grad is not None:
        ran.results["grad_fast"] = fast.grad

    assert {*ran.results} >= {*case.results}
    ran.check(case)


def step(layer: BinaryConv2d, plugin: Estimator, steps: int) -> list[dict[str, Tensor]]:
    """Train one layer; before each update, what its weights' gradient and buffers are."""
    recipe = Recipe(epochs=1, lr=0.01)
    coach = plugin.coach(layer, Clock(), recipe).double()
    optimizer = make_optimizer(layer, recipe, coach)
    coach.begin_epoch(0, 0.01)
    seen: list[dict[str, Tensor]] = []
    for i in range(steps):
        optimizer.zero_grad(set_to_none=True)
        (layer(given("input")) * given("upstream") * (i + 1)).sum().backward()
        natural = gradient(layer.weight).clone()
        with torch.no_grad():
            before = dict(layer.named_buffers())["W.before"].clone()
            coach.after_backward()
        seen.append({
            "natural": natural, "grad": gradient(layer.weight).clone(), "before": before,
            "after": dict(layer.named_buffers())["W.before"].clone(),
            "fast": next(coach.parameters()).detach().clone(),
        })  # fmt: skip
        optimizer.step()
    return seen


@pytest.mark.parametrize("name", ["metaquant", "fsg"])
@pytest.mark.parametrize("forward", ["dorefa", "bwn"])
def test_weights_move_by_what_phi_made(forward: str, name: str) -> None:
    """First by their own gradient; then by c φ of dL/dw_eff of the step before, and φ learns."""
    plugin = ESTIMATORS.build(name, {"forward": forward})
    layer = make_layer(plugin, given("weight"))
    plain = run_layer(make_layer(plugin, given("weight")), given("input"), given("upstream"))
    first, second, third = step(layer, plugin, 3)

    assert torch.equal(first["grad"], first["natural"])
    torch.testing.assert_close(first["after"], plain.results["grad_effective_weight"])
    assert torch.equal(second["before"], first["after"])
    assert not torch.allclose(second["grad"], second["natural"])
    c = 1.0 if forward == "bwn" else second["grad"] / second["before"]
    torch.testing.assert_close(second["grad"], c * second["before"])  # φ is the identity still
    assert not torch.equal(third["fast"], second["fast"])


@pytest.mark.parametrize("nonlinear", ["none", "tanh", "relu"])
def test_phi_is_element_by_element(nonlinear: str) -> None:
    """Of any shape; without a non-linearity it starts as the identity."""
    plugin = ESTIMATORS.build("metaquant", {"nonlinear": nonlinear, "net_start": "random"})
    coach = plugin.coach(make_layer(plugin, given("weight")), Clock(), RECIPE).double()
    g = given("grad_prev")
    made = coach.fast(g)  # type: ignore[operator]

    assert made.shape == g.shape
    torch.testing.assert_close(made[1], coach.fast(g[1]))  # type: ignore[operator]
    same = ESTIMATORS.build("metaquant", {})
    coach = same.coach(make_layer(same, given("weight")), Clock(), RECIPE).double()
    torch.testing.assert_close(coach.fast(g), g)  # type: ignore[operator]


def test_evaluation_takes_no_step() -> None:
    """Its weights are those of w alone."""
    plugin = ESTIMATORS.build("metaquant", {})
    layer = make_layer(plugin, given("weight"))
    step(layer, plugin, 2)

    assert torch.equal(layer.eval().W(layer.weight), layer.weight.detach().sign())


def test_stages_and_rate_of_phi() -> None:
    """From the real network or from scratch; φ by Adam, at its own rate, without decay."""
    plugin = ESTIMATORS.build("metaquant", {})
    layer = make_layer(plugin, given("weight"))
    (group,) = plugin.coach(layer, Clock(), RECIPE).groups()

    assert [stage.real for stage in plugin.stages()] == [True, False]
    assert len(ESTIMATORS.build("metaquant", {"start": "scratch"}).stages()) == 1
    assert (group.rule, group.weight_decay, group.factor * RECIPE.lr) == ("adam", 0.0, 0.01)
