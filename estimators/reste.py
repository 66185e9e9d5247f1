"""
ReSTE, the rectified straight-through estimator: a power function.

    forward    y = sign(z)
    value      f(z) = sign(z) |z|^(1/o)            m < |z| ≤ t,   constant beyond t
               f(z) = m^(1/o - 1) z                |z| ≤ m   (small_mode: secant)
    backward   f'(z) = |z|^(1/o - 1) / o           m < |z| ≤ t,   0 beyond t
               f'(z) = m^(1/o - 1)                 |z| ≤ m
    knob       o: 1 → o_end, cosine

o = 1 is the identity, o → ∞ is sign. The secant through (m, f(m)) jumps by the factor o at
|z| = m. `clamp` holds the slope at f'(m) = m^(1/o - 1)/o instead, as the paper's figure 3 draws
it (with m = 0.05); f is then lower by m^(1/o)(1 - 1/o) beyond m. `none` leaves the pole at 0.

Reference: Wu et al., ICCV 2023, eq. 4-5 and sec. 3.3 (t = 1.5, m = 0.1, o_end = 3).
"""

import math
from typing import Literal

import torch
from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, ScheduleName, Surrogate, piecewise, upto


class ReSTE(Surrogate):
    formula = "f(z) = sign(z) |z|^(1/o)"
    kind = "power function"
    printed = {"t": math.inf, "small_mode": "none"}

    o_end: Annotated[float, Field(ge=1)] = 3.0
    t: Annotated[float, Field(gt=0)] = 1.5
    m: Annotated[float, Field(gt=0)] = 0.1
    small_mode: Literal["secant", "clamp", "none"] = "secant"
    schedule: ScheduleName = "cosine"

    def knob(self, role: Role = "W") -> Knob:
        return Knob("o", 1.0, self.o_end, limits=(1, math.inf))

    def value(self, z: Tensor, o: Tensor, /) -> Tensor:
        r = z.abs().clamp(max=self.t)
        power = self._power(r, 1 / o)
        if self.small_mode == "clamp":
            power = power - self.m ** (1 / o) * (1 - 1 / o)
        if self.small_mode != "none":
            power = torch.where(r > self.m, power, r * self._small(o))
        return power * z.sign()

    def slope(self, z: Tensor, o: Tensor, /) -> Tensor:
        r = z.abs()
        power = self._power(r.clamp(max=self.t), 1 / o - 1) / o
        if self.small_mode != "none":
            power = piecewise(r, self.m, self._small(o), power)
        return power * upto(r, self.t)

    def _small(self, o: Tensor) -> Tensor:
        """The slope at |z| ≤ m, 0-d."""
        secant = self.m ** (1 / o - 1)
        return secant / o if self.small_mode == "clamp" else secant

    def _power(self, r: Tensor, exponent: Tensor) -> Tensor:
        """r^exponent where it is used, by exp and log: finite at 0, and faster than pow."""
        least = 1e-30 if self.small_mode == "none" else self.m
        return torch.exp(exponent * torch.log(r.clamp(min=least)))
