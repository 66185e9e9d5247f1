"""
A tensor that is not one number but all numbers of a range: a plugin's own `value`, evaluated on it.

torch's functions and the Tensor methods in FUNCTIONS accept an `Enclosure`; the result encloses
what they would return for every number in the range, in exact arithmetic. A comparison may be
undecided, and then `torch.where` returns both of its branches. Whatever is not in FUNCTIONS raises
NotEnclosed: nothing is proved about it. So do shape, size and device, of which a range has none,
and every question about its dtype.

A limit: code that asks what kind of object it was given, by `isinstance`, `torch.is_tensor`,
`hasattr` or `is`, may take another branch here than on a tensor, and nothing notices.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from bench.properties.proof.cases import Undecided, current
from bench.properties.proof.interval import Interval

CONVERSIONS = ("to", "type", "type_as")
FUNCTIONS: dict[str, Callable[..., Any]] = {}  # those of `torch_functions`, once there are jets
UNARY = ("exp", "log", "sin", "cos", "tanh", "sqrt", "atan", "erf")


class NotEnclosed(Exception):
    """The code does something whose range is not known."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The result of a comparison: true, false, or undecided within the range."""

    known: bool | None
    z: bool = False  # whether it may change with z
    knob: bool = False  # or with the knob
    yes: float = 1.0  # as a number, where it is true
    no: float = 0.0  # and where it is false
    place: int = -1  # of an undecided comparison in the case that is evaluated

    def _as_number(self, change: Callable[[float], float]) -> "Truth":
        return replace(self, yes=change(self.yes), no=change(self.no))

    def __neg__(self) -> "Truth":
        return self._as_number(lambda x: -x)

    def __add__(self, other: Any) -> "Truth":
        return self._with(other, lambda x, y: x + y)

    def __sub__(self, other: Any) -> "Truth":
        return self._with(other, lambda x, y: x - y)

    def __rsub__(self, other: Any) -> "Truth":
        return self._with(other, lambda x, y: y - x)

    def __mul__(self, other: Any) -> "Truth":
        return self._with(other, lambda x, y: x * y)

    __radd__, __rmul__ = __add__, __mul__

    def _with(self, other: Any, act: Callable[[float, float], float]) -> "Truth":
        """Arithmetic with a number; that with a range is the range's own."""
        if isinstance(other, int | float):
            return self._as_number(lambda x: act(x, float(other)))
        if isinstance(other, Truth):
            mine, its = self.number(), other.number()
            return replace(self, known=True, yes=act(mine, its))
        return NotImplemented

    def number(self) -> float:
        """
        What it is in arithmetic.

        Raises:
            Undecided: that is not known; it is decided both ways, one after the other.
        """
        if self.known is None:
            raise Undecided(self.place, self.z, self.knob)
        return self.yes if self.known else self.no

    def __bool__(self) -> bool:
        if self.known is None:
            message = "a Python branch is undecided within the range"
            raise NotEnclosed(message)
        return self.known

    def __eq__(self, other: object) -> bool:
        message = "the equality of two comparisons has no enclosure"
        raise NotEnclosed(message)

    __hash__ = object.__hash__

    def __invert__(self) -> "Truth":
        known = None if self.known is None else not self.known
        return Truth(known, self.z, self.knob, place=self.place)

    def __and__(self, other: "Truth") -> "Truth":
        both = (self.known, other.known)
        known = False if False in both else None if None in both else True
        place = self.place if self.known is None else other.place
        return Truth(known, self.z or other.z, self.knob or other.knob, place=place)

    def __or__(self, other: "Truth") -> "Truth":
        return ~(~self & ~other)

    def to(self, *_: Any, **__: Any) -> "Truth":
        """A number of whatever dtype: 0 or 1, once it meets an Enclosure."""
        return self

    float = double = half = type = type_as = bool = to

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return dispatch(func, args, kwargs)


