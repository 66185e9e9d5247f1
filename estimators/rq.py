"""
A stand-in for RQ, root quantization, whose formulas were not read: ReSTE's function, learned.

    forward    y = sign(z)
    value      f(z) = sign(z) |z|^(1/o), held as ReSTE holds it: secant below m, constant beyond t
    backward   f'(z), and df/do for o; where it is learned, 0 at z = 0 and at |z| = t
    knob       o within [1, 8], learned: one per layer and role, no schedule

RQ blends a linear estimator and a root with a learned exponent, for a quantizer whose step is
learned; so much its abstract says. At one bit, with an exponent that training finds, this is our
reading of it, and no row of its paper. `learn: off` keeps o at its start.

Reference: RQ is of Applied Intelligence, 2022, not read; this function is Wu et al.'s, ICCV 2023,
eq. 4-5.
"""

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, Surrogate, piecewise, power, upto


class RQ(Surrogate):
    formula = "f(z) = sign(z) |z|^(1/o), o learned"
    kind = "power function"
    aux = "our reading"
    printed: ClassVar[dict[str, Any]] = {"t": math.inf, "small_mode": "none"}

    o: Annotated[float, Field(gt=1, lt=8)] = 2.0  # where it starts
    t: Annotated[float, Field(gt=0)] = 1.5
    m: Annotated[float, Field(gt=0)] = 0.1
    small_mode: Literal["secant", "none"] = "secant"
    learn: Literal["on", "off"] = "on"

    def knob(self, role: Role = "W") -> Knob:
        return Knob("o", self.o, self.o, limits=(1, 8), learned=self.learn == "on")

    def value(self, z: Tensor, o: Tensor, /) -> Tensor:
        r = z.abs().clamp(max=self.t)
        f = power(r, 1 / o, self._least, self.t)
        if self.small_mode == "secant":
            f = torch.where(r > self.m, f, r * self.m ** (1 / o - 1))
        return f * z.sign()

    def slope(self, z: Tensor, o: Tensor, /) -> Tensor:
        r = z.abs()
        df = power(r, 1 / o - 1, self._least, self.t) / o
        if self.small_mode == "secant":
            df = piecewise(r, self.m, self.m ** (1 / o - 1), df)
        return df * upto(r, self.t)

    @property
    def _least(self) -> float:
        """Where powers begin; a pole is finite in float32."""
        return self.m if self.small_mode == "secant" else 1e-30
