"""
Intervals of real numbers, rounded outwards: whatever holds of one holds of every number in it.

Plain intervals forget that two terms hold the same z: z^(1/o)/z over z ≤ 1 comes out as all of
[0, ∞). Two forms in L = log|z| keep what power functions need, so that it comes out as ≥ 1:

    line     x = a + bL            a, b intervals that do not depend on z
    power    log|x| = a + bL       x of one sign; x = 0 is log|x| = -∞

Endpoints are exact arb numbers (python-flint) or infinite, at the working precision.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from flint import arb


class Undefined(Exception):
    """Somewhere in the range the result does not exist: log 0, 1/0. A smaller box may do."""


ZERO, ONE = arb(0), arb(1)
INF = arb.pos_inf()


class Form(NamedTuple):
    """a + bL, where L is log|z| over the box of z."""

    a: "Interval"
    b: "Interval"
    L: "Interval"

    def over_box(self) -> "Interval":
        """Its range."""
        return plain(self.a) + plain(self.b) * plain(self.L)

    def __add__(self, other: "Form") -> "Form":  # pyright: ignore[reportIncompatibleMethodOverride]
        return Form(self.a + other.a, self.b + other.b, self.L)

    def scaled(self, by: "Interval") -> "Form":
        return Form(self.a * by, self.b * by, self.L)


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """[lo, hi], and what is known of how it depends on z."""

    lo: arb
    hi: arb
    constant: bool = False  # does not depend on z
    line: Form | None = None
    power: Form | None = None

    @property
    def is_zero(self) -> bool:
        return self.lo.is_zero() and self.hi.is_zero()

    def __add__(self, other: "Interval") -> "Interval":
        if self.is_zero or other.is_zero:
            return other if self.is_zero else self
        lines = _both(self, other, lambda x, L: x.line or _constant(x, L))
        return _fitted(
            Interval(
                _down(self.lo + other.lo),
                _up(self.hi + other.hi),
                constant=self.constant and other.constant,
                line=lines and lines[0] + lines[1],
            )
        )

    def __neg__(self) -> "Interval":
        line = self.line and self.line.scaled(MINUS)
        return replace(self, lo=-self.hi, hi=-self.lo, line=line)

    def __sub__(self, other: "Interval") -> "Interval":
        return self + -other

    def __mul__(self, other: "Interval") -> "Interval":
        if self.is_zero or other.is_zero:
            return NONE
        ends = [_product(x, y) for x in (self.lo, self.hi) for y in (other.lo, other.hi)]
        powers = _both(self, other, lambda x, L: x.power or _log_constant(x, L))
        line = None
        if self.constant or other.constant:
            by, form = (self, other.line) if self.constant else (other, self.line)
            line = form and form.scaled(by)
        return _fitted(
            Interval(
                _down(min(ends, key=_down)),
                _up(max(ends, key=_up)),
                constant=self.constant and other.constant,
                line=line,
                power=powers and powers[0] + powers[1],
            )
        )

    def inverse(self) -> "Interval":
        """
        1/x.

        Raises:
            Undefined: x may be 0.
        """
        if not self.positive and not (-self).positive:
            message = "1/0"
            raise Undefined(message)
        low = -INF if self.hi.is_zero() else _down(1 / self.hi)
        high = INF if self.lo.is_zero() else _up(1 / self.lo)
        power = self.power and self.power.scaled(MINUS)
        return _fitted(Interval(low, high, self.constant, power=power))

    def integer_power(self, n: int) -> "Interval":
        """x^n, n ≥ 1."""
        ends = [x**n if x >= 0 else (-x) ** n * (-1) ** n for x in (self.lo, self.hi)]
        low, high = min(map(_down, ends)), max(map(_up, ends))
        if n % 2 == 0 and self.lo < 0 < self.hi:
            low = ZERO
        power = self.power and self.power.scaled(number(n))
        return _fitted(Interval(low, high, self.constant, power=power))

    def apply(self, name: str) -> "Interval":
        """
        A function by its name in FUNCTIONS.

        Raises:
            Undefined: x may lie outside its domain.
        """
        if (name == "log" and not self.positive) or (name == "sqrt" and self.lo < 0):
            message = f"{name} of a number that may be negative or 0"
            raise Undefined(message)
        found = FUNCTIONS[name](self)
        if name == "exp":
            found = replace(found, power=self.line)
        if name == "log":
            found = replace(found, line=self.power)
        if name == "sqrt":
            found = replace(found, power=self.power and self.power.scaled(number(0.5)))
        return _fitted(replace(found, constant=self.constant))

    def hull(self, other: "Interval", *, choice: bool = False) -> "Interval":
        """The smallest interval with both; `choice`: which of the two depends on z."""
        same = (self.lo >= 0 and other.lo >= 0) or (self.hi <= 0 and other.hi <= 0)
        powers = _both(self, other, lambda x, L: x.power or _log_constant(x, L)) if same else None
        lines = _both(self, other, lambda x, L: x.line or _constant(x, L))
        return Interval(
            min(self.lo, other.lo),
            max(self.hi, other.hi),
            constant=self.constant and other.constant and not choice,
            line=lines and _hull(*lines),
            power=powers and _hull(*powers),
        )

    def within(self, lo: arb, hi: arb) -> "Interval":
        """The same with both ends held to [lo, hi], which are known to hold it."""
        return replace(self, lo=max(self.lo, lo), hi=min(self.hi, hi))

    @property
    def positive(self) -> bool:
        """Every number > 0; one in power form is never 0 itself, however close the box comes."""
        form = self.power
        strict = form is not None and form.a.lo > -INF and form.b.lo > -INF and form.b.hi < INF
        return self.lo > 0 or (self.lo >= 0 and self.hi > 0 and strict)


def number(x: float) -> Interval:
    """One number, exactly."""
    return Interval(arb(x), arb(x), constant=True)


def plain(x: Interval) -> Interval:
    """The interval without its forms."""
    return Interval(x.lo, x.hi, constant=x.constant)


def _down(x: arb) -> arb:
    low = x.lower()
    return -INF if low.is_nan() else low


def _up(x: arb) -> arb:
    high = x.upper()
    return INF if high.is_nan() else high


def _product(x: arb, y: arb) -> arb:
    """0·∞ = 0: the ends of a box are approached, not attained."""
    return ZERO if x.is_zero() or y.is_zero() else x * y


def _constant(x: Interval, L: Interval) -> Form | None:
    return Form(plain(x), NONE, L) if x.constant else None


def _log_constant(x: Interval, L: Interval) -> Form | None:
    """A constant of one sign in power form."""
    if not x.constant or x.lo < 0 < x.hi:
        return None
    size = plain(x) if x.lo >= 0 else -plain(x)
    return Form(_monotone(size, arb.log, -INF, INF), NONE, L)


def _both(
    x: Interval, y: Interval, form: Callable[[Interval, Interval], Form | None]
) -> tuple[Form, Form] | None:
    """The forms of x and y, if each has one and not both are constants."""
    own = x.line or x.power or y.line or y.power
    if own is None:
        return None
    first, second = form(x, own.L), form(y, own.L)
    return (first, second) if first and second else None


def _hull(x: Form, y: Form) -> Form:
    a, b = (replace(i.hull(j), constant=True) for i, j in ((x.a, y.a), (x.b, y.b)))
    return Form(a, b, x.L)


def _fitted(x: Interval) -> Interval:
    """Make use of the forms, which may know more than the ends do."""
    if x.line:
        box = x.line.over_box()
        x = x.within(box.lo, box.hi)
    if x.power and (x.lo >= 0 or x.hi <= 0):
        box = FUNCTIONS["exp"](x.power.over_box())
        x = x.within(box.lo, box.hi) if x.lo >= 0 else x.within(-box.hi, -box.lo)
    return x


def _monotone(x: Interval, function: Callable[[arb], arb], low: arb, high: arb) -> Interval:
    """An increasing function with limits `low` and `high`; NaN is outside its domain."""
    return Interval(
        low if x.lo == -INF else max(_down(function(x.lo)), low),
        high if x.hi == INF else min(_up(function(x.hi)), high),
    )


def _wave(x: Interval, function: Callable[[arb], arb]) -> Interval:
    """sin or cos: never further from the middle's than the ends are, never beyond ∓1."""
    if x.lo == -INF or x.hi == INF:
        return Interval(-ONE, ONE)
    middle = ((x.lo + x.hi) / 2).mid()
    value, radius = function(middle), max(_up(x.hi - middle), _up(middle - x.lo))
    return Interval(max(_down(value - radius), -ONE), min(_up(value + radius), ONE))


NONE = number(0)
MINUS = number(-1)
WHOLE = Interval(-INF, INF)
FUNCTIONS: dict[str, Callable[[Interval], Interval]] = {
    "exp": lambda x: _monotone(x, arb.exp, ZERO, INF),
    "log": lambda x: _monotone(x, arb.log, -INF, INF),
    "sqrt": lambda x: _monotone(x, arb.sqrt, ZERO, INF),
    "tanh": lambda x: _monotone(x, arb.tanh, -ONE, ONE),
    "atan": lambda x: _monotone(x, arb.atan, -_up(arb.pi() / 2), _up(arb.pi() / 2)),
    "erf": lambda x: _monotone(x, arb.erf, -ONE, ONE),
    "sin": lambda x: _wave(x, arb.sin),
    "cos": lambda x: _wave(x, arb.cos),
}
