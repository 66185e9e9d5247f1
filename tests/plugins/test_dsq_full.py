"""DSQ, whole and as an estimator, against a toolkit of its authors' group and a third party."""

from typing import Any

import pytest
import torch
from oracle import Case, cases, given, make_layer
from torch import Tensor, nn

from bench.nn.clock import Clock
from bench.plugin import Recipe
from bench.registry import ESTIMATORS

WEIGHTS = [case for case in cases("dsq") if "grad" in case.results]
POINTS = [case for case in cases("dsq") if "slope" in case.results]
PHI = [case for case in cases("dsq") if "phi" in case.results]


def soft(case: Case) -> Any:
    """The module for weights with a case's α, l and u, in float64."""
    o = {"l": -1.0, "u": 1.0} | case.options
    layer: Any = make_layer(ESTIMATORS.build("dsq_full", {}), given("weight"), zero=1)
    for name in ("alpha", "l", "u"):
        getattr(layer.W, name).data.fill_(o[name])
    return layer.W


def backward(module: nn.Module, z: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    z = z.clone().requires_grad_()
    y = module(z)
    (y * upstream).sum().backward()
    assert z.grad is not None
    return y.detach().flatten(), z.grad.flatten()


@pytest.mark.parametrize("case", WEIGHTS, ids=str)
def test_weights(case: Case) -> None:
    """Levels and gradient of weights, with l and u = ∓1 and ∓0.8, to 1e-9."""
    y, grad = backward(soft(case), given("weight"), given("upstream_w"))

    torch.testing.assert_close(y, case.tensor("value"), rtol=0, atol=1e-9)
    torch.testing.assert_close(grad, case.tensor("grad"), rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", POINTS, ids=str)
def test_points(case: Case) -> None:
    """Level and slope at points in [-2.5, 2.5]; at z = m, where the toolkit says -1, the slope."""
    z = case.tensor("z")
    y, slope = backward(soft(case), z, torch.ones_like(z))

    torch.testing.assert_close(slope, case.tensor("slope"), rtol=0, atol=1e-9)
    torch.testing.assert_close(y[z != 0], case.tensor("value")[z != 0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", PHI, ids=str)
def test_gradient_of_alpha(case: Case) -> None:
    """dL/dα and, inside the bounds, dL/dz, to 1e-9: with l, u = ∓1 the soft value is φ."""
    module, w = soft(case), given("weight")
    _, grad = backward(module, w, given("upstream_w"))
    inside = (w.abs() < 1).flatten()

    assert module.alpha.grad.item() == pytest.approx(case.results["grad_alpha"], rel=1e-9)
    torch.testing.assert_close(grad[inside], case.tensor("grad_z")[inside], rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", POINTS, ids=str)
def test_estimator(case: Case) -> None:
    """The estimator `dsq` has the same slope at every point, and value between the levels."""
    o, z = case.options, case.tensor("z")
    f: Any = ESTIMATORS.build("dsq", {"l": o["l"], "u": o["u"]})
    alpha = torch.tensor(o["alpha"], dtype=torch.float64)

    torch.testing.assert_close(f.slope(z, alpha), case.tensor("slope"), rtol=0, atol=1e-9)
    value = f.value(z, alpha)[z != 0]
    assert torch.equal(value.sign(), case.tensor("value")[z != 0].sign())


@pytest.mark.parametrize("case", PHI, ids=str)
def test_estimator_learns_alpha(case: Case) -> None:
    """φ and dφ/dα of the estimator `dsq`, at bounds ∓1, to 1e-9."""
    f: Any = ESTIMATORS.build("dsq", {})
    alpha = torch.tensor(case.options["alpha"], dtype=torch.float64, requires_grad=True)
    phi = f.value(given("weight"), alpha)
    (phi * given("upstream_w")).sum().backward()

    torch.testing.assert_close(phi.detach().flatten(), case.tensor("phi"), rtol=0, atol=1e-9)
    assert alpha.grad is not None
    torch.testing.assert_close(alpha.grad.item(), case.results["grad_alpha"], rtol=1e-9, atol=0)


def test_bounds_learn_from_what_lies_beyond() -> None:
    """Beyond u the value is u: gradient 1 to u, 0 to l, α and z. Never more than two levels."""
    layer: Any = make_layer(ESTIMATORS.build("dsq_full", {}), given("weight"))
    module = layer.W
    z = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    module(z).sum().backward()

    assert z.grad is not None
    found = [module.u.grad, module.l.grad, module.alpha.grad, *z.grad]
    torch.testing.assert_close(torch.stack(found), torch.tensor([2.0, 0, 0, 0, 0]).double())
    module.u.data.fill_(0.3)
    assert module(given("weight")).unique().tolist() == pytest.approx([-1, 0.3])


def test_bounds_of_weights_are_observed_once() -> None:
    """A coach gives weights their extremes for bounds; a later one, whose start has them, none."""
    plugin, clock = ESTIMATORS.build("dsq_full", {}), Clock()
    layer: Any = make_layer(plugin, given("weight"), clock=clock)
    net = nn.ModuleList([layer])
    for factor in (1, 2):
        layer.weight.data.copy_(factor * given("weight"))
        plugin.coach(net, clock, Recipe(epochs=2))

    w = given("weight")
    assert [layer.W.l.item(), layer.W.u.item()] == [w.min().item(), w.max().item()]
    assert [layer.A.l.item(), layer.A.u.item()] == [-1, 1]


def test_what_learns_and_from_where() -> None:
    """All, α alone or nothing; first in full precision, unless told otherwise."""
    for learn, count in (("all", 3), ("alpha", 1), ("off", 0)):
        module = ESTIMATORS.build("dsq_full", {"learn": learn}).binarizer("A", (3,), Clock(), 0)
        assert sum(p.requires_grad for p in module.parameters()) == count

    assert [s.real for s in ESTIMATORS.build("dsq_full", {}).stages()] == [True, False]
    scratch = ESTIMATORS.build("dsq_full", {"start": "scratch"})
    assert [s.real for s in scratch.stages()] == [False]


def test_gradient_at_the_bounds() -> None:
    """The smallest and largest weight, which are l and u at first, get the whole of f'(z)."""
    plugin = ESTIMATORS.build("dsq_full", {})
    layer: Any = make_layer(plugin, given("weight"))
    plugin.coach(nn.ModuleList([layer]), Clock(), Recipe(epochs=1))
    layer.W(layer.weight).sum().backward()
    z, l, u = layer.weight, layer.W.l.item(), layer.W.u.item()  # noqa: E741
    k = torch.log(torch.tensor(2 / layer.W.alpha.item() - 1)) / (u - l)
    slope = (u - l) / 2 / (1 - layer.W.alpha.item()) * k / torch.cosh(k * (z - (l + u) / 2)) ** 2

    assert (z.min().item(), z.max().item()) == (l, u)
    torch.testing.assert_close(z.grad, slope)
