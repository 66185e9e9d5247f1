"""
RBNN's polynomial, the estimator without the rotation.

    forward    y = sign(z)
    value      f(z) = k (√2 t |z| - t² z²/2) sign(z)   for |z| < √2/t,  k sign(z) beyond
    backward   f'(z) = max(0, k (√2 t - t² |z|)),      k = max(1/t, 1)
    knob       t: t_min → t_max, exp; activations use max(t, 1), so there k = 1

A parabola through 0 that reaches its vertex, k, at √2/t and stays there.

Reference: Lin et al., NeurIPS 2020, arXiv:2009.13055, sec. 3.4; t from 1e-2 to 1e1 and the
rule for activations from its released code.
"""

import math

from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, ScheduleName, Surrogate


class RBNN(Surrogate):
    formula = "f(z) = k (-sign(z) t²z²/2 + √2 tz)"
    kind = "polynomial function"

    t_min: Annotated[float, Field(gt=0)] = 0.01
    t_max: Annotated[float, Field(gt=0)] = 10.0
    schedule: ScheduleName = "exp"

    def knob(self, role: Role = "W") -> Knob:
        floor = 1.0 if role == "A" else 0.0
        return Knob("t", self.t_min, self.t_max, limits=(0, math.inf), floor=floor)

    def value(self, z: Tensor, t: Tensor, /) -> Tensor:
        k = (1 / t).clamp(min=1)
        u = (t * z.abs()).clamp(max=math.sqrt(2))
        return k * (math.sqrt(2) * u - u**2 / 2) * z.sign()

    def slope(self, z: Tensor, t: Tensor, /) -> Tensor:
        k = (1 / t).clamp(min=1)
        return (k * t * (math.sqrt(2) - t * z.abs())).clamp(min=0)
