"""
A stand-in for RQ, root quantization, whose formulas were not read: ReSTE's function, learned.

    forward    y = sign(z)
    value      f(z) = sign(z) |z|^(1/o), held as ReSTE holds it: secant below m, constant beyond t
    backward   f'(z), and df/do for o
    knob       o within [1, 8], learned: one per layer and role, no schedule

RQ blends a linear estimator and a root with a learned exponent, for a quantizer whose step is
learned; so much its abstract says. At one bit, with an exponent that training finds, this is our
reading of it, and no row of its paper. `learn: off` keeps o at its start.

Reference: RQ is of Applied Intelligence, 2022, not read; this function is Wu et al.'s, ICCV 2023,
eq. 4-5.
"""

import math
from functools import cached_property
from typing import Any, ClassVar, Literal

from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, Surrogate, estimator


class RQ(Surrogate):
    formula = "f(z) = sign(z) |z|^(1/o), o learned"
    kind = "power function"
    aux = "our reading"
    uses = ("reste",)
    printed: ClassVar[dict[str, Any]] = {"t": math.inf, "small_mode": "none"}

    o: Annotated[float, Field(gt=1, lt=8)] = 2.0  # where it starts
    t: Annotated[float, Field(gt=0)] = 1.5
    m: Annotated[float, Field(gt=0)] = 0.1
    small_mode: Literal["secant", "clamp", "none"] = "secant"
    learn: Literal["on", "off"] = "on"

    @cached_property
    def _root(self) -> Any:
        return estimator("reste", t=self.t, m=self.m, small_mode=self.small_mode)

    def knob(self, role: Role = "W") -> Knob:
        return Knob("o", self.o, self.o, limits=(1, 8), learned=self.learn == "on")

    def value(self, z: Tensor, o: Tensor, /) -> Tensor:
        return self._root.value(z, o)

    def slope(self, z: Tensor, o: Tensor, /) -> Tensor:
        return self._root.slope(z, o)
