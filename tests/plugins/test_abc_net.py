"""ABC-Net against the formulas of a third party's code, and its products against one."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from bench.nn.clock import Clock
from bench.plugin import BinaryConv2d
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization
from tests.oracle import (
    Case,
    cases,
    convolution_gradient,
    given,
    gradient,
    make_layer,
    put,
    run_inputs,
    run_layer,
)


def abc_layer(m: int, n: int, **params: object) -> BinaryConv2d:
    plugin = ESTIMATORS.build("abc_net", {"weight_bits": m, "input_bits": n} | params)
    return make_layer(plugin, given("weight"))


def bases(layer: BinaryConv2d) -> list[tuple[torch.Tensor, torch.Tensor]]:
    found: Any = layer.W
    return found.parts(layer.weight)


@pytest.mark.parametrize("case", cases("abc_net"), ids=str)
def test_weights(case: Case) -> None:
    """Bases, their least squares, and the sum; through the layer too. No gradient is printed."""
    layer = abc_layer(case.options["M"], 2)
    ran = run_layer(layer, given("input"), given("upstream"))
    ran.results["scales"] = torch.stack([a.squeeze() for _, a in bases(layer)])
    once = F.conv2d(layer.A(given("input")), layer.W(layer.weight), padding=1)

    ran.check(case, *case.results)
    torch.testing.assert_close(ran.results["output"], once, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 2)])
def test_gradients(m: int, n: int) -> None:
    """dL/dw is Σ α g where the shifted weight is in [-1, 1]; v has what its inputs have."""
    layer, w = abc_layer(m, n), given("weight")
    ran = run_layer(layer, given("input"), given("upstream"))
    g = convolution_gradient(ran, given("upstream"))
    shifts = torch.linspace(-1, 1, m) if m > 1 else torch.zeros(1)
    scales = [alpha for _, alpha in bases(layer)]
    inside = [(w - w.mean() + u * w.std(correction=0)).abs() <= 1 for u in shifts.tolist()]
    wanted = sum(a * g * i for a, i in zip(scales, inside, strict=True))

    torch.testing.assert_close(ran.results["grad_weight"], wanted, rtol=1e-9, atol=1e-12)
    assert gradient(layer.A.v).sum().item() == pytest.approx(ran.results["grad_input"].sum().item())


def test_inputs() -> None:
    """β times signs at 1/2 - v, and the gradient inside [0, 1]."""
    layer = abc_layer(1, 2)
    put(layer.A.beta, torch.tensor([0.5, 2.0]))
    put(layer.A.v, torch.tensor([-0.25, 0.25]))
    x = torch.tensor([[[[-0.3, 0.2, 0.5, 0.9, 1.2]]]], dtype=torch.float64)
    ran = run_inputs(layer, x, torch.ones_like(x))

    assert ran.results["effective_input"].flatten().tolist() == [-2.5, -2.5, 1.5, 2.5, 2.5]
    assert ran.results["grad_input"].flatten().tolist() == [0, 2, 2.5, 0.5, 0.5]


def test_one_base() -> None:
    """M = N = 1: one base without shift, whose scale is <B, w>/n; `identity` has no clip."""
    layer, w = abc_layer(1, 1, ste="identity"), given("weight")
    ((base, alpha),) = bases(layer)
    ran = run_layer(layer, given("input"), given("upstream"))
    g = convolution_gradient(ran, given("upstream"))

    assert torch.equal(base, torch.where(w >= w.mean(), 1.0, -1.0).double())
    assert alpha.item() == pytest.approx((base * w).mean().item())
    torch.testing.assert_close(ran.results["grad_weight"], alpha * g, rtol=1e-9, atol=1e-12)
    assert layer.A.get_parameter("v").item() == 0


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_equal_bases(value: float) -> None:
    """A constant layer has equal bases: it is still approximated, and gradients are finite."""
    layer = make_layer(
        ESTIMATORS.build("abc_net", {"weight_bits": 3}), torch.full((4, 3, 3, 3), value)
    )
    ran = run_layer(layer, given("input"), given("upstream"))

    torch.testing.assert_close(layer.W(layer.weight), layer.weight.detach())
    assert ran.results["grad_weight"].isfinite().all()


def test_linear() -> None:
    """A linear map of several products is one of their sum."""
    plugin = ESTIMATORS.build("abc_net", {"weight_bits": 3, "input_bits": 2})
    options = Binarization.model_validate(plugin.fixes)
    layer = plugin.linear(
        8, 5, binarizer=lambda r, s: plugin.binarizer(r, s, Clock(), 0), options=options
    )
    x = given("linear_input").float()
    once = F.linear(layer.A(x), layer.W(layer.weight), layer.bias)

    torch.testing.assert_close(layer(x), once)


def test_products_are_whole_numbers() -> None:
    """In float32 every product is exact, on the path of integers."""
    layer = abc_layer(2, 2).float()

    assert layer.whole
    torch.testing.assert_close(
        layer(given("input").float()).double(),
        layer.double()(given("input")),
        rtol=1e-5,
        atol=1e-5,
    )
