"""Enclosures hold what the plugin's own code returns, everywhere in their range."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.plugin import Surrogate
from bench.properties.proof.certificate import Half
from bench.properties.proof.enclosure import NotEnclosed
from bench.properties.proof.interval import Interval, Undefined
from bench.properties.proof.jet import Box, Series
from bench.properties.proof.subdivision import precision
from bench.properties.proof.torch_functions import FUNCTIONS
from bench.registry import ESTIMATORS

ROUNDING = 1e-9  # relative, of the float64 side


def surrogate(name: str, **params: object) -> Surrogate:
    built = ESTIMATORS.build(name, dict(params))
    assert isinstance(built, Surrogate)
    return built


class Own(Surrogate):
    """A surrogate of one expression."""

    expression: Any

    def value(self, z: Tensor, k: Tensor, /) -> Tensor:
        return self.expression(z, k)


def in_place(z: Tensor, _: Tensor) -> Tensor:
    """0 for a tensor, z for who does not see that y is z."""
    y = z
    y *= 2
    return y - z


def holds(interval: Interval, x: float) -> bool:
    """x in the interval, float64 rounding aside."""
    slack = ROUNDING * (1 + abs(x))
    return bool(interval.lo <= x + slack and interval.hi >= x - slack)


def check(f: Surrogate, box: Box, rng: random.Random, integer: bool = False) -> None:
    """Value, slope and knob slope at random points of the box lie in the enclosures."""
    for side in (1, -1):
        with precision():
            jet = Half(f, side, None).over(box)
        for _ in range(5):
            r, k = rng.uniform(*box.z), rng.uniform(*box.knob)
            z = torch.tensor(side * r, dtype=torch.float64, requires_grad=True)
            knob = torch.tensor(k, dtype=torch.float64, requires_grad=not integer)
            value = f.f(z, knob)
            assert holds(jet.v, side * value.item()), (box, side, r, k)
            wanted = [z] if integer else [z, knob]
            slopes: tuple[Any, ...] = torch.autograd.grad(value, wanted, allow_unused=True)
            for interval, slope, sign in zip((jet.z, jet.k), slopes, (1, side), strict=False):
                x = 0.0 if slope is None else sign * slope.item()
                assert holds(interval, x), (box, side, r, k)


@pytest.mark.parametrize("form", ["pure", "truncated"])
@pytest.mark.parametrize("name", ["dsq", "ede", "ramp", "rbnn", "reste", "ste", "ste_gain"])
def test_jets_hold_value_and_slopes(name: str, form: str) -> None:
    """Over random boxes, narrow and wide, on both half lines, with each kind of gain."""
    f = surrogate(name)
    f = f.pure() if form == "pure" else f
    rng = random.Random(0)
    knobs = {"dsq": (0.001, 0.499), "reste": (1, 5), "ede": (0.1, 10), "rbnn": (0.01, 10)}
    low, high = knobs.get(name, (1, 10))
    for _ in range(60):
        a = 10 ** rng.uniform(-3, 0.7)
        k = low * (high / low) ** rng.random()
        w = 10 ** rng.uniform(-6, 0)
        check(f, Box((a, a * (1 + w)), (k, min(high, k * (1 + w)))), rng)


def test_jets_hold_fda() -> None:
    """Whole numbers of terms are single values of the knob."""
    rng = random.Random(0)
    for omega in (0.1, 1.0, math.pi / 2):
        f = surrogate("fda", omega=omega)
        for n in (0, 3, 18):
            a = rng.uniform(0, 2)
            check(f, Box((a, a + 10 ** rng.uniform(-6, 0)), (n, n)), rng, integer=True)


@pytest.mark.parametrize(
    "expression",
    [
        lambda z, k: torch.sin(k * z) / (2 + torch.cos(z)),
        lambda z, k: torch.where(z.abs() > 1, z.sign() * k, z * k),
        lambda z, k: torch.where((z < 1) & (z > -1), z, z.sign()) + k,
        lambda z, k: torch.atan(k * z) + torch.erf(z) - torch.sigmoid(k * z),
        lambda z, k: z / (1 + z.abs() ** k) ** (1 / k),
        lambda z, k: z * torch.rsqrt(1 + z**2) + torch.exp(-k * z.square()),
        lambda z, k: torch.minimum(torch.relu(z), k) - torch.relu(-z).clamp(max=2),
        lambda z, k: torch.nn.functional.hardtanh(k * z) ** 3 - 2 ** z.clip(-1, 1),
        lambda z, k: torch.expm1(-z.abs()) * torch.log1p(z.abs()) / k,
        lambda z, k: torch.reciprocal(k + z.square()).neg() + z.sgn().mul(k).sub(z).abs(),
        lambda z, k: (z.abs() <= k).to(z.dtype) * z + torch.full_like(z, 0.5),
        lambda z, k: torch.tensor(2.0) * z - torch.ones_like(z) / k - (3 - z) + 1 / k,
    ],
)
def test_jets_hold_what_surrogates_are_made_of(expression: Callable[..., Tensor]) -> None:
    """Every function that has an enclosure, in compositions."""
    rng = random.Random(1)
    for _ in range(40):
        a, k, w = 10 ** rng.uniform(-2, 0.5), rng.uniform(0.5, 3), 10 ** rng.uniform(-6, 0)
        check(Own(expression=expression), Box((a, a * (1 + w)), (k, k * (1 + w))), rng)


def test_power_forms_do_not_forget_z() -> None:
    """z^(1/o)/z over all z in (0, 1] and all o ≥ 1 is at least 1: z is not lost track of."""
    with precision():
        z, o = Box((0.0, 1.0), (1.0, math.inf)).jets(1)
        quotient = (z ** (1 / o)) / z

        assert quotient.range.lo >= 1
        assert Box((1.0, math.inf), (1.0, 3.0)).jets(1)[0].range.hi == math.inf


def test_a_jump_has_no_slope() -> None:
    """Where an undecided branch may jump, the slope is the whole line; elsewhere it is finite."""
    f = Own(expression=lambda z, k: torch.where(z > 1, 2 * z, z))

    with precision():
        assert Half(f, 1, None).over(Box((0.9, 1.1), (0, 0))).z.hi == math.inf
        assert Half(f, 1, None).over(Box((1.1, 1.2), (0, 0))).z.hi == 2


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (lambda z, k: torch.cumsum(z, 0), "torch.cumsum has no enclosure"),
        (in_place, "in place"),
        (lambda z, k: torch.clamp_(z, -1, 1), "torch.clamp_ has no enclosure"),
        (lambda z, k: z.mul_(2), "Tensor.mul_ has no enclosure"),
        (lambda z, k: z.round(), "Tensor.round has no enclosure"),
        (lambda z, k: z if z > 1 else 2 * z, "a Python branch is undecided"),
        (lambda z, k: z * int(k), "of a range"),
        (lambda z, k: z + torch.ones(3), "arithmetic with a Tensor"),
        (lambda z, k: z if z.ndim == 0 else 2 * z, "Tensor.ndim has no enclosure"),
        (lambda z, k: z if z.shape == () else 2 * z, "Tensor.shape has no enclosure"),
        (lambda z, k: z if k.dim() == 0 else 2 * z, "Tensor.dim has no enclosure"),
        (lambda z, k: z / z.numel(), "Tensor.numel has no enclosure"),
        (lambda z, k: z / torch.numel(z), "torch.numel has no enclosure"),
        (lambda z, k: z if z.size() == () else 2 * z, "Tensor.size has no enclosure"),
        (lambda z, k: z if z.device.type == "cpu" else 2 * z, "Tensor.device has no enclosure"),
        (lambda z, k: z if z.dtype == torch.float64 else 2 * z, "depends on z.dtype"),
        (lambda z, k: z if torch.float32 != k.dtype else 2 * z, "depends on z.dtype"),
        (lambda z, k: z * {torch.float64: 1}.get(z.dtype, 2), "depends on z.dtype"),
        (lambda z, k: z * ("64" in f"{z.dtype}"), "depends on z.dtype"),
        (lambda z, k: z * z.dtype.itemsize, "depends on z.dtype"),
        (lambda z, k: z.to(torch.int32).to(z.dtype), "to with torch.int32"),
        (lambda z, k: z.type_as(torch.tensor(1)), "type_as with torch.int64"),
        (lambda z, k: torch.full_like(z, 0.5, dtype=torch.int32), "full_like with torch.int32"),
        (lambda z, k: torch.nn.functional.relu(z, inplace=True), "relu in place"),
    ],
)
def test_what_is_not_enclosed_says_so(expression: Callable[..., Tensor], message: str) -> None:
    """No enclosure, no proof, and the name of the function that stood in the way."""
    with precision(), pytest.raises(NotEnclosed, match=message):
        Half(Own(expression=expression), 1, None).over(Box((0.5, 1.5), (1, 2)))


@pytest.mark.parametrize(
    "expression",
    [
        lambda z, k: 1 / (z - 1),
        lambda z, k: torch.log(z - 1),
        lambda z, k: torch.sqrt(z - 1),
        lambda z, k: 0 * torch.log(z - 1),
    ],
)
def test_the_edge_of_a_domain_is_not_crossed(expression: Callable[..., Tensor]) -> None:
    """1/0, log 0 and roots of negative numbers are undefined, even times zero."""
    with precision(), pytest.raises(Undefined):
        Half(Own(expression=expression), 1, None).over(Box((0.5, 1.5), (1, 2)))


def test_a_series_in_the_knob() -> None:
    """f(1) of DSQ is 1 for every α in [.2, .22], proved to 1e-12; each bound holds its samples."""
    f = surrogate("dsq")
    with precision():
        one = Half(f, 1, None).series((0.2, 0.22))
        k = Series.knob(0.2, 0.22)
        wave = (k.apply("sin") / (k + 1)).enclose(0.2, 0.22)

    assert one.lo > 1 - 1e-12
    assert one.hi < 1 + 1e-12
    assert all(holds(wave, math.sin(x) / (x + 1)) for x in (0.2, 0.207, 0.22))
    assert wave.hi - wave.lo < 0.02


@pytest.mark.parametrize(
    ("low", "high"), [(0.1, 0.1 + 1e-12), (0.2, 0.22), (1e-300, 3.0), (0.7, 1e6)]
)
def test_the_ball_of_a_series_reaches_both_ends(low: float, high: float) -> None:
    """The middle of two floats need not be a float: the radius is about the middle in use."""
    near = [(low + i * math.ulp(low), high) for i in range(200)]
    with precision():
        for a, b in near:
            k = Series.knob(a, b)
            found = k.enclose(a, b)
            assert k.range.lo <= a < b <= k.range.hi
            assert found.lo <= a < b <= found.hi


def test_names_are_torch_s() -> None:
    """Every function listed exists in torch or is a Tensor method."""
    missing = [n for n in FUNCTIONS if not hasattr(torch, n) and not hasattr(torch.Tensor, n)]

    assert missing == ["hardtanh", "upto"]  # torch.nn.functional's, and the contract's
