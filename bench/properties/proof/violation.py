"""
Where f is further from sign than the identity, exactly: an interval of z, at one knob.

The grid finds a point; from there the interval is followed both ways until the gap is proved to
have closed, its ends are bracketed by proofs on either side, and the gap is proved open between.
"""

import math
from dataclasses import dataclass

from flint import arb

from bench.nn.contract import Knob, Surrogate
from bench.properties.proof.certificate import Certificate, Half, centred, step
from bench.properties.proof.enclosure import NotEnclosed
from bench.properties.proof.interval import Interval
from bench.properties.proof.jet import Box, Jet
from bench.properties.proof.subdivision import NotCertified, cover, precision

ACROSS = 1e-12  # width of a bracket of an end, or 4 ulp where floats lie further apart
CLOSE, FAR = 1e-9, 1e6  # an interval that goes on beyond is not followed
BOXES = 4000


@dataclass(frozen=True)
class Violation:
    """gap > 0 at every z strictly between `low` and `high`, each known to `ACROSS`."""

    low: float  # 0: still open at CLOSE
    high: float  # ∞: still open at FAR
    side: int  # the sign of z
    knob: float

    def __str__(self) -> str:
        low = _digits(self.low, self.high - self.low) if self.low else f"{CLOSE:g}"
        high = _digits(min(self.high, FAR), self.high - self.low)
        if self.side < 0:
            low, high = f"-{high}", f"-{low}"
        goes_on = " and on towards 0" * (not self.low) + " and beyond" * math.isinf(self.high)
        return f"({low}, {high}){goes_on or ', not just outside'}"


def _digits(x: float, width: float) -> str:
    """x to 1e-9, or to three digits of a narrower interval."""
    digits = 9 if math.isinf(width) else max(9, 2 - math.floor(math.log10(width)))
    return f"{x:.{digits}f}".rstrip("0").rstrip(".")


def locate_violation(f: Surrogate, knob: Knob | None, at: float, z: float) -> Certificate:
    """Prove where the violation around `z` begins and ends, with the knob at `at`."""
    half = Half(f, 1 if z > 0 else -1, knob)
    name = f" at {knob.name} = {at:.6g}" if knob else ""
    try:
        with precision():
            found = _violation(half, at, abs(z))
    except (NotCertified, NotEnclosed) as error:
        return Certificate(False, f"the violation{name}: {error}")
    except Exception as error:  # whatever a stranger's code does to what is not a tensor
        text = f"the violation{name}: {type(error).__name__}: {error}"
        return Certificate(False, text)
    return Certificate(True, f"violated{name} at every z in {found}")


def _violation(half: Half, knob: float, z: float) -> Violation:
    if z == 0 or not _open(half, knob, z):
        message = f"the gap at z = {z:g} is not proved"
        raise NotCertified(message)
    low, inner_low = _end(half, knob, z, -1)
    high, inner_high = _end(half, knob, z, 1)
    ranges = [(inner_low, min(1.0, inner_high)), (max(1.0, inner_low), inner_high)]
    boxes = [Box(r, (knob, knob)) for r in ranges if r[0] < r[1]]
    cover(lambda box: step(*_violates(half, box)), boxes, BOXES)
    return Violation(low, high, half.side, knob)


def _end(half: Half, knob: float, z: float, way: int) -> tuple[float, float]:
    """A point outside the interval and one inside, closer than ACROSS, seen from z."""
    inside, step = z, 5e-4
    while True:
        outside = max(inside + way * step, CLOSE)
        if not _open(half, knob, outside):
            break
        if outside >= FAR if way > 0 else outside <= CLOSE:
            return (math.inf if way > 0 else 0.0), outside
        inside, step = outside, step * 1.05
    while abs(outside - inside) > max(ACROSS, 4 * math.ulp(outside)):
        middle = (outside + inside) / 2
        if _open(half, knob, middle):
            inside = middle
        else:
            outside = middle
    if not _closed(half, knob, outside):
        message = f"whether the gap at z = {outside:.17g} is open is undecided"
        raise NotCertified(message)
    return outside, inside


def _gap(half: Half, knob: float, z: float) -> Interval:
    """|1 - h| - |1 - z| at one point."""
    h = half.over(Box((z, z), (knob, knob))).v
    return _size(h) - Interval(abs(1 - arb(z)), abs(1 - arb(z)))


def _size(h: Interval) -> Interval:
    """|1 - h|."""
    off = Interval(h.lo - 1, h.hi - 1)
    if off.lo >= 0:
        return off
    return -off if off.hi <= 0 else Interval(arb(0), max(-off.lo, off.hi))


def _open(half: Half, knob: float, z: float) -> bool:
    return bool(_gap(half, knob, z).lo > 0)


def _closed(half: Half, knob: float, z: float) -> bool:
    return bool(_gap(half, knob, z).hi <= 0)


def _violates(half: Half, box: Box) -> tuple[bool, Jet]:
    """Whether the gap is open on the whole box, which lies on one side of 1; and h over it."""
    jet = half.over(box)
    (low, high), v = map(arb, box.z), jet.v
    below = box.z[1] <= 1  # there h < z or h > 2 - z
    if (v.hi < low or v.lo > 2 - low) if below else (v.lo > high or v.hi < 2 - high):
        return True, jet
    over, under = centred(half, jet, box)
    opens = (over.hi < 0 or under.hi < 0) if below else (over.lo > 0 or under.lo > 0)
    return bool(opens), jet
