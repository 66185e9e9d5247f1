"""
What every estimator owes the harness, checked on a plugin that nobody wrote tests for.

`bench check` prints it, and the test suite runs the same over every installed estimator.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from bench.nn.clock import Clock
from bench.nn.contract import Estimator, Surrogate, SurrogateBinarizer
from bench.nn.sign import sign
from bench.properties import estimating_error, verdicts
from bench.properties.claim import Check, Claim, check_claim
from bench.properties.printed_formula import Formula, read_formula
from bench.properties.sample_training import make_sample
from bench.properties.training_claims import FIRST, training_claims, trains_its_own_way
from bench.spec.cell import Role
from bench.spec.plan import Properties

ROLES: tuple[Role, ...] = ("W", "A")
PROGRESS = (0.0, 0.25, 0.5, 0.75, 0.999)
EXTREMES = (0.0, 1e-8, -1e-8, 1.0, -1.0, 1e4, -1e4)
BACKWARD = "the backward, of which there is no f to compare it with"
FORMULA = "the formula, which is as printed"
H = 1e-6  # step of the finite differences, float64
H_AT_0 = 1e-100  # of the one at z = 0, to which f' may rise without a bound
PRINTED_TOLERANCE = 1e-6  # relative to 1 + |f|
SLOPE_TOLERANCE = 1e-4  # relative to 1 + |f'|; a one-sided difference is off by H·f''/2


@dataclass(frozen=True)
class CheckReport:
    """Checks, and the property verdicts, which cannot fail: they are what they are."""

    checks: list[Check]
    knob: str = ""  # its name, visited range and limits; empty: no f, so no verdicts either
    printed: Properties | None = None
    trained: dict[Role, Properties] = field(default_factory=dict[Role, Properties])
    unchecked: list[str] = field(default_factory=list[str])  # what nothing is compared with

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def check_estimator(estimator: Estimator, *, quick: bool = True) -> CheckReport:
    """
    Run every check on one configured estimator.

    Args:
        quick: of one that is more than a gradient for sign, leave out what compiles.
    """
    checks = _check_claims(estimator, quick=quick)
    if not isinstance(estimator, Surrogate):
        return CheckReport(checks, unchecked=[BACKWARD, FORMULA])
    unchecked = [] if read_printed(estimator) else [FORMULA]
    checks.append(check_claim("knob is one", lambda plugin: ("", describe_knob(plugin)), estimator))
    knob = checks.pop() if checks[-1].ok else checks[-1]
    judged: list[tuple[Properties, dict[Role, Properties]]] = []

    def judge(plugin: Surrogate) -> tuple[str, str]:
        trained: dict[Role, Properties] = {
            role: verdicts.judge_trained(plugin, role) for role in ROLES
        }
        judged.append((verdicts.judge_printed(plugin), trained))
        return "", ""

    if (
        all(c.ok for c in checks)
        and not (found := check_claim("f has numbers", judge, estimator)).ok
    ):
        checks.append(found)
    if not judged:
        return CheckReport(checks, knob.detail, None, {}, unchecked)
    return CheckReport(checks, knob.detail, *judged[0], unchecked)


def list_claims(estimator: Estimator, *, quick: bool) -> dict[str, Claim]:
    """Return what is claimed of this estimator, by name; `quick` as `check_estimator` has it."""
    form = "forward is sign" if isinstance(estimator, Surrogate) else "forward keeps its shape"
    claims: dict[str, Claim] = {form: _forward, "gradients finite": _finite}
    if trains_its_own_way(estimator):
        claims |= training_claims(quick=quick)
    if isinstance(estimator, Surrogate):
        claims |= {
            "slope is the derivative of value": _slope,
            "training multiplies by the slope": _backward,
        }
        if any(k and k.per == "channel" for k in map(estimator.knob, ROLES)):
            claims["a knob for each channel trains"] = _channels
        if read_printed(estimator):
            claims["value is the printed formula"] = _printed
    return claims


def _check_claims(estimator: Estimator, *, quick: bool) -> list[Check]:
    """Check the claims, those where it trains as long as it does."""
    training = training_claims(quick=quick)
    checks: list[Check] = []
    for name, claim in list_claims(estimator, quick=quick).items():
        stuck = any(check.name in FIRST and not check.ok for check in checks)
        if not (stuck and name in training):
            checks.append(check_claim(name, claim, estimator))
    return checks


def describe_knob(surrogate: Surrogate) -> str:
    """The knob in one line: its path, its visited range, and what it may approach."""
    knob = surrogate.knob()
    if knob is None:
        return "none"
    low, high = knob.limits
    limits = f"identity end {low:g}, sign end {high:g}"
    each = ", one per channel" if knob.per == "channel" else ""
    if knob.learned:
        seen = sorted(verdicts.list_visited(knob))
        span = f"visits [{seen[0]:g}, {seen[-1]:g}]"
        return f"{knob.name}, learned from {knob.start:g}{each}, {span}; {limits}"
    schedule = getattr(surrogate, "schedule", "fixed")
    text = f"{knob.name}: {knob.start:g} → {knob.end:g}, {schedule}; {limits}"
    other = surrogate.knob("A")
    return text if other == knob or other is None else f"{text}; at least {other.floor:g} for A"


def _binarizers(
    estimator: Estimator, zero: int = 0, shape: tuple[int, ...] = (4, 3, 3, 3)
) -> Iterator[tuple[Role, float, nn.Module]]:
    """A fresh binarizer for each role and progress, and the progress it stands at."""
    for role in ROLES:
        for p in PROGRESS:
            clock = Clock()
            module = estimator.binarizer(role, shape if role == "W" else (3,), clock, zero)
            clock.set(p)
            yield role, p, module


def _effective(y: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """What the product is of; a scale that came with signs multiplies them."""
    return y[0] * y[1] if isinstance(y, tuple) else y


def _forward(estimator: Estimator) -> tuple[str, str]:
    z = torch.linspace(-3, 3, 4 * 27).reshape(4, 3, 3, 3)
    z[0, 0, 0, 0] = 0.0
    for zero in (0, 1):
        for role, p, module in _binarizers(estimator, zero):
            given: Tensor | tuple[Tensor, Tensor] = module(z.clone())
            signs, y = given[0] if isinstance(given, tuple) else given, _effective(given)
            if y.shape != z.shape or y.dtype != z.dtype:
                return f"{role}, p = {p}: {tuple(y.shape)} {y.dtype} from {tuple(z.shape)}", ""
            if not torch.equal(y, sign(z, zero)) and isinstance(estimator, Surrogate):
                return f"{role}, p = {p}: not sign(z) with sign(0) = {zero}", ""
            if getattr(module, "signs", False) and not torch.equal(signs, sign(signs)):
                return f"{role}, p = {p}: promises signs, gives other numbers", ""
    if not isinstance(estimator, Surrogate):
        return "", "both roles, shape and dtype kept"
    return "", "both roles, sign(0) in {0, +1}, shape and dtype kept"


def _finite(estimator: Estimator) -> tuple[str, str]:
    for dtype in (torch.float32, torch.bfloat16):
        for role, p, module in _binarizers(estimator, shape=(4, 3, 7, 1)):
            if not isinstance(estimator, Surrogate):
                module.to(dtype)  # buffers and parameters of a filter, not 0-d
            z = torch.tensor(EXTREMES, dtype=dtype).repeat(4, 3, 1).reshape(4, 3, 7, 1)
            z[2:] = torch.tensor([0.0, -1e4]).view(2, 1, 1, 1)  # filters that are constant
            z.requires_grad_()
            _effective(module(z)).sum().backward()
            gradient = _gradient(z)
            wrong = z.detach()[~gradient.isfinite()]
            if wrong.numel():
                return f"{role}, p = {p}, {dtype}: not finite at z = {wrong[0].item():g}", ""
            if gradient.dtype != dtype:
                return f"{role}, p = {p}: gradient of {dtype} came as {gradient.dtype}", ""
    return "", "float32 and bfloat16 at z = 0, ±1e-8, ±1, ±1e4"


def _slope(surrogate: Surrogate) -> tuple[str, str]:
    """At every z the slope lies between the left and right difference quotients of value."""
    z = estimating_error.full_grid()
    worst = 0.0
    for role in ROLES:
        for p in PROGRESS:
            knob = torch.tensor(surrogate.path(p, role), dtype=torch.float64)
            f = surrogate.f(z, knob)
            left = (f - surrogate.f(z - H, knob)) / H
            right = (surrogate.f(z + H, knob) - f) / H
            slope = surrogate.df(z, knob)
            low, high = torch.minimum(left, right), torch.maximum(left, right)
            nearest = (surrogate.f(z + H_AT_0, knob) - f) / H_AT_0  # beside 0 nothing
            high = torch.maximum(high, nearest)
            excess = torch.maximum(low - slope, slope - high) / (1 + slope.abs())
            place = int(excess.nan_to_num(nan=torch.inf).argmax())
            if not excess[place] <= SLOPE_TOLERANCE:
                numbers = f"slope {slope[place]:.6g}, difference quotient {right[place]:.6g}"
                return f"{role}, p = {p}, z = {z[place]:g}: {numbers}", ""
            worst = max(worst, excess[place].item())
    return "", f"largest relative difference {worst:.1e}, {len(z)} values of z in [-3, 3]"


def read_printed(surrogate: Surrogate) -> Formula | None:
    """The printed formula as arithmetic, if it is that, of quantities that have a number."""
    numbers = _numbers(surrogate)
    knob = surrogate.knob()
    names = [*numbers, *([knob.name] if knob and knob.name not in numbers else [])]
    return read_formula(surrogate.formula, names)


def _numbers(surrogate: Surrogate) -> dict[str, float]:
    """The fields that a formula may name, where it is printed."""
    fields = dict(surrogate.pure())
    return {k: float(x) for k, x in fields.items() if isinstance(x, int | float)}


def _printed(surrogate: Surrogate) -> tuple[str, str]:
    """Up to |z| = 1, for what a paper cuts beyond it does not always print."""
    formula, f, knob = read_printed(surrogate), surrogate.pure(), surrogate.knob()
    z = estimating_error.full_grid()
    z, worst = z[z.abs() <= 1], 0.0
    assert formula
    for p in PROGRESS:
        at = torch.tensor(surrogate.path(p, "W"), dtype=torch.float64)
        found, values = f.f(z, at), _numbers(surrogate)
        printed = formula({**values, "z": z} | ({knob.name: at} if knob else {})).expand_as(z)
        off = (printed - found).abs() / (1 + found.abs())
        place = int(off.nan_to_num(nan=torch.inf).argmax())
        if not off[place] <= PRINTED_TOLERANCE:
            numbers = f"printed {printed[place]:.6g}, value {found[place]:.6g}"
            return f"p = {p}, z = {z[place]:g}: {numbers}", ""
        worst = max(worst, off[place].item())
    return "", f"largest relative difference {worst:.1e}, {len(z)} values of z in [-1, 1]"


def _backward(surrogate: Surrogate) -> tuple[str, str]:
    """The gradient that reaches z is f'(z) times the one that came."""
    rng = torch.Generator().manual_seed(0)
    worst = 0.0
    for role, p, module in _binarizers(surrogate):
        assert isinstance(module, SurrogateBinarizer)
        module.double()  # a learned knob too: in float32 its rounding alone is 1e-7
        z = (3 * torch.randn(4, 3, 50, 50, generator=rng, dtype=torch.float64)).requires_grad_()
        dy = torch.randn(z.shape, generator=rng, dtype=torch.float64)
        module(z).backward(dy)
        expected = surrogate.df(z.detach(), module.over(z).detach()) * dy
        off = (_gradient(z) - expected).abs().max().item()
        if not off <= 1e-9:
            return f"{role}, p = {p}: off by {off:.3g}", ""
        worst = max(worst, off)
    return "", f"both roles, {len(PROGRESS)} moments, largest difference {worst:.1e}"


def _channels(surrogate: Surrogate) -> tuple[str, str]:
    """Steps of a network, its probe included, move the knobs, not all of a layer by the same."""
    sample = make_sample(surrogate, epochs=1)
    probed = sample.recipe.model_copy(update={"indicators": "on"})
    sample = dataclasses.replace(sample, recipe=probed)
    outcome = sample.train()
    if outcome.diverged:
        return f"diverged: {outcome.diverged}", ""
    found = [m for m in sample.net.modules() if isinstance(m, SurrogateBinarizer)]
    several = [m.knob.detach() for m in found if m.knob.ndim]
    moved = sum(bool((knobs != knobs[0]).any()) for knobs in several)
    if not moved:
        return "no layer's knobs differ after the first steps", ""
    return "", f"{moved} of {len(several)} have several values after an epoch"


def _gradient(z: Tensor) -> Tensor:
    return torch.zeros_like(z) if z.grad is None else z.grad
