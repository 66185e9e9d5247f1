"""What is certified is true, what is true of the shipped estimators is certified, in seconds."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.plugin import Knob, Role, Surrogate
from bench.properties import estimating_error, verdicts
from bench.properties.proof import certificate, violation
from bench.registry import ESTIMATORS


def surrogate(name: str, **params: object) -> Surrogate:
    built = ESTIMATORS.build(name, dict(params))
    assert isinstance(built, Surrogate)
    return built


class Own(Surrogate):
    """A surrogate of one expression, with a knob from 1 to 2."""

    expression: Any

    def knob(self, role: Role = "W") -> Knob:
        return Knob("k", 1.0, 2.0, limits=(1.0, 2.0))

    def value(self, z: Tensor, k: Tensor, /) -> Tensor:
        return self.expression(z, k)


@pytest.mark.parametrize(
    ("f", "over"),
    [
        (surrogate("reste").pure(), "every o in [1, ∞)"),
        (surrogate("reste", o_end=10).pure(), "every o in [1, ∞)"),
        (surrogate("reste"), "every o in [1, 3]"),
        (surrogate("dsq"), "every α in [0.001, 0.499]"),
        (surrogate("dsq", learn="off"), "every α in [0.2, 0.2]"),
        (surrogate("rbnn", t_min=math.sqrt(2)), "every t in [1.41421, 10]"),
        (surrogate("rbnn", t_min=1.4143), "every t in [1.4143, 10]"),
        (surrogate("ste").pure(), "every real z:"),
        (surrogate("ste"), "every real z:"),
        (surrogate("ramp", schedule="linear"), "every k in [1, ∞)"),
    ],
)
def test_rational_is_certified(f: Surrogate, over: str) -> None:
    """Each over the whole real line and the named range of the knob."""
    found = certificate.certify_rational(f, verdicts.knob_in_training(f, "W"))

    assert found.proved, found.text
    assert over in found.text


ARC = Own(expression=lambda z, k: 2 / math.pi * torch.atan(math.pi * k * z / 2))


@pytest.mark.parametrize(
    "f", [surrogate("reste").pure(), surrogate("reste"), surrogate("ramp"), ARC]
)
def test_gradual_is_certified(f: Surrogate) -> None:
    """(b) by the sign of df/dknob: ReSTE pure and truncated, the ramp, an arctangent."""
    assert certificate.certify_gradual(f, f.knob()).proved


@pytest.mark.parametrize("name", ["dsq", "ede", "rbnn", "fda", "ste_gain"])
def test_gradual_says_why_not(name: str) -> None:
    """EDE, RBNN and the gain do rise; DSQ does not, which this cannot prove."""
    f = surrogate(name)
    found = certificate.certify_gradual(f, f.knob())

    assert not found.proved
    assert found.text.startswith("the error never rises: ")


def dent(at: float, width: float, depth: float) -> Callable[[Tensor, Tensor], Tensor]:
    """A tent of some width and height, which no grid sees."""

    def tent(z: Tensor, _: Tensor) -> Tensor:
        return depth * (1 - (z - at).abs() / width).clamp(min=0)

    return tent


def hardtanh(z: Tensor, _: Tensor) -> Tensor:
    return z.clamp(-1, 1)


def masked(z: Tensor, end: float = 1, beyond: float = 1) -> Tensor:
    """ApproxSign by masks that are numbers, cut at ±end."""
    one = (z >= 0).float() - (z < 0).float()
    return (z.abs() <= end) * (2 * z - one * z * z) + (end < z.abs()) * one * beyond


FALSE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "too high on 1e-6": lambda z, k: hardtanh(z, k) + dent(0.9999999, 5e-7, 1e-2)(z, k),
    "too low by 1e-7": lambda z, k: hardtanh(z, k) * (1 - 1e-7),
    "too low by 1e-7 below 1": lambda z, k: z - 4e-7 * (z.abs() * (1 - z.abs())).clamp(min=0),
    "too low by 2e-9 around .5": lambda z, k: z - dent(0.5, 0.01, 2e-9)(z, k),
    "a jump on 1e-6": lambda z, k: torch.where((z - 0.3).abs() < 5e-7, z / 2, z),
    "a jump at one point's right": lambda z, k: torch.where(z > 1, 0.9, z),
    "at one knob": lambda z, k: z.clamp(-1, 1) - dent(0.5, 5e-7, 1e-3)(k - 0.7, k),
    "in one corner": lambda z, k: z - (1e-3 - (z - 0.5).abs() - (k - 1.3).abs()).clamp(min=0),
    "on the negative side": lambda z, k: torch.where(z < 0, z / 2, z),
    "at 0 alone": lambda z, k: torch.where(z.abs() <= 0, 0.1, z),
    "at .3 alone": lambda z, k: torch.where(z == 0.3, 0.2, z),
    "but at .3 alone": lambda z, k: torch.where(z != 0.3, z, 0.2),
    "at .3 alone, by torch": lambda z, k: torch.where(torch.eq(z, 0.3), 0.2, z),
    "where a comparison is false": lambda z, k: torch.where((z > 0.3) == False, z / 2, z),  # noqa: E712
    "on one Python branch": lambda z, k: z or z + 1,
    "towards infinity": lambda z, k: torch.where(z > 1e6, 2 * z, z),
    "far out": lambda z, k: torch.where((z - 1e9).abs() < 1, 2 * z, z),
    "near 0": lambda z, k: torch.where((z > 1e-8) & (z < 2e-8), -z, z),
    "undefined": lambda z, k: z + 0 * torch.log(z - 0.5),
    "undefined at one place": lambda z, k: z + 0 / (z - 0.5),
    "wrong sign": lambda z, k: -z,
    "twice z": lambda z, k: 2 * z,
    "sign of the knob's end": lambda z, k: z * (2 - k),
    "for what is not 0-d": lambda z, k: z if z.ndim == 0 else 2 * z,
    "for another dtype": lambda z, k: z if z.dtype == torch.float64 else 2 * z,
    "in whole numbers": lambda z, k: z.to(torch.int32).to(z.dtype),
    "by masks, cut too late": lambda z, k: masked(z, 2 + 1e-6),
    "by masks, too low beyond": lambda z, k: masked(z, beyond=1 - 1e-7),
    "by a mask on 1e-6": lambda z, k: z * (1 - 0.5 * ((z - 0.3).abs() < 5e-7)),
    "by a mask at .3 alone": lambda z, k: z * (1 - 0.5 * (z == 0.3)),
    "by a mask at one knob": lambda z, k: z * (1 - 0.5 * ((k - 1.3).abs() < 5e-7)),
    "by two masks that are not one": lambda z, k: z * ((z < 0.3) * 1.0 + (z > 0.300001)),
    "a valley that both neighbours lean on": lambda z, k: z - dent(0.03125, 0.001, 1e-4)(z, k),
}


TRUE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "hardtanh": hardtanh,
    "a dent towards 1": lambda z, k: z + dent(0.3, 5e-7, 1e-3)(z, k),
    "a jump towards 1": lambda z, k: torch.where((z - 0.3).abs() < 5e-7, z * 2, z),
    "at 0, 0": lambda z, k: torch.where(z == 0, 0.0, hardtanh(z, k)),
    "too low by 5e-10": lambda z, k: z - dent(0.5, 0.01, 5e-10)(z, k),
    "by masks": lambda z, k: masked(z),
    "by a mask that the other undoes": lambda z, k: z * ((z < 0.3) * 1.0 + ~(z < 0.3)),
    "by a mask in where": lambda z, k: z * torch.where(z.abs() < 0.3, 2.0, 1.0),
    "a root and the knob": lambda z, k: z.sign() * torch.sqrt(z.abs()) ** k.clamp(max=1),
}


@pytest.mark.parametrize("name", TRUE)
def test_their_true_twins_are(name: str) -> None:
    """The same shapes, where they do not violate or stay within the tolerance, are certified."""
    f = Own(expression=TRUE[name])
    found = certificate.certify_rational(f, f.knob())

    assert found.proved, found.text


@pytest.mark.parametrize("at", [1e-5, 0.3000003, 0.7, 0.99999, 1.0000007, 2.7, 1e4, -0.5, -2])
def test_a_dent_away_from_sign_is_not_certified(at: float) -> None:
    """Off by 1e-3 on an interval of width 1e-6, anywhere; the same dent towards sign is."""
    away = math.copysign(1, at) * (1e-3 if abs(at) > 1 else -1e-3)
    f = Own(expression=lambda z, k: z + dent(at, 5e-7, away)(z, k))
    twin = Own(expression=lambda z, k: z - dent(at, 5e-7, away)(z, k))

    assert not certificate.certify_rational(f, f.knob()).proved
    assert certificate.certify_rational(twin, twin.knob()).proved or abs(abs(at) - 1) < 1e-3


@pytest.mark.parametrize("name", FALSE)
def test_nothing_false_is_certified(name: str) -> None:
    """Violations no grid would find, of a width of 1e-6 or a depth of 1e-7, leave it unproved."""
    f = Own(expression=FALSE[name])
    found = certificate.certify_rational(f, f.knob())

    assert not found.proved, found.text


Expression = Callable[[Tensor, Tensor], Tensor]
RISES: dict[str, Expression] = {
    "a jump in the knob": lambda z, k: torch.where(k > 1.5, z / 2, z).clamp(-1, 1),
    "a jump at the knob's end alone": lambda z, k: torch.where(k >= 2, z / 2, z).clamp(-1, 1),
    "a jump at one knob alone": lambda z, k: torch.where(k == 1.3, z / 2, z).clamp(-1, 1),
    "a jump by the sign of the knob": lambda z, k: hardtanh(z, k) * (3 - torch.sign(k - 1.5)) / 4,
    "a jump that moves with z": lambda z, k: torch.where(k * z > 0.7, z / 2, z).clamp(-1, 1),
    "a jump from above 1": lambda z, k: z + torch.where(k > 1.5, 1.0, 0.0) * (z > 1).to(z.dtype),
    "a Python branch on the knob": lambda z, k: hardtanh(z, k) / (2 if k > 1.5 else 1),
    "a dip narrower than a box": lambda z, k: (
        hardtanh(z, k) * (0.5 + k / 10 - dent(1.3, 5e-7, 1e-3)(k, k))
    ),
    "a dip in one corner": lambda z, k: (
        hardtanh(z, k) * (0.5 + k / 10) - (1e-3 - (z - 0.7).abs() - (k - 1.3).abs()).clamp(min=0)
    ),
    "a wave": lambda z, k: hardtanh(z, k) * (0.5 + k / 10 + torch.sin(1e5 * k) * 1e-5),
    "slowly away, by 1e-7": lambda z, k: hardtanh(z, k) * (1 - 1e-7 * (k - 1)),
    "past 1 on the way": lambda z, k: (k * z).clamp(-1.2, 1.2),
    "past 1 by 1e-6": lambda z, k: (k * z).clamp(-1 - 1e-6, 1 + 1e-6),
    "past 1 and back": lambda z, k: hardtanh(z, k) * (1 + (k - 1) * (2 - k)),
    "past 1 from above": lambda z, k: torch.where(z > 1, z / k, z),
    "the wrong way round": lambda z, k: ((3 - k) * z).clamp(-1, 1),
    "on the negative side": lambda z, k: torch.where(z < 0, z / k, (k * z).clamp(max=1)),
    "on the negative side, narrowly": lambda z, k: (
        hardtanh(z, k) + (k - 1) * dent(-0.3, 5e-7, 1e-3)(z, k)
    ),
    "far out": lambda z, k: torch.where(z > 1e6, z * k, (k * z).clamp(-1, 1)),
    "far out, narrowly": lambda z, k: torch.where((z - 1e9).abs() < 1, k * z, hardtanh(z, k)),
    "far out on the negative side": lambda z, k: torch.where(z < -1e6, z * k, hardtanh(z, k)),
    "near 0": lambda z, k: torch.where((z > 1e-8) & (z < 2e-8), z / k, hardtanh(z, k)),
    "at 0 alone": lambda z, k: torch.where(z == 0, 0.1 * (k - 1), hardtanh(z, k)),
    "undefined at one knob": lambda z, k: hardtanh(z, k) + 0 / (k - 1.5),
    "of the shape": lambda z, k: (k * z).clamp(-1, 1) if z.ndim == 0 else hardtanh(z, k) / k,
}
FALLS: dict[str, Expression] = {
    "no change": hardtanh,
    "a ramp": lambda z, k: (k * z).clamp(-1, 1),
    "by 1e-7": lambda z, k: hardtanh(z, k) * (1 - 1e-7 * (2 - k)),
    "a jump in z": lambda z, k: torch.where(z > 0.3, (k * z).clamp(max=1), z).clamp(min=-1),
    "far out": lambda z, k: torch.where(z > 1e6, 1 + z / k, (k * z).clamp(-1, 1)),
}


@pytest.mark.parametrize("name", RISES)
def test_no_rise_is_certified_away(name: str) -> None:
    """Jumps, dips, overshoots, one side alone, far out: (b) does not hold and stays unproved."""
    f = Own(expression=RISES[name])
    found = certificate.certify_gradual(f, f.knob())

    assert not found.proved, found.text


@pytest.mark.parametrize("name", FALLS)
def test_errors_that_only_fall_are_certified(name: str) -> None:
    """The twins of what rises, so that the table above does not fail for another reason."""
    f = Own(expression=FALLS[name])
    found = certificate.certify_gradual(f, f.knob())

    assert found.proved, found.text


class Endless(Own):
    """The same, where the formula admits every knob and training visits [1, 2]."""

    def knob(self, role: Role = "W") -> Knob:
        return Knob("k", 1.0, 2.0, limits=(1.0, math.inf))


def test_what_fails_beyond_training_is_claimed_of_training_alone() -> None:
    """The error rises at k > 1e6: certified for the visited range, and it says so."""
    f = Endless(expression=lambda z, k: torch.where(k > 1e6, z / 2, (k * z)).clamp(-1, 1))

    assert ", every k in [1, 2]: " in certificate.certify_gradual(f, f.knob()).text
    assert ", every k in [1, 2]: " in certificate.certify_rational(f, f.knob()).text


def test_the_ends_of_training_that_just_fail() -> None:
    """EDE at t = 10 violates by 4e-9, above the tolerance: not certified, and its interval is."""
    f = surrogate("ede", t_min=10)
    witness = verdicts.find_violation((f,), f.knob())

    assert not certificate.certify_rational(f, f.knob()).proved
    assert witness
    found = violation.locate_violation(f, f.knob(), 10.0, witness.z or 0)
    assert "(0.99999999588, 1.00000000412)" in found.text


@pytest.mark.parametrize(
    ("f", "knob", "low", "high"),
    [
        (surrogate("rbnn"), 1.0, 2 * (math.sqrt(2) - 1), 1.062020113),
        (surrogate("rbnn"), 0.01, None, 200 * (math.sqrt(2) - 1)),
        (surrogate("dsq", u=0.8, l=-0.8), 0.2, 0.8, 1.2),
        (surrogate("ede"), 1.1, 0.502940575, None),
        (surrogate("ede"), 1.5, 0.858559637, None),
        (surrogate("ede"), 3.0, 0.994901528, None),
        (surrogate("fda", omega=math.pi / 2).pure(), 9.0, None, None),
        (surrogate("ste_gain"), 3.0, 2 / (1 + 0.1 ** (-2 / 3)), 1.5 * 0.1 ** (-2 / 3)),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_violations_are_bracketed(
    f: Surrogate, knob: float, low: float | None, high: float | None, side: int
) -> None:
    """Ends to 1e-9, where a closed form or the independent figures give them; both half lines."""
    found = violation.locate_violation(f, f.knob(), knob, side * 1.0)

    assert found.proved, found.text
    ends = sorted(abs(float(x)) for x in found.text.split("(")[1].split(")")[0].split(","))
    for end, expected in zip(ends, (low, high), strict=True):
        if expected is not None:
            assert end == pytest.approx(expected, abs=2e-9)
    for end, inwards in zip(ends, (1, -1), strict=True):
        near = side * torch.tensor(
            [end + inwards * 1e-7, end - inwards * 1e-7], dtype=torch.float64
        )
        inside, outside = estimating_error.measure_error(
            f, near, knob
        ) - estimating_error.measure_baseline_error(near)
        assert inside > 0 >= outside


def test_a_violation_may_have_no_end() -> None:
    """f = 2z is too far out at every large z; EDE at t = 1 too low however small z is."""
    twice = Own(expression=lambda z, k: 2 * z)

    assert "and beyond" in violation.locate_violation(twice, twice.knob(), 1.0, 2.0).text
    assert "(1e-09, 1.174341138) and on towards 0" in (
        violation.locate_violation(surrogate("ede"), surrogate("ede").knob(), 1.0, 1.0).text
    )


@pytest.mark.parametrize("bound", [2e4, 123456.7, 4e5])
def test_a_far_end_is_bracketed_as_floats_allow(bound: float) -> None:
    """Beyond 8192 no two floats are 1e-12 apart: the bracket is 4 ulp, and bisection ends."""
    f = Own(expression=lambda z, k: (2 * z).clamp(-bound, bound))
    found = violation.locate_violation(f, f.knob(), 1.0, 2.0)

    assert found.proved, found.text
    low, high = (float(x) for x in found.text.split("(")[1].split(")")[0].split(","))
    assert low == pytest.approx(2 / 3, abs=1e-9)
    assert high == pytest.approx(bound, abs=2e-9)


def test_a_violation_may_begin_beyond_what_is_followed() -> None:
    """Seen from 1e7 it goes on beyond, and begins where it begins."""
    f = Own(expression=lambda z, k: torch.where(z > 100, 2 * z, z))

    assert "(100, 1000000) and beyond" in violation.locate_violation(f, f.knob(), 1.0, 1e7).text


def test_what_cannot_be_proved_says_why() -> None:
    """A function without enclosure, an undecided point, a value where there is no violation."""
    odd = Own(expression=lambda z, k: z.round())

    assert "Tensor.round has no enclosure" in certificate.certify_rational(odd, odd.knob()).text
    assert (
        "Tensor.round has no enclosure"
        in violation.locate_violation(odd, odd.knob(), 1.0, 0.7).text
    )
    assert not violation.locate_violation(surrogate("ste"), None, 0.0, 0.7).proved


def test_unit_gain_is_certified_as_it_trains() -> None:
    """f/f'(0) of DSQ no longer passes through 1: the certificate is about that function."""
    f = surrogate("dsq", gain="unit", learn="off")
    witness = verdicts.find_violation((f,), f.knob())

    assert witness
    assert witness.z
    assert violation.locate_violation(f, f.knob(), 0.2, witness.z).proved
    assert certificate.certify_rational(surrogate("rbnn", gain="unit"), None).proved is False
