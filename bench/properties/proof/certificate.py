"""
Proofs beyond the grid: what `bench.properties` finds, for every real z and every knob.

Rational is |sign z - f| ≤ |sign z - z|; for z > 0 that is f between z and 2 - z. Boxes (z, knob)
are halved until one of these holds on each; h is f, or -f(-z) on the negative half line:

    directly       the range of h lies where it must, or h/z does, in power form
    from the left  h - z does not fall (h' ≥ 1), and at the left end the next box proves it
    from z = 1     h(1) = 1 for every knob, and |h'| ≤ 1 between z and 1
    in the middle  h in the middle of the box, h' and dh/dknob over it

All in exact arithmetic on the code's own `value` and constants, with P's tolerance of 1e-9; the
first box, z ≤ 5e-10, needs nothing of h' there.

What is proved is about `value`, without rounding. Training multiplies by `slope` (a learned knob
differentiates `value` itself), and that `slope` is the derivative of `value` is not proved: where
a file gives it in closed form, `properties.check` compares the two at 12,001 z in [-3, 3] and five
moments of the schedule, by difference quotients and to 1e-4, and tests do the same.
"""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from flint import arb

from bench.nn.contract import Knob, Surrogate
from bench.properties.estimating_error import TOLERANCE
from bench.properties.proof.cases import Undecided, evaluate
from bench.properties.proof.enclosure import Enclosure, NotEnclosed, Truth
from bench.properties.proof.interval import Interval, number
from bench.properties.proof.jet import Box, Jet, Series
from bench.properties.proof.subdivision import NotCertified, Span, Step, cover, precision

BOXES = 4000  # per half line; about 3 s
FAR = 1e5  # a learned knob without an end is tried up to here, if not all the way
TRIAL = 400  # what the whole admissible range gets first
NEAR = TOLERANCE / 2  # the first box is (0, NEAR]
AnyEnclosure = TypeVar("AnyEnclosure", bound=Enclosure)
SLACK = 1e-13  # how far beyond ±1 h may round while it still counts as not overshooting


@dataclass(frozen=True)
class Certificate:
    """A claim that was proved, or why it was not."""

    proved: bool
    text: str


def certify_rational(f: Surrogate, knob: Knob | None) -> Certificate:
    """Prove that f is nowhere further from sign than the identity, for as many knobs as one can."""
    return _certificate("rational", f, knob, _rational)


def certify_gradual(f: Surrogate, knob: Knob | None) -> Certificate:
    """Prove (b): on the way through the knob's range the error at no z ever rises."""
    return _certificate("the error never rises", f, knob, _gradual)


def _certificate(
    claim: str, f: Surrogate, knob: Knob | None, prove: Callable[["Half", Span, int], int]
) -> Certificate:
    reason = ""
    for spans, boxes in _attempts(knob):
        try:
            with precision():
                done = sum(prove(Half(f, s, knob), k, boxes) for s in (1, -1) for k in spans)
        except NotCertified as error:
            reason = str(error)
        except Exception as error:  # whatever a stranger's code does to what is not a tensor
            reason = f"{type(error).__name__}: {error}".removeprefix("NotEnclosed: ")
        else:
            return Certificate(
                True, f"{claim} (to 1e-9) at every real z{_of(knob, spans)}: {done} boxes"
            )
    return Certificate(False, f"{claim}: {reason}")


def _attempts(knob: Knob | None) -> Iterator[tuple[list[Span], int]]:
    """Ranges of the knob to try, the largest first, and how many boxes each may use."""
    if knob is None:
        yield [(0.0, 0.0)], BOXES
        return
    low, high = visits(knob)
    if knob.integer:
        yield [(float(n), float(n)) for n in range(int(low), int(high) + 1)], BOXES
        return
    if knob.learned and math.inf in knob.limits:
        yield [(low, high)], TRIAL
        high = FAR
    limits = (max(min(knob.limits), knob.floor), max(knob.limits))
    if not knob.learned and limits != (low, high):
        yield [limits], TRIAL
    yield [(low, high)], BOXES


def visits(knob: Knob) -> Span:
    """The range that training visits; a learned knob goes anywhere between its limits."""
    if knob.learned:
        return min(knob.limits) + 1e-3, max(knob.limits) - 1e-3
    low, high = sorted(max(end, knob.floor) for end in (knob.start, knob.end))
    return low, high


def _of(knob: Knob | None, spans: list[Span]) -> str:
    if knob is None:
        return ""
    low, high = spans[0][0], spans[-1][1]
    within = f"[{low:g}, ∞)" if math.isinf(high) else f"[{low:g}, {high:g}]"
    return f", every {knob.name} in {within}"


