"""A claim about every point of some boxes, proved by halving them until it holds on each."""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import Enum
from typing import TypeAlias

from flint import ctx

from bench.properties.proof.interval import Undefined
from bench.properties.proof.jet import ORDER, PRECISION, Box

Span: TypeAlias = tuple[float, float]


class NotCertified(Exception):
    """No proof; the text says why."""


@contextmanager
def precision() -> Generator[None]:
    """The working precision of every proof."""
    cap = ctx.cap
    with ctx.workprec(PRECISION):
        ctx.cap = ORDER
        try:
            yield
        finally:
            ctx.cap = cap


class Step(Enum):
    """What to do with a box."""

    DONE = "the claim holds"
    HALVE = "cut it where it is wider"
    HALVE_Z = "cut z: the knob changes nothing here"


def cover(claim: Callable[[Box], Step], boxes: list[Box], most: int) -> int:
    """
    Halve boxes until the claim holds on each, and return their number.

    Raises:
        NotCertified: `most` were not enough, or one can be halved no more.
    """
    open_, count = list(reversed(boxes)), 0
    while open_:
        box = open_.pop()
        count += 1
        if count > most:
            message = f"{most} boxes were not enough, the last at {_place(box)}"
            raise NotCertified(message)
        try:
            step = claim(box)
        except Undefined:
            step = Step.HALVE
        if step != Step.DONE:
            open_ += halves(box, by_z=step == Step.HALVE_Z)
    return count


def halves(box: Box, *, by_z: bool) -> tuple[Box, Box]:
    """The box cut where it is relatively wider, or in z; the half nearer to 0 last."""
    if by_z or width(box.z) >= width(box.knob):
        a, b = _cut(box.z, box)
        return Box(b, box.knob), Box(a, box.knob)
    a, b = _cut(box.knob, box)
    return Box(box.z, b), Box(box.z, a)


def width(span: Span) -> float:
    """Relative width, 1 at most for positive ends."""
    low, high = span
    if low == high:
        return 0.0
    return 1.0 if math.isinf(high) else (high - low) / max(abs(low), abs(high))


def _cut(span: Span, box: Box) -> tuple[Span, Span]:
    low, high = span
    if math.isinf(high):
        cut = max(2 * low, 1.0)
    elif low > 0 and high > 4 * low:
        cut = math.sqrt(low * high)
    else:
        cut = high / 1024 if low == 0 else (low + high) / 2
    if not low < cut < high:
        message = f"undecided in every box around {_place(box)}"
        raise NotCertified(message)
    return (low, cut), (cut, high)


def _place(box: Box) -> str:
    (z, _), (low, high) = box.z, box.knob
    return f"z = {z:.6g}, knob in [{low:.6g}, {high:.6g}]"