class Dtype:
    """The dtype of a range: good for `.to(z.dtype)`; a branch on it would prove one side alone."""

    def _asked(self, *_: object) -> Any:
        message = "code that depends on z.dtype has no enclosure"
        raise NotEnclosed(message)

    __eq__ = __ne__ = __hash__ = __repr__ = _asked

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's own questions
            raise AttributeError(name)
        return self._asked()


class Enclosure(ABC):
    """The torch side of a range; `bench.properties.proof.jet` does the arithmetic."""

    dtype = Dtype()

    @abstractmethod
    def constant(self, x: float) -> Self:
        """A number that depends on nothing."""

    @property
    @abstractmethod
    def range(self) -> Interval:
        """Every value."""

    @property
    @abstractmethod
    def moves(self) -> tuple[bool, bool]:
        """Whether it may depend on z, and on the knob."""

    @abstractmethod
    def plus(self, other: Any) -> Self: ...
    @abstractmethod
    def negative(self) -> Self: ...
    @abstractmethod
    def times(self, other: Any) -> Self: ...
    @abstractmethod
    def inverse(self) -> Self: ...
    @abstractmethod
    def integer_power(self, n: int) -> Self: ...
    @abstractmethod
    def apply(self, name: str) -> Self:
        """One of UNARY."""

    @abstractmethod
    def either(self, other: Any, choice: Truth) -> Self:
        """One of the two, by an undecided choice; the value may jump where it changes."""

    @abstractmethod
    def larger(self, other: Any) -> Self:
        """The larger of the two, where that is undecided; never a jump."""

    def lift(self, x: Any) -> Self:
        """A number, 0-d tensor or truth as an Enclosure of this kind."""
        if isinstance(x, type(self)):
            return x
        if isinstance(x, Truth):
            return self.constant(x.number())
        if isinstance(x, Tensor) and x.numel() == 1:
            x = x.item()
        if isinstance(x, int | float):
            return self.constant(float(x))
        message = f"arithmetic with a {type(x).__name__} has no enclosure"
        raise NotEnclosed(message)

    def __add__(self, other: Any) -> Self:
        return self.plus(self.lift(other))

    def __sub__(self, other: Any) -> Self:
        return self.plus(self.lift(other).negative())

    def __mul__(self, other: Any) -> Self:
        return self.times(self.lift(other))

    def __truediv__(self, other: Any) -> Self:
        return self.times(self.lift(other).inverse())

    def __pow__(self, other: Any) -> "Enclosure":
        return call("pow", self, other)

    def __rsub__(self, other: Any) -> Self:
        return self.lift(other) - self

    def __rtruediv__(self, other: Any) -> Self:
        return self.lift(other) / self

    def __rpow__(self, other: Any) -> "Enclosure":
        return call("pow", self.lift(other), self)

    __radd__ = __add__
    __rmul__ = __mul__

    def _in_place(self, other: Any) -> Self:
        message = "arithmetic in place, which may change z itself, has no enclosure"
        raise NotEnclosed(message)

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = _in_place

    def __neg__(self) -> Self:
        return self.negative()

    def __abs__(self) -> "Enclosure":
        return call("abs", self)

    def __lt__(self, other: Any) -> Truth:
        return less(self, self.lift(other), strict=True)

    def __le__(self, other: Any) -> Truth:
        return less(self, self.lift(other), strict=False)

    def __gt__(self, other: Any) -> Truth:
        return less(self.lift(other), self, strict=True)

    def __ge__(self, other: Any) -> Truth:
        return less(self.lift(other), self, strict=False)

    def __eq__(self, other: object) -> Truth:  # pyright: ignore[reportIncompatibleMethodOverride]
        return equal(self, self.lift(other))

    def __ne__(self, other: object) -> Truth:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ~equal(self, self.lift(other))

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        message = "a Python branch on a range"
        raise NotEnclosed(message)

    def __float__(self) -> float:
        if self.range.lo != self.range.hi or self.moves[0]:
            message = "float() or int() of a range"
            raise NotEnclosed(message)
        return float(self.range.lo)

    def __int__(self) -> int:
        return int(float(self))

    item = __float__

    def __getattr__(self, name: str) -> Any:
        """Tensor's functions; shape, ndim, numel, device and whatever else a range has not."""
        if name.startswith("__") or name not in FUNCTIONS:
            message = f"Tensor.{name} has no enclosure"
            raise (AttributeError if name.startswith("__") else NotEnclosed)(message)
        return functools.partial(call, name, self)

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return dispatch(func, args, kwargs)


