"""Sign, the crossing, dials and taps."""

import math

import pytest
import torch
from torch import Tensor

from bench.nn.clock import Clock
from bench.nn.layers import Layers
from bench.nn.sign import Slope, cross, cross_learned, sign
from bench.nn.tap import tap
from bench.plugin import Surrogate
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization


def test_sign_of_zero_is_a_choice() -> None:
    """sign(0) is 0 as in the reference, or +1; -0.0 is zero like any other."""
    z = torch.tensor([-2.0, -0.0, 0.0, 3.0])

    assert sign(z).tolist() == [-1, 0, 0, 1]
    assert sign(z, 1).tolist() == [-1, 1, 1, 1]


def test_crossing_is_exact() -> None:
    """Forward is exactly sign(z), backward exactly f'(z) times the incoming gradient."""
    z = torch.randn(1000).requires_grad_()
    dy = torch.randn(1000)

    y = cross(z, torch.tensor(2.0), lambda z, k: k * z.abs())
    y.backward(dy)

    assert torch.equal(y, torch.sign(z))
    assert torch.equal(_grad(z), dy * (2 * z.detach().abs()))


def test_learned_crossing_trains_its_knob() -> None:
    """The learned crossing is sign(z) forward, and the knob gets the gradient of Σ dy·f."""
    z = torch.randn(1000, dtype=torch.float64).requires_grad_()
    k = torch.tensor(0.7, dtype=torch.float64).requires_grad_()
    dy = torch.randn(1000, dtype=torch.float64)

    y = cross_learned(z, k, lambda z, k: torch.tanh(k * z))
    y.backward(dy)

    slope = 1 - torch.tanh(0.7 * z.detach()) ** 2
    assert torch.equal(y, torch.sign(z))
    torch.testing.assert_close(_grad(z), dy * 0.7 * slope)
    torch.testing.assert_close(_grad(k), (dy * z.detach() * slope).sum())


def test_tap_counts_and_changes_nothing() -> None:
    """A tap gathers Σ|g| and Σg² of the gradient and leaves both passes as they were."""
    z = torch.randn(50).requires_grad_()
    out = torch.zeros(2, requires_grad=True)
    dy = torch.randn(50)

    y = tap(z, out)
    y.backward(dy)

    assert torch.equal(y, z)
    assert torch.equal(_grad(z), dy)
    torch.testing.assert_close(_grad(out), torch.stack([dy.abs().sum(), dy.square().sum()]))


@pytest.mark.parametrize("value", [lambda z, k: k * k, lambda z, k: torch.ones_like(z)])
def test_a_value_may_ignore_what_it_is_given(value: Slope) -> None:
    """A learned f that depends on the knob alone, or on nothing, has the gradients that it has."""
    z, knob = torch.randn(2, 3, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    cross_learned(z, knob, value).sum().backward()

    assert torch.equal(_grad(z), torch.zeros(2, 3))
    assert float(_grad(knob)) in {24.0, 0.0}


def test_a_dial_is_shared_and_keeps_the_dtype() -> None:
    """Layers that ask for one knob share one tensor, which leaves bfloat16 alone."""
    clock = Clock()
    first, second = (clock.dial("t", lambda p: 1 + p) for _ in range(2))
    clock.set(0.5)

    assert first is second
    assert first.value.item() == 1.5
    assert (first.value * torch.ones(2, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_progress_does_not_recompile() -> None:
    """One graph serves the whole schedule, for every estimator with a knob."""
    from torch._dynamo.testing import CompileCounter

    for name in ("reste", "ede", "rbnn"):
        surrogate = ESTIMATORS.build(name, {})
        clock, counter = Clock(), CompileCounter()
        layers = Layers(
            lambda role, shape, s=surrogate, c=clock: s.binarizer(role, shape, c, 0), Binarization()
        )
        net = torch.nn.Sequential(layers.conv(1, 2, 3), torch.nn.BatchNorm2d(2))
        compiled = torch.compile(net, backend=counter, dynamic=False)
        for step in range(4):
            clock.set(step / 4)
            compiled(torch.randn(4, 1, 8, 8)).sum().backward()
        torch._dynamo.reset()  # pyright: ignore[reportPrivateUsage]

        assert counter.frame_count == 1, name


def test_schedule_reaches_the_slope() -> None:
    """What training multiplies by follows the clock: ReSTE's slope at 0 is m^(1/o - 1)."""
    surrogate = ESTIMATORS.build("reste", {})
    assert isinstance(surrogate, Surrogate)
    clock = Clock()
    module = surrogate.binarizer("A", (1,), clock, 0)
    for p in (0.0, 0.5, 0.999):
        clock.set(p)
        z = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        module(z).backward(torch.ones(1, dtype=torch.float64))
        o = 1 + (1 - math.cos(math.pi * p / 2)) * 2

        torch.testing.assert_close(_grad(z).item(), 0.1 ** (1 / o - 1))


def _grad(x: Tensor) -> Tensor:
    assert x.grad is not None
    return x.grad
