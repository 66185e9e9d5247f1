"""ReBNN and RBONN against numbers of their released codes."""

import pytest
import torch
from torch import nn

from bench.nn.clock import Clock
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe
from tests.oracle import Case, Ran, cases, given, gradient, make_layer, put, run_layer


def run(name: str, case: Case | None = None, **options: object) -> Ran:
    """A layer on real inputs, as the sources have theirs; after a step if the case says so."""
    plugin = ESTIMATORS.build(name, dict(options))
    layer = make_layer(plugin, given("weight"), real_input=True)
    pulled = layer.W.pulled if name == "rbonn" else layer.W
    signs = torch.tensor([1, -1, 1, -1])
    put(pulled.s, given("scale") * signs)  # pyright: ignore[reportAttributeAccessIssue]
    if case is None or case.options["previous_grad"]:
        coach = plugin.coach(nn.ModuleList([layer]), Clock(), Recipe(epochs=1))
        layer.weight.grad = given("grad_prev")
        coach.after_backward()
        layer.weight.grad = None
    ran = run_layer(layer, given("input"), given("upstream"))
    s = gradient(pulled.s)  # pyright: ignore[reportAttributeAccessIssue]
    return Ran(layer, ran.results | {"grad_scaling_factor": s, "grad_scale_factor": s})


@pytest.mark.parametrize("case", cases("rebnn"), ids=str)
def test_rebnn(case: Case) -> None:
    """Output and every gradient, the scale's and the pull included."""
    run("rebnn", case).check(case, *case.results)


@pytest.mark.parametrize("case", cases("rbonn"), ids=str)
def test_rbonn(case: Case) -> None:
    """Output and every gradient, with and without a gradient of the step before."""
    ran = run("rbonn", case)
    ran.results["grad_u"] = gradient(ran.layer.W.u)

    ran.check(case, *case.results)


def test_exact_gradient_of_the_scale() -> None:
    """Without the pull, `exact` is what autograd says of 0.02 |s| sign(w)."""
    ran = run("rebnn", scale_grad="exact", pull=0.0)
    s = ran.layer.W.s.detach().clone().requires_grad_()  # pyright: ignore
    effective = 0.02 * s.abs() * given("weight").sign()
    y = nn.functional.conv2d(given("input"), effective, padding=1)
    (y * given("upstream")).sum().backward()

    torch.testing.assert_close(ran.results["grad_scale_factor"], gradient(s))


def test_adaptive_pull() -> None:
    """λ is the share that the last gradient would flip, times its largest magnitude, bounded."""
    layer = run("rebnn", lam="adaptive").layer
    small = layer.W.find_lam(layer.weight)  # pyright: ignore[reportCallIssue]
    layer.W.previous.mul_(1e-2)  # pyright: ignore
    w = layer.weight.detach() * 1e-5
    lam = layer.W.find_lam(w)  # pyright: ignore[reportCallIssue]
    h = given("grad_prev") * 1e-2
    share = (w.sign() != (w - h).sign()).double().mean((1, 2, 3))

    assert isinstance(small, torch.Tensor)
    assert ((small >= 1e-5) & (small <= 2e-4)).all()
    torch.testing.assert_close(lam.flatten(), (share * h.abs().amax((1, 2, 3))).clamp(1e-5, 2e-4))


@pytest.mark.parametrize(
    ("backtrack", "chosen"), [("rank", [0, 1, 0, 0, 1]), ("code", [1, 0, 0, 1, 0])]
)
def test_backtracking_filters(backtrack: str, chosen: list[int]) -> None:
    """The filters of least |s|, or those at whose place in the order a first filter stands."""
    plugin = ESTIMATORS.build("rbonn", {"backtrack": backtrack})
    layer = make_layer(plugin, torch.ones(5, 1, 1, 1))
    put(layer.W.pulled.s, torch.tensor([3.0, -0.5, 2.0, 5.0, 1.0]))  # pyright: ignore
    found = layer.W.find_backtracking(layer.weight)  # pyright: ignore[reportCallIssue]

    assert found.flatten().tolist() == chosen


def test_evaluation_has_no_step_back() -> None:
    """In evaluation weights are the signs of latents, and real in the first stage."""
    layer = run("rbonn").layer.eval()
    signs, _ = layer.W(layer.weight)
    first = ESTIMATORS.build("rbonn", {}).stages()[0]
    real = ESTIMATORS.build("rbonn", dict(first.fields))

    assert torch.equal(signs, layer.weight.detach().sign())
    assert real.bits("W") == 32
    assert isinstance(make_layer(real, given("weight")).W, nn.Identity)


@pytest.mark.parametrize("name", ["rebnn", "rbonn"])
def test_first_stage_is_that_of_reactnet(name: str) -> None:
    """With real weights, those of one dimension do not decay: shifts, and BatchNorms beside."""
    plugin = ESTIMATORS.build(name, {"weights": "real"})
    layer = make_layer(plugin, given("weight"))
    coach = plugin.coach(nn.ModuleList([layer]), Clock(), Recipe(epochs=1))

    assert [(list(g.parameters), g.weight_decay) for g in coach.groups()] == [([layer.A.c], 0.0)]