@dataclass(frozen=True)
class Half:
    """h on z > 0: f itself, or (side = -1) -f(-z)."""

    f: Surrogate
    side: int
    knob: Knob | None

    def over(self, box: Box) -> Jet:
        """h, dh/dz and dh/dknob over a box."""
        found = self._evaluate(*box.jets(self.side))
        return found if self.side > 0 else found.negative()

    def at_zero(self, knob: Span) -> Interval:
        """f(0), where the error must be 0 itself."""
        z = Jet(*(number(0) for _ in range(3)))
        k = Box((1, 1), knob).jets(1)[1]
        return self._evaluate(z, k).range

    def series(self, knob: Span) -> Interval:
        """h(1), by its series in the knob."""
        k = Series.knob(*knob)
        found = self._evaluate(k.constant(self.side), k)
        return found.times(k.constant(self.side)).enclose(*knob)

    def _evaluate(self, z: AnyEnclosure, knob: AnyEnclosure) -> AnyEnclosure:
        """f, or what it may be where comparisons that it computes with are undecided."""
        try:
            found, moves = evaluate(lambda: z.lift(self.f.f(z, knob)))  # pyright: ignore[reportArgumentType]
        except Undecided as error:
            message = f"{error}; write `torch.where`, `clamp`, or `upto` and `piecewise`"
            raise NotEnclosed(message) from None
        return functools.reduce(lambda x, y: x.either(y, Truth(None, *moves)), found)


def _rational(h: Half, span: Span, most: int) -> int:
    _zero(h, span)
    count = _one(h, span, most)
    zones = ((0.0, NEAR), (NEAR, 1.0), (1.0, math.inf))

    def claim(box: Box) -> Step:
        jet = h.over(box)
        return step(_between(h, jet, box), jet)

    return count + cover(claim, [Box(z, span) for z in zones], most)


def step(holds: bool, jet: Jet) -> Step:
    """Done, or in which direction to halve the box of `jet`."""
    if holds:
        return Step.DONE
    return Step.HALVE_Z if jet.k.is_zero else Step.HALVE


def _zero(h: Half, span: Span) -> None:
    """Prove f(0) = 0, where the identity's error is 0."""
    if not _near(h.at_zero(span), 0):
        message = "f(0) = 0 has no proof"
        raise NotCertified(message)


def _near(x: Interval, y: float) -> bool:
    return x.lo >= y - arb(TOLERANCE) and x.hi <= y + arb(TOLERANCE)


def _one(h: Half, span: Span, most: int) -> int:
    """Prove h(1) = 1 for every knob of `span`."""

    def claim(box: Box) -> Step:
        low, high = box.knob
        done = _near(h.over(box).v, 1)
        if not done and low < high < math.inf:
            with suppress(NotEnclosed, ZeroDivisionError):
                done = _near(h.series(box.knob), 1)
        return Step.DONE if done else Step.HALVE

    try:
        return cover(claim, [Box((1.0, 1.0), span)], min(most, 200))
    except NotCertified as error:
        message = f"f(1) = 1 has no proof: {error}"
        raise NotCertified(message) from None


def _between(h: Half, jet: Jet, box: Box) -> bool:
    """z ≤ h ≤ 2 - z below 1, and the other way round above, or reduced to a neighbouring box."""
    (low, high), t = map(arb, box.z), arb(TOLERANCE)
    slope, v = jet.z, jet.v
    if box.z[1] <= 1:
        chained = box.z[0] > 0 and slope.lo >= 1
        from_one = box.z[1] == 1 and slope.hi <= 1
        first = v.lo >= high - t or _quotient(v).lo >= 0 or chained or from_one
        second = v.hi <= 2 - high + t or slope.lo >= -1
        sign = 1
    else:
        first = v.hi <= low + t or _quotient(v).hi <= 0 or slope.hi <= 1
        second = v.lo >= 2 - low - t or slope.lo >= -1
        sign = -1
    if first and second:
        return True
    if math.inf in (*box.z, *box.knob):
        return False
    over, under = centred(h, jet, box)
    bounds = (over.lo, under.lo) if sign > 0 else (-over.hi, -under.hi)
    return (first or bounds[0] >= -t) and (second or bounds[1] >= -t)


def centred(h: Half, jet: Jet, box: Box) -> tuple[Interval, Interval]:
    """The ranges of h - z and 2 - z - h over a finite box, by its middle and the slopes over it."""
    middle = box.middle
    v = h.over(middle).v
    z, knob = number(middle.z[0]), number(middle.knob[0])
    dz, dknob = (Interval(arb(s[0]), arb(s[1])) - m for s, m in ((box.z, z), (box.knob, knob)))
    by_knob = jet.k * dknob
    over = v - z + (jet.z - number(1)) * dz + by_knob
    under = number(2) - z - v - (jet.z + number(1)) * dz - by_knob
    return over, under


def _quotient(v: Interval) -> Interval:
    """log(h/z), if h is in power form; else anything."""
    form = v.power
    if form is None or v.lo < 0:
        return Interval(-arb.pos_inf(), arb.pos_inf())
    return form.a + (form.b - number(1)) * form.L


def _gradual(h: Half, span: Span, most: int) -> int:
    if h.knob is None:
        message = "there is no knob"
        raise NotCertified(message)
    if h.knob.integer:
        message = f"{h.knob.name} takes whole values only"
        raise NotCertified(message)
    _zero(h, span)
    up = h.knob.limits[0] < h.knob.limits[1]

    def claim(box: Box) -> Step:
        jet = h.over(box)
        towards = jet.k if up else -jet.k
        up_to_one = towards.lo >= 0 and jet.v.hi <= 1 + arb(SLACK)
        down_to_one = towards.hi <= 0 and jet.v.lo >= 1 - arb(SLACK)
        return step(up_to_one or down_to_one, jet)

    return cover(claim, [Box(z, span) for z in ((0.0, 1.0), (1.0, math.inf))], most)
