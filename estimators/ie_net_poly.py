"""
IE-Net's polynomial, the estimator without its two shifted inputs.

    forward    y = sign(z)
    value      f(z) = k (√3 t |z| - ¾ t² z²) sign(z)    for |z| < 2/(√3 t),  k sign(z) beyond
    backward   f'(z) = max(0, k (√3 t - 1.5 t² |z|)),     k = max(1/t, 1)
    knob       t: t_min → t_max, exp; activations use max(t, 1), so there k = 1

RBNN's parabola, steeper at 0 by √1.5 and sooner at its vertex.

Reference: Ding, Liu and Zhou, Electronics 11(6), 937, 2022; slope, t from 1e-2 to 1e1 and the rule
for activations are those of its released code.
"""

import math

from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, ScheduleName, Surrogate

ROOT3 = math.sqrt(3)


class IENetPoly(Surrogate):
    formula = "f(z) = k (-sign(z) ¾ t²z² + √3 tz)"
    kind = "polynomial function"

    t_min: Annotated[float, Field(gt=0)] = 0.01
    t_max: Annotated[float, Field(gt=0)] = 10.0
    schedule: ScheduleName = "exp"

    def knob(self, role: Role = "W") -> Knob:
        floor = 1.0 if role == "A" else 0.0
        return Knob("t", self.t_min, self.t_max, limits=(0, math.inf), floor=floor)

    def value(self, z: Tensor, t: Tensor, /) -> Tensor:
        k = (1 / t).clamp(min=1)
        u = (t * z.abs()).clamp(max=2 / ROOT3)
        return k * (ROOT3 * u - 0.75 * u**2) * z.sign()

    def slope(self, z: Tensor, t: Tensor, /) -> Tensor:
        k = (1 / t).clamp(min=1)
        return (k * t * (ROOT3 - 1.5 * t * z.abs())).clamp(min=0)