def dispatch(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    """What torch calls instead of `func`."""
    name = str(getattr(func, "__name__", func)).removeprefix("special_")
    name = name.strip("_") if name.startswith("__") else name  # clamp_ works in place
    if name not in FUNCTIONS:
        message = f"torch.{name} has no enclosure"
        raise NotEnclosed(message)
    kind = next((a for a in args if isinstance(a, Enclosure)), None)
    if kind is not None and name != "where" and not isinstance(args[0], Enclosure):
        args = (kind.lift(args[0]), *args[1:])
    return call(name, *args, **(kwargs or {}))


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """
    A function by its name in FUNCTIONS.

    Raises:
        NotEnclosed: it would change its argument, or round to something coarser than float32.
    """
    if kwargs.get("inplace"):
        message = f"{name} in place has no enclosure"
        raise NotEnclosed(message)
    for x in (*args, *kwargs.values()):
        to = x.dtype if name in CONVERSIONS and isinstance(x, Tensor) else x
        if isinstance(to, torch.dtype) and to not in (torch.float32, torch.float64):
            message = f"{name} with {to} has no enclosure"
            raise NotEnclosed(message)
    if len(args) == 1 and not kwargs:
        return current().once(name, FUNCTIONS[name], args[0])
    return FUNCTIONS[name](*args, **kwargs)


def less(x: Enclosure, y: Enclosure, *, strict: bool) -> Truth:
    """x < y or x ≤ y."""
    known = _is_less(x, y, strict=strict)
    if any(y.moves) and not any(x.moves):  # 1 > z is z < 1, and its opposite z ≥ 1
        return ~_compared(None if known is None else not known, y, x, not strict)
    return _compared(known, x, y, strict)


def equal(x: Enclosure, y: Enclosure) -> Truth:
    """x = y, which two ranges that meet leave undecided unless both are the same number."""
    apart = _is_less(x, y, strict=True) or _is_less(y, x, strict=True)
    same_number = x.range.lo == x.range.hi == y.range.lo == y.range.hi
    return _compared(True if same_number else False if apart else None, x, y, "equal")


def _is_less(x: Enclosure, y: Enclosure, *, strict: bool) -> bool | None:
    a, b = x.range, y.range
    surely = a.hi < b.lo or (not strict and a.hi <= b.lo)
    surely = surely or (a.hi <= 0 and b.positive) or ((-a).positive and b.lo >= 0)
    never = b.hi < a.lo or (strict and b.hi <= a.lo)
    return True if surely else False if never else None


def _compared(known: bool | None, x: Enclosure, y: Enclosure, how: object) -> Truth:
    """A comparison of two ranges, as it is or as the case that is evaluated has it."""
    (z, knob), (z2, knob2) = x.moves, y.moves
    place = -1
    if known is None:
        low, high = y.range.lo, y.range.hi
        number = low == high and low == float(low)
        place = current().place((x, y), id(x), float(low) if number else id(y), number, how)
        known = current().taken.get(place)
    return Truth(known, z or z2, knob or knob2, place=place)


def where(choice: Any, x: Any, y: Any) -> Any:
    """x where the choice is true, else y; both if it is undecided."""
    if not isinstance(choice, Truth):
        return x if bool(choice) else y
    kind = x if isinstance(x, Enclosure) else y
    if choice.known is not None:
        chosen = x if choice.known else y
        return kind.lift(chosen) if isinstance(kind, Enclosure) else chosen
    if not isinstance(kind, Enclosure):
        raise Undecided(choice.place, choice.z, choice.knob)
    return kind.lift(x).either(kind.lift(y), choice)
