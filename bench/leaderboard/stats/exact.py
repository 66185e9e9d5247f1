"""
Variances of floats, exact but for one rounding at the end: those of `statistics`, to the bit.

That computes with fractions, whose common divisors take nearly all of its time. Floats are whole
numbers over powers of two, so one shift makes them whole, and whole numbers need no divisors.
"""

import math
from collections.abc import Sequence


def variance(values: Sequence[float]) -> float:
    """
    The variance of a sample of two values or more, all finite.

    Raises:
        OverflowError: it is beyond floats.
    """
    above, below = _fraction(values)
    return above / below


def stdev(values: Sequence[float]) -> float:
    """
    The standard deviation of a sample of two values or more, all finite.

    Raises:
        OverflowError: it is beyond floats.
    """
    above, below = _fraction(values)
    return _root(above, below)


def _fraction(values: Sequence[float]) -> tuple[int, int]:
    """The variance: a whole number over a whole number."""
    pairs = [value.as_integer_ratio() for value in values]
    common = max(below for _, below in pairs)
    whole = [above * (common // below) for above, below in pairs]
    n = len(whole)
    total = sum(whole)
    return n * sum(x * x for x in whole) - total * total, n * (n - 1) * common * common


def _root(above: int, below: int) -> float:
    """The square root of above/below, rounded once."""
    if not above:
        return 0.0
    # A root of 2·53 + 3 bits at least, odd where it is not exact, rounds as the exact one does.
    shift = (above.bit_length() - below.bit_length() - 109) // 2
    if shift >= 0:
        below <<= 2 * shift
    else:
        above <<= -2 * shift
    root = math.isqrt(above // below)
    root |= root * root * below != above
    return float(root << shift) if shift >= 0 else root / (1 << -shift)
