"""
ReSTE, the rectified straight-through estimator: a power function.

    forward    y = sign(z)
    value      f(z) = sign(z) |z|^(1/o)          m < |z| ≤ t
               f(z) = m^(1/o - 1) z              |z| ≤ m, the secant through (m, f(m))
               f(z) = sign(z) t^(1/o)            |z| > t
    backward   f'(z) = |z|^(1/o - 1) / o,   m^(1/o - 1),   0   in the same regions
    knob       o: 1 → o_end, cosine

o = 1 is the identity, o → ∞ is sign. The slope jumps by the factor o at |z| = m.

Reference: Wu et al., ICCV 2023, eq. 4-5 and sec. 3.3 (t = 1.5, m = 0.1, o_end = 3).
"""

import math

import torch
from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, ScheduleName, Surrogate


class ReSTE(Surrogate):
    formula = "f(z) = sign(z) |z|^(1/o)"
    kind = "power function"
    printed = {"t": math.inf, "m": 0.0}

    o_end: Annotated[float, Field(ge=1)] = 3.0
    t: Annotated[float, Field(gt=0)] = 1.5
    m: Annotated[float, Field(ge=0)] = 0.1
    schedule: ScheduleName = "cosine"

    def knob(self, role: Role = "W") -> Knob:
        return Knob("o", 1.0, self.o_end, limits=(1, math.inf))

    def value(self, z: Tensor, o: Tensor, /) -> Tensor:
        r = z.abs().clamp(max=self.t)
        power = _power(r, 1 / o, self.m)
        if self.m > 0:
            power = torch.where(r > self.m, power, r * self.m ** (1 / o - 1))
        return power * z.sign()

    def slope(self, z: Tensor, o: Tensor, /) -> Tensor:
        r = z.abs()
        power = _power(r, 1 / o - 1, self.m) / o
        if self.m > 0:
            power = torch.where(r > self.m, power, self.m ** (1 / o - 1))
        return torch.where(r <= self.t, power, 0)


def _power(r: Tensor, exponent: Tensor, m: float) -> Tensor:
    """r^exponent for r > m, by exp and log: finite at 0, and faster than pow."""
    return torch.exp(exponent * torch.log(r.clamp(min=max(m, 1e-30))))
