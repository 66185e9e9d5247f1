"""
Two kinds of Enclosure: f and its derivatives over a box, and f at one z as a series in the knob.

`Jet` carries f, df/dz and df/dknob over a box (z, knob): forward-mode differentiation through
the plugin's own code. Where an undecided `torch.where` may let f jump, the derivative is the whole
line. `Series` has the coefficients of f in the knob about a middle value, and the last one over
the whole range, which bounds the remainder: enough to prove f(1) = 1 where f spells it as a
formula of its knob, such as tanh(k)/tanh(k).
"""

from dataclasses import dataclass
from typing import final

from flint import arb, arb_series

from bench.properties.proof import enclosure, torch_functions
from bench.properties.proof.enclosure import Enclosure, NotEnclosed, Truth
from bench.properties.proof.interval import FUNCTIONS, NONE, ONE, WHOLE, Form, Interval, number

PRECISION = 128  # bits
ORDER = 14  # of a Series
enclosure.FUNCTIONS.update(torch_functions.FUNCTIONS)  # what torch calls, given one of these two


@dataclass(frozen=True)
class Box:
    """Ranges of z > 0 and of the knob; ends may be infinite."""

    z: tuple[float, float]
    knob: tuple[float, float]

    def jets(self, side: int) -> tuple["Jet", "Jet"]:
        """z on the positive or (side = -1) negative half line, and the knob."""
        low, high = map(arb, self.z)
        L = FUNCTIONS["log"](Interval(low, high))
        r = Interval(low, high, power=Form(NONE, number(1), L))
        z = r if side > 0 else -r
        knob = Interval(arb(self.knob[0]), arb(self.knob[1]), constant=True)
        return Jet(z, number(side), NONE), Jet(knob, NONE, number(1))

    @property
    def middle(self) -> "Box":
        """The box of one point in its middle."""
        return Box(*((m, m) for m in ((a + b) / 2 for a, b in (self.z, self.knob))))


@final
@dataclass(frozen=True, eq=False)
class Jet(Enclosure):
    """f, df/dz and df/dknob over a box."""

    v: Interval
    z: Interval
    k: Interval

    def constant(self, x: float) -> "Jet":
        return Jet(number(x), NONE, NONE)

    @property
    def range(self) -> Interval:
        return self.v

    @property
    def moves(self) -> tuple[bool, bool]:
        return not self.z.is_zero, not self.k.is_zero

    def plus(self, other: "Jet") -> "Jet":
        return Jet(self.v + other.v, self.z + other.z, self.k + other.k)

    def negative(self) -> "Jet":
        return Jet(-self.v, -self.z, -self.k)

    def times(self, other: "Jet") -> "Jet":
        return Jet(
            self.v * other.v,
            self.v * other.z + other.v * self.z,
            self.v * other.k + other.v * self.k,
        )

    def inverse(self) -> "Jet":
        one = self.v.inverse()
        return self._chain(one, -(one * one))

    def integer_power(self, n: int) -> "Jet":
        slope = number(n) * (self.v.integer_power(n - 1) if n > 1 else number(1))
        return self._chain(self.v.integer_power(n), slope)

    def apply(self, name: str) -> "Jet":
        value = self.v.apply(name)
        if not any(self.moves):  # at z = 0 a root has no slope, and needs none
            return Jet(value, NONE, NONE)
        return self._chain(value, _slope(name, self.v, value))

    def _chain(self, value: Interval, slope: Interval) -> "Jet":
        return Jet(value, slope * self.z, slope * self.k)

    def either(self, other: "Jet", choice: Truth) -> "Jet":
        return Jet(
            self.v.hull(other.v, choice=choice.z),
            WHOLE if choice.z else self.z.hull(other.z),
            WHOLE if choice.knob else self.k.hull(other.k),
        )

    def larger(self, other: "Jet") -> "Jet":
        depends = any(x.moves[0] for x in (self, other))
        value = self.v.hull(other.v, choice=depends)
        value = value.within(max(self.v.lo, other.v.lo), max(self.v.hi, other.v.hi))
        return Jet(
            value, self.z.hull(other.z, choice=depends), self.k.hull(other.k, choice=depends)
        )


def _slope(name: str, x: Interval, value: Interval) -> Interval:
    """The derivative of a function of UNARY at x, where it is `value`."""
    match name:
        case "exp":
            return value
        case "log":
            return x.inverse()
        case "sqrt":
            return number(0.5) * value.inverse()
        case "sin":
            return x.apply("cos")
        case "cos":
            return -x.apply("sin")
        case "tanh":
            return number(1) - value.integer_power(2)
        case "atan":
            return (number(1) + x.integer_power(2)).inverse()
        case _:  # erf
            root = arb.pi().sqrt()
            height = Interval((2 / root).lower(), (2 / root).upper(), constant=True)
            return height * (-x.integer_power(2)).apply("exp")


@final
@dataclass(frozen=True, eq=False)
class Series(Enclosure):
    """Coefficients in the knob: about its middle value, and with the knob anywhere in its range."""

    middle: arb_series
    anywhere: arb_series

    @classmethod
    def knob(cls, low: float, high: float) -> "Series":
        """The knob itself, low < high both finite."""
        middle, radius = _ball(low, high)
        return cls(
            arb_series([middle, ONE], prec=ORDER),
            arb_series([arb(middle, radius), ONE], prec=ORDER),
        )

    def enclose(self, low: float, high: float) -> Interval:
        """Every value for knobs in [low, high], the range that the knob was made with."""
        if min(self.middle.prec, self.anywhere.prec) < ORDER:
            message = "the series lost terms"
            raise NotEnclosed(message)
        x = arb(0, _ball(low, high)[1])
        total = self.anywhere[ORDER - 1]
        for n in reversed(range(ORDER - 1)):
            total = self.middle[n] + x * total
        return Interval(total.lower(), total.upper())

    def constant(self, x: float) -> "Series":
        series = arb_series([arb(x)], prec=ORDER)
        return Series(series, series)

    @property
    def range(self) -> Interval:
        first = self.anywhere[0]
        return Interval(first.lower(), first.upper())

    @property
    def moves(self) -> tuple[bool, bool]:
        return False, True

    def plus(self, other: "Series") -> "Series":
        return Series(self.middle + other.middle, self.anywhere + other.anywhere)

    def negative(self) -> "Series":
        return Series(-self.middle, -self.anywhere)

    def times(self, other: "Series") -> "Series":
        return Series(self.middle * other.middle, self.anywhere * other.anywhere)

    def inverse(self) -> "Series":
        return Series(*(1 / s for s in (self.middle, self.anywhere)))

    def integer_power(self, n: int) -> "Series":
        return Series(*(s**n for s in (self.middle, self.anywhere)))

    def apply(self, name: str) -> "Series":
        return Series(*(_series(name, s) for s in (self.middle, self.anywhere)))

    def either(self, other: "Series", choice: Truth) -> "Series":
        message = "an undecided choice has no series"
        raise NotEnclosed(message)

    def larger(self, other: "Series") -> "Series":
        return self.either(other, Truth(None))


def _series(name: str, s: arb_series) -> arb_series:
    if name == "tanh":
        return 1 - 2 / ((2 * s).exp() + 1)
    return getattr(s, name)()


def _ball(low: float, high: float) -> tuple[arb, arb]:
    """An exact middle, and a radius about it that reaches both ends however the middle rounds."""
    middle = ((arb(low) + arb(high)) / 2).mid()
    return middle, max((arb(high) - middle).upper(), (middle - arb(low)).upper())
