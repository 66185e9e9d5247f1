"""
torch's functions on an Enclosure; what is not in this file, nothing is proved about.

To add one: a function that encloses every value that torch's would return, and its name in _NAMES.
"""

import operator
from collections.abc import Callable
from typing import Any

from bench.properties.proof.enclosure import UNARY, Enclosure, NotEnclosed, Truth, where


def maximum(x: Enclosure, y: Any) -> Enclosure:
    """The larger."""
    other = x.lift(y)
    if (x >= other).known:
        return x
    return other if (other >= x).known else x.larger(other)


def minimum(x: Enclosure, y: Any) -> Enclosure:
    """The smaller."""
    return -maximum(-x, -x.lift(y))


def clamp(x: Enclosure, min: Any = None, max: Any = None) -> Enclosure:
    """x held to [min, max]."""
    bounded = x if min is None else maximum(x, min)
    return bounded if max is None else minimum(bounded, max)


def absolute(x: Enclosure) -> Enclosure:
    """|x|."""
    if x.range.lo >= 0:
        return x
    return maximum(x, -x)


def sign(x: Enclosure) -> Enclosure:
    """sign x, which jumps where x may be 0."""
    r = x.range
    if r.positive or (-r).positive or r.is_zero:
        return x.constant(1 if r.positive else 0 if r.is_zero else -1)
    choice = Truth(None, *x.moves)
    low, high = -1 if r.lo < 0 else 0, 1 if r.hi > 0 else 0
    return x.constant(low).either(x.constant(high), choice)


def power(x: Enclosure, y: Any) -> Enclosure:
    """x^y: a whole exponent for any x, any other for x ≥ 0."""
    if isinstance(y, int | float) and float(y).is_integer():
        n = int(y)
        result = x.integer_power(abs(n)) if n else x.constant(1)
        return result.inverse() if n < 0 else result
    if x.range.is_zero and x.lift(y).range.positive:
        return x.constant(0)
    if x.range.lo < 0:
        message = "a broken power of a negative number has no enclosure"
        raise NotEnclosed(message)
    return (x.apply("log") * y).apply("exp")


def same(x: Any, *_: Any, **__: Any) -> Any:
    """x: a change of dtype, device or shape."""
    return x


def _sigmoid(x: Enclosure) -> Enclosure:
    return ((x / 2).apply("tanh") + 1) / 2


def _hardtanh(x: Enclosure, min_val: float = -1, max_val: float = 1, **_: Any) -> Enclosure:
    return clamp(x, min_val, max_val)


def _relu(x: Enclosure, **_: Any) -> Enclosure:
    return maximum(x, 0)


def _log1p(x: Enclosure) -> Enclosure:
    return (x + 1).apply("log")


def _expm1(x: Enclosure) -> Enclosure:
    return x.apply("exp") - 1


def _square(x: Enclosure) -> Enclosure:
    return power(x, 2)


def _rsqrt(x: Enclosure) -> Enclosure:
    return x.apply("sqrt").inverse()


def _reciprocal(x: Enclosure) -> Enclosure:
    return x.inverse()


def _rsub(x: Enclosure, y: Any) -> Enclosure:
    return y - x


def _full_like(x: Enclosure, fill_value: float, **_: Any) -> Enclosure:
    return x.constant(fill_value)


def _zeros_like(x: Enclosure, **_: Any) -> Enclosure:
    return x.constant(0)


def _ones_like(x: Enclosure, **_: Any) -> Enclosure:
    return x.constant(1)


def _upto(x: Enclosure, t: float) -> Enclosure:
    return x.lift(x <= t)


def _lerp(x: Enclosure, y: Any, weight: Any) -> Enclosure:
    return x + x.lift(weight) * (x.lift(y) - x)


def _not(x: Truth) -> Truth:
    return ~x


def _unary(name: str) -> Callable[[Enclosure], Enclosure]:
    def function(x: Enclosure) -> Enclosure:
        return x.apply(name)

    return function


_NAMES: dict[str, Callable[..., Any]] = {  # torch's names and their synonyms
    **{name: _unary(name) for name in UNARY},
    "arctan": _unary("atan"), "log1p": _log1p, "expm1": _expm1, "sigmoid": _sigmoid,
    "square": _square, "rsqrt": _rsqrt, "reciprocal": _reciprocal, "pow": power,
    "abs absolute": absolute, "sign sgn": sign, "neg negative": operator.neg,
    "add": operator.add, "sub subtract": operator.sub, "rsub": _rsub,
    "mul multiply": operator.mul, "div divide true_divide": operator.truediv,
    "maximum clamp_min": maximum, "minimum clamp_max": minimum, "clamp clip": clamp,
    "relu": _relu, "hardtanh": _hardtanh, "where": where,
    "eq": operator.eq, "ne": operator.ne, "upto": _upto, "lerp": _lerp,
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "logical_and": operator.and_, "logical_or": operator.or_, "logical_not": _not,
    "zeros_like": _zeros_like, "ones_like": _ones_like, "full_like": _full_like,
    "detach clone expand_as to float double type_as contiguous": same,
}  # fmt: skip
FUNCTIONS = {name: function for names, function in _NAMES.items() for name in names.split()}
