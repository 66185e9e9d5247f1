"""Estimators that are a slope alone, against the elementwise numbers of published code."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.nn.clock import Clock
from bench.nn.parts import standardized
from bench.plugin import Surrogate
from bench.registry import ESTIMATORS
from bench.spec.cell import Role
from tests.oracle import Case, cases, close, given


def built(name: str, **params: Any) -> Surrogate:
    surrogate = ESTIMATORS.build(name, params)
    assert isinstance(surrogate, Surrogate)
    return surrogate


def crossed(surrogate: Surrogate, role: Role, p: float, z: Tensor, dy: Tensor) -> Tensor:
    """Sign(z), sign(0) = +1, after backward of Σ sign(z) · dy."""
    clock = Clock()
    module = surrogate.binarizer(role, tuple(z.shape), clock, 1)
    clock.set(p)
    y = module(z)
    y.backward(dy)
    return y


def test_larq() -> None:
    """
    larq's ste_sign is `ste`, its approx_sign ours.

    Its magnitude_aware_sign is `bi_real` with scale_grad: factor, tested there. Its ste_tern has
    three levels without a scale, which no method of ours has: TWN multiplies them.
    """
    found = {case.name: case for case in cases("larq")}
    for case, name in (("ste_sign, clip 1", "ste"), ("approx_sign", "approx_sign")):
        z = found[case].tensor("z").requires_grad_()
        y = crossed(built(name), "W", 0.0, z, torch.ones_like(z))

        assert z.grad is not None
        close(y, found[case], "value")
        close(z.grad, found[case], "slope")


@pytest.mark.parametrize("case", cases("bnn_plus")[:4], ids=str)
def test_sign_swish(case: Case) -> None:
    """f and f' at β = 5 and 10, and what reaches weights."""
    f, none = built("sign_swish", beta=case.options["beta"]), torch.zeros((), dtype=torch.float64)
    if "z" in case.results:
        z = case.tensor("z")
        close(f.value(z, none), case, "value")
        close(f.slope(z, none), case, "slope")
        return
    w = given("weight").requires_grad_()
    close(crossed(f, "W", 0.0, w, given("upstream_w")), case, "sign")
    assert w.grad is not None
    close(w.grad, case, "grad_weight")


def test_sign_swish_has_no_overflow() -> None:
    """Where cosh overflows, f' is 0 and f is sign, in every dtype."""
    f = built("sign_swish", beta=10.0)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        z = torch.tensor([-1e4, -500.0, 500.0, 1e4], dtype=dtype)

        assert f.slope(z, torch.zeros(())).abs().max().item() <= 1e-38
        assert f.value(z, torch.zeros(())).tolist() == [-1, -1, 1, 1]


@pytest.mark.parametrize("case", cases("ie_net")[:4], ids=str)
def test_ie_net_poly(case: Case) -> None:
    """
    Its slope on standardized weights, and on inputs, of one convolution of the released code.

    While that trains it divides inputs by their deviation, which is not of the slope.
    """
    t = case.options["t"]
    f = built("ie_net_poly", t_min=t, t_max=t)
    w, x = given("weight").requires_grad_(), given("input").requires_grad_()
    crossed(f, "W", 0.0, standardized(w, 1e-5), case.tensor("grad_effective_weight").view_as(w))
    crossed(f, "A", 0.0, x, case.tensor("grad_effective_input").view_as(x))

    assert w.grad is not None
    assert x.grad is not None
    close(w.grad, case, "grad_weight")
    if not case.options["training"]:
        close(x.grad, case, "grad_input")


def test_ie_net_poly_meets_sign_at_its_vertex() -> None:
    """F is k from |z| = 2/(√3 t) on, and its slope at 0 is √3 k t."""
    f, t = built("ie_net_poly"), torch.tensor(0.5, dtype=torch.float64)
    z = torch.tensor([0.0, 2 / (3**0.5 * 0.5), 5.0], dtype=torch.float64)

    torch.testing.assert_close(f.value(z, t), torch.tensor([0.0, 2.0, 2.0], dtype=torch.float64))
    torch.testing.assert_close(
        f.slope(z, t), torch.tensor([3**0.5, 0.0, 0.0], dtype=torch.float64), atol=1e-12, rtol=0
    )
