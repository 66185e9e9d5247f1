"""
STE with ReSTE's gain, a control: is ReSTE more than a growing constant?

    forward    y = sign(z)
    value      f(z) = m^(1/o - 1) clamp(z, ±clip)
    backward   f'(z) = m^(1/o - 1)   |z| ≤ clip, else 0
    knob       o: 1 → o_end, cosine

This is ReSTE's plateau over the whole of |z| ≤ clip. In role W, while every |w| ≤ m, the two
train alike; what ReSTE adds is its shape on activations.

Reference: none; Wu et al., ICCV 2023, eq. 5 at |z| ≤ m gives the factor.
"""

import math

from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, ScheduleName, Surrogate, upto


class STEGain(Surrogate):
    formula = "f(z) = m^(1/o - 1) z"
    kind = "identity function, scheduled gain"
    printed = {"clip": math.inf}

    o_end: Annotated[float, Field(ge=1)] = 3.0
    m: Annotated[float, Field(gt=0)] = 0.1
    clip: Annotated[float, Field(gt=0)] = 1.5
    schedule: ScheduleName = "cosine"

    def knob(self, role: Role = "W") -> Knob:
        return Knob("o", 1.0, self.o_end, limits=(1, math.inf))

    def value(self, z: Tensor, o: Tensor, /) -> Tensor:
        return self.m ** (1 / o - 1) * z.clamp(-self.clip, self.clip)

    def slope(self, z: Tensor, o: Tensor, /) -> Tensor:
        return self.m ** (1 / o - 1) * upto(z.abs(), self.clip)
