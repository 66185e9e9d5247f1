"""
What a plugin is, and the classes that estimators subclass.

An estimator is written down as its paper writes it: f, the function whose derivative takes
the place of d sign/dz. Everything else (training, checks, plots, indicators) calls that one
definition. Plugins see these classes through `bench.plugin`.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from bench.nn.clock import Clock
from bench.nn.coach import Coach, Stage
from bench.nn.layers import BinaryConv2d, BinaryLinear
from bench.nn.sign import cross, cross_learned
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe, Role
from bench.spec.plugin import Plugin
from bench.spec.schedule import SCHEDULES, ScheduleName

BITS_FIELD: dict[Role, str] = {"W": "weight_bits", "A": "input_bits"}  # of an estimator


@dataclass(frozen=True)
class Knob:
    """
    The parameter of f that moves between identity and sign.

    Args:
        name: as the formula writes it.
        start, end: the range that training visits, in this order; a learned knob starts
            at `start` and may go anywhere between its limits.
        limits: the formula's own admissible range, (identity end, sign end); an end that is
            not attained is approached.
        learned: trained by the loss, not scheduled: one value per layer and role, or as `per` says.
        integer: f takes whole values only; the schedule is rounded down.
        floor: the least value that this role uses.
        per: channel: a learned one has a value for each filter of weights, each channel of inputs.
        weight_decay: of a learned one; None: the recipe's.

    Raises:
        ValueError: `per` or `weight_decay` of a knob that is not learned.
    """

    name: str
    start: float
    end: float
    limits: tuple[float, float]
    learned: bool = False
    integer: bool = False
    floor: float = -math.inf
    per: Literal["layer", "channel"] = "layer"
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        if not self.learned and (self.per != "layer" or self.weight_decay is not None):
            message = f"knob {self.name}: per and weight_decay are of one that is learned"
            raise ValueError(message)

    def at(self, p: float, schedule: ScheduleName) -> float:
        """The knob at progress p."""
        value = max(SCHEDULES[schedule].at(self.start, self.end, p), self.floor)
        # 9 + 9·(k/9) may fall a rounding error short of a whole number
        return math.floor(value + 1e-9) if self.integer else value


class Estimator(Plugin):
    """
    How a binary network is trained. Subclass `Surrogate` if it is nothing but a gradient for sign,
    `Method` if it is more.
    """

    formula: ClassVar[str] = ""  # f as the paper prints it, one line
    kind: ClassVar[str] = ""  # the family of f: identity, tanh-like, power function, ...
    aux: ClassVar[str] = ""  # what it has beside f: module, loss, rule, stages, teacher
    fixes: ClassVar[dict[str, Any]] = {}  # options of binary layers that it decides itself
    # Parameters of its modules that inference does without, by their names in a binary layer:
    # `W.after.alpha` goes into a BatchNorm behind the product. Those of `W` alone always do.
    folds: ClassVar[frozenset[str]] = frozenset()
    teacher: ClassVar[bool] = False  # does it learn from a full-precision network, too?
    uses: ClassVar[tuple[str, ...]] = ()  # estimators that it builds, literal names
    # May several processes train a cell, each its share of a batch? Not where something looks at a
    # batch as a whole beside BatchNorm (moments of inputs, the number of images), or adds to
    # gradients what no loss has. Without a type, `shares = False` changes no digest.
    shares: ClassVar[bool] = True
    conv: ClassVar[type[BinaryConv2d]] = BinaryConv2d
    linear: ClassVar[type[BinaryLinear]] = BinaryLinear

    def bits(self, role: Role) -> int:
        """
        Bits of the weights or inputs that the trained network computes with.

        They are the field `weight_bits: int` or `input_bits: int`, where an estimator has it, else
        1. One whose bits no suite may choose says them here: three levels are 2 bits.
        """
        return getattr(self, BITS_FIELD[role], 1)

    def with_bits(self, bits: Mapping[Role, int]) -> Self:
        """
        Return this estimator for a network of so many bits, as far as it can have them.

        Its fields `weight_bits` and `input_bits` are set, unless the suite gave them values;
        `self.bits` then says what it has, and a suite's W/A that asks for others leaves it out.

        Args:
            bits: of each role that is not real.

        Raises:
            ValidationError: the fields do not take them.
        """
        names = {BITS_FIELD[role]: count for role, count in bits.items()}
        free = type(self).model_fields.keys() - self.model_fields_set
        own = {name: count for name, count in names.items() if name in free}
        return type(self).model_validate(self.model_dump() | own) if own else self

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        """
        What stands beside the network while it trains; made once it is built and has its weights.

        Args:
            net: the network, whose `binary_layers` have the modules that `binarizer` returned.
            clock: training progress; ask it for a dial.
            recipe: how it trains.
        """
        return Coach(recipe)

    def stages(self) -> tuple[Stage, ...]:
        """The trainings that it takes, each from the weights of the one before."""
        return (Stage(),)

    @abstractmethod
    def binarizer(self, role: Role, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        """
        Build the module that maps a latent tensor to a binary one of the same shape.

        Args:
            role: "W" for weights, "A" for activations. A module for weights may return a pair
                (signs, scale), and own a module `after`: see `nn.layers.BinaryLayer`.
            shape: weight shape, (C_out, C_in, *kernel) of a convolution and (C_out, C_in) of
                a linear map; or (C_in,) for activations, (N, C_in, H, W) or (..., C_in).
            clock: training progress; ask it for a dial.
            zero: the value of sign(0), 0 or 1.
        """


def estimator(name: str, **params: Any) -> Estimator:
    """
    Build another estimator, for one that goes on from it and names it in `uses`.

    Raises:
        PluginError: there is none of that name, or it is broken.
        ValidationError: it refuses a parameter.
    """
    return ESTIMATORS.build(name, params)


class Method(Estimator):
    """
    A way of training that changes more than the gradient of sign.

    A subclass says what weights and inputs become; what else it does, the hooks of `Estimator` say.
    """

    fixes = {"scale": "none"}

    def binarizer(self, role: Role, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        if role == "W":
            return self.weight_binarizer(shape, clock, zero)
        return self.input_binarizer(shape[0], clock, zero)

    @abstractmethod
    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        """The module for weights of this shape; see `binarizer`."""

    @abstractmethod
    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        """The module for inputs of so many channels; see `binarizer`."""


class Surrogate(Estimator):
    """
    An estimator that is nothing but f: forward sign(z), backward f'(z).

    A subclass gives `value`. It may give `slope` in closed form, for speed; otherwise autograd
    derives it. With a scheduled knob it has a field `schedule: ScheduleName = ...`.
    The harness calls `f` and `df`: value and slope, with `gain: unit` divided by the slope at 0.
    """

    folds = frozenset({"A.learned"})  # a knob, which no forward pass knows
    printed: ClassVar[dict[str, Any]] = {}  # fields that turn f into the formula as printed
    trainable: ClassVar[
        dict[str, tuple[float, ...]]
    ] = {}  # fields the method may also train, some values

    gain: Literal["raw", "unit"] = "raw"  # unit: f/f'(0), whose slope at 0 is 1

    @abstractmethod
    def value(self, z: Tensor, knob: Tensor, /) -> Tensor:
        """
        f at z, elementwise.

        Args:
            z: latent values, any shape, any floating dtype, which the result keeps.
            knob: the knob's present value, 0-d, or of one per channel shaped to broadcast with z;
                0 where `knob()` is None.
        """

    def slope(self, z: Tensor, knob: Tensor, /) -> Tensor:
        """
        f' at z, elementwise and shaped like z; derived from `value` unless overridden.

        It can be differentiated by a knob that asks for it, a learned one.
        """
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            total = self.value(z, knob).sum()
            learned = knob.requires_grad
            return torch.autograd.grad(total, z, create_graph=learned, materialize_grads=True)[0]

    def f(self, z: Tensor, knob: Tensor) -> Tensor:
        """f at z as it trains, gain included."""
        value = self.value(z, knob)
        return value if self.gain == "raw" else value / self._gain(knob)

    def df(self, z: Tensor, knob: Tensor) -> Tensor:
        """f' at z as it trains, gain included."""
        slope = self.slope(z, knob)
        return slope if self.gain == "raw" else slope / self._gain(knob)

    def _gain(self, knob: Tensor) -> Tensor:
        """f'(0), shaped like the knob; a learned knob's gradient passes through it."""
        return self.slope(torch.zeros_like(knob), knob)

    def knob(self, role: Role = "W") -> Knob | None:
        """The knob as `role` uses it; None if f has none."""
        return None

    def path(self, p: float, role: Role = "W") -> float:
        """The knob at progress p; a learned one where it starts, a missing one 0."""
        knob = self.knob(role)
        if knob is None or knob.learned:
            return knob.start if knob else 0.0
        schedule: ScheduleName = getattr(self, "schedule", "fixed")
        return knob.at(p, schedule)

    def pure(self) -> "Surrogate":
        """The same f as printed: truncation, clipping and gain off."""
        return self.model_copy(update={"gain": "raw"} | self.printed)

    def binarizer(self, role: Role, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return SurrogateBinarizer(self, role, clock, zero, shape[0])


class SurrogateBinarizer(nn.Module):
    """sign(z) forward, f'(z) backward, at the knob that the clock or training has set."""

    signs = True  # the promise of -1, 0 and 1 alone, which `nn.integer_conv` multiplies exactly

    def __init_subclass__(cls) -> None:
        """Whoever has a forward of its own has to promise anew."""
        if "forward" in vars(cls):
            cls.signs = bool(vars(cls).get("signs", False))

    def __init__(
        self, surrogate: Surrogate, role: Role, clock: Clock, zero: int, channels: int = 1
    ) -> None:
        super().__init__()
        self.surrogate = surrogate
        self.role: Role = role
        self.zero = zero
        knob = surrogate.knob(role)
        start = torch.tensor(knob.start if knob else 0.0)
        if knob and knob.per == "channel":
            start = start.repeat(channels)
        self.learned = nn.Parameter(start) if knob and knob.learned else None
        self.knob_decay = knob.weight_decay if knob else None  # its own, not the recipe's
        self.bounds = sorted(knob.limits if knob else (0.0, 0.0))
        self.dial = clock.dial((surrogate, role), partial(_knob_at, surrogate, role))

    @property
    def knob(self) -> Tensor:
        """The knob's present value: 0-d, or (channels,)."""
        if self.learned is None:
            return self.dial.value
        # Straight through the bounds: a value that reached one can still come back.
        inside = self.learned.clamp(
            *(b + s for b, s in zip(self.bounds, (1e-3, -1e-3), strict=True))
        )
        return self.learned + (inside - self.learned).detach()

    def over(self, z: Tensor) -> Tensor:
        """The knob's present value, shaped to broadcast with z, a weight or inputs of the layer."""
        knob = self.knob
        if knob.ndim == 0:
            return knob
        shape = [1] * z.ndim
        shape[0 if self.role == "W" else 1 if z.ndim == 4 else -1] = -1
        return knob.view(shape).to(z.dtype)

    def forward(self, z: Tensor) -> Tensor:
        if self.learned is None:
            return cross(z, self.dial.value, self.surrogate.df, self.zero)
        return cross_learned(z, self.over(z), self.surrogate.f, self.zero)


def _knob_at(surrogate: Surrogate, role: Role, p: float) -> float:
    return surrogate.path(p, role)  # a function by name, as pickle needs it
