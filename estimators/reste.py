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

from bench.plugin import (
    Annotated,
    Field,
    Knob,
    Role,
    ScheduleName,
    Surrogate,
    piecewise,
    power,
    upto,
)


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
        f = power(r, 1 / o, self._least, self.t)
        if self.small_mode == "clamp":
            f = f - self.m ** (1 / o) * (1 - 1 / o)
        if self.small_mode != "none":
            f = torch.where(r > self.m, f, r * self._small(o))
        return f * z.sign()

    def slope(self, z: Tensor, o: Tensor, /) -> Tensor:
        r = z.abs()
        df = power(r, 1 / o - 1, self._least, self.t) / o
        if self.small_mode != "none":
            df = piecewise(r, self.m, self._small(o), df)
        return df * upto(r, self.t)

    def _small(self, o: Tensor) -> Tensor:
        """The slope at |z| ≤ m, 0-d."""
        secant = self.m ** (1 / o - 1)
        return secant / o if self.small_mode == "clamp" else secant

    @property
    def _least(self) -> float:
        """Where powers begin; a pole is finite in float32."""
        return 1e-30 if self.small_mode == "none" else self.m
