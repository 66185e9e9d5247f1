"""Powers, tanh, sine and cosine in few instructions are what a library says."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench.nn.compiler import compile_step
from bench.nn.elementary import cos, power, power_by_bits, sin, tanh

CPU = torch.device("cpu")
compile_any: Callable[..., Any] = compile_step  # what gives several numbers, too
EXPONENTS = [-1.0, -2 / 3, -0.5, -1e-3, 0.0, 1 / 3, 1.0]


def number(c: float) -> torch.Tensor:
    return torch.tensor(c, dtype=torch.float64)


@pytest.mark.parametrize("c", EXPONENTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_within(dtype: torch.dtype, c: float) -> None:
    r = torch.linspace(0.1, 1.5, 1001, dtype=dtype)
    found = power(r, number(c), 0.1, 1.5)

    assert found.dtype == dtype
    torch.testing.assert_close(found, (r.double() ** c).to(dtype))


def beyond(r: torch.Tensor) -> torch.Tensor:
    return power(r, number(-2.0), 0.1, 1.5)


def by_bits_beyond(r: torch.Tensor) -> torch.Tensor:
    return power_by_bits(r, torch.tensor(-2.0), 0.1, 1.5)


@pytest.mark.parametrize("way", [beyond, by_bits_beyond])
def test_beyond(way: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """It is what it is at the nearer end, so that a mask may multiply it; NaN stays."""
    found = way(torch.tensor([0.0, 1e-40, 0.1, 1.5, 1e38, math.nan]))

    assert found[0] == found[1] == found[2]
    assert found[3] == found[4]
    assert found[5].isnan()


@pytest.mark.parametrize("c", EXPONENTS)
def test_bits(c: float) -> None:
    """Two polynomials and an exponent, within a few roundings of the power."""
    r = torch.linspace(0.1, 1.5, 100_001)
    exact = r.double() ** c
    wrong = (power_by_bits(r, torch.tensor(c), 0.1, 1.5) - exact) / exact

    assert wrong.abs().max() < 3e-7


@pytest.mark.parametrize("c", [-2.0, -0.5, 0.5, 2.0])
def test_bits_of_all_normal_numbers(c: float) -> None:
    """A rounding of log2(r^c) is one of r^c times that; 0 or inf is where the power would leave."""
    r = torch.logspace(-126, 127.9, 20_001, base=2, dtype=torch.float64).float()
    exact = r.double() ** c
    found = power_by_bits(r, torch.tensor(c), 2**-126, math.inf).double()
    normal = (exact.log2() > -126) & (exact.log2() < 127.4)
    far = 2**-22 * (1 + exact.log2().abs())

    assert (((found - exact) / exact).abs()[normal] < far[normal]).all()
    assert (found[exact.log2() > 127.6] == math.inf).all()
    assert (found[exact.log2() < -127.1] == 0).all()


def test_gradients_are_those_of_a_power() -> None:
    """Where r wants a gradient, it is by the library."""
    r = torch.tensor([0.2, 0.5, 1.0], requires_grad=True)
    power(r, number(-0.5), 0.1, 1.5).sum().backward()

    torch.testing.assert_close(r.grad, -0.5 * r.detach() ** -1.5)


@pytest.mark.slow
def test_compiled() -> None:
    """Whole vectors and tails alike; of a knob that turns, in one graph."""
    shapes, rng = [(7,), (4, 16, 5, 5), (100_003,)], torch.Generator().manual_seed(0)
    numbers = [torch.rand(shape, generator=rng) * 1.4 + 0.1 for shape in shapes]
    call = compile_any(lambda many, c: [power(r, c, 0.1, 1.5) for r in many], CPU)
    for c in (-0.5, -2 / 3):
        for r, found in zip(numbers, call(numbers, number(c)), strict=True):
            torch.testing.assert_close(found.double(), r.double() ** c, rtol=3e-7, atol=0)


@pytest.mark.slow
def test_compiled_beside_what_is_wider() -> None:
    """A number for each row of vectors: bits of single numbers in a loop over vectors."""
    r, x = torch.rand(64, 1) + 0.1, torch.rand(64, 64)
    call = compile_step(lambda r, x: power(r, number(-0.5), 0.1, 1.5) * x, CPU)

    torch.testing.assert_close(call(r, x), r**-0.5 * x)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(tanh, torch.tanh), (sin, torch.sin), (cos, torch.cos)]
)
def test_functions(ours: Callable[..., torch.Tensor], theirs: Callable[..., torch.Tensor]) -> None:
    """To 2e-7 and half a unit of x in its last place, by which a product may be rounded."""
    x = torch.cat([torch.linspace(-50, 50, 100_001), torch.logspace(-30, 7, 10_001)])

    assert ((ours(x) - theirs(x.double())).abs() <= 2e-7 + 2**-24 * x.abs()).all()
    assert ours(torch.tensor([math.nan])).isnan().all()


def test_tanh_of_all_sizes() -> None:
    """To a few roundings of itself, also near 0, and 1 at infinity."""
    x = torch.cat([torch.linspace(-50, 50, 100_001), torch.logspace(-30, 3, 10_001)])
    exact = torch.tanh(x.double())

    assert ((tanh(x) - exact).abs() <= 3e-7 * exact.abs()).all()
    assert tanh(torch.tensor([-math.inf, -1e30, 1e30, math.inf])).tolist() == [-1, -1, 1, 1]


def test_sine_near_zero_keeps_its_digits() -> None:
    x = torch.logspace(-30, -1, 1001)

    torch.testing.assert_close(sin(x).double(), torch.sin(x.double()), rtol=2e-7, atol=0)


@pytest.mark.parametrize("ours", [sin, cos])
def test_waves_stay_between_their_crests(ours: Callable[..., torch.Tensor]) -> None:
    """Of numbers so large that their neighbours are turns apart, too; of infinity there is none."""
    assert ours(torch.logspace(3, 38, 100_001)).abs().max() <= 1 + 1e-6
    assert ours(torch.tensor([math.inf])).isnan().all()


@pytest.mark.slow
def test_compiled_functions() -> None:
    """Compiled for a CPU they are ours, also of narrow numbers, and no library's."""
    from torch._inductor.utils import run_and_get_code

    def all_three(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x) + torch.sin(3 * x) * torch.cos(x)

    def both(x: torch.Tensor, narrow: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return all_three(x), all_three(narrow)

    given = torch.linspace(-3, 3, 1003), torch.linspace(-3, 3, 805, dtype=torch.bfloat16)
    found, code = run_and_get_code(compile_any(both, CPU), *given)  # pyright: ignore[reportUnknownVariableType]

    for ours, x, near in zip(found, given, (1e-6, 0.05), strict=True):
        torch.testing.assert_close(ours.double(), all_three(x.double()), rtol=0, atol=near)
    assert not any(word in "".join(code) for word in ("tanh()", "sin()", "cos()", "exp()"))


@pytest.mark.slow
def test_compiled_functions_of_what_is_not_narrow() -> None:
    """They are a library's."""
    types = torch.int64, torch.uint8, torch.bool, torch.float64
    given = [torch.arange(8 + more).to(dtype) for more, dtype in enumerate(types)]
    call = compile_any(lambda many: [torch.sin(x) + torch.tanh(x) for x in many], CPU)

    torch.testing.assert_close(call(given), [torch.sin(x) + torch.tanh(x) for x in given])
