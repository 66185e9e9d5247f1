"""
The ramp of slope k, a control: the limit of truncated ReSTE as o → ∞, with k = 1/m.

    forward    y = sign(z)
    value      f(z) = clamp(k z, ±1)
    backward   f'(z) = k   |z| ≤ 1/k, else 0
    knob       k: 1 → k_end; fixed at k_end unless a schedule is named

Reference: none; STE clipped at 1 is k = 1.
"""

import math

from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, ScheduleName, Surrogate, upto


class Ramp(Surrogate):
    formula = "f(z) = clamp(kz, ±1)"
    kind = "piecewise linear"

    k_end: Annotated[float, Field(ge=1)] = 10.0
    schedule: ScheduleName = "fixed"

    def knob(self, role: Role = "W") -> Knob:
        return Knob("k", 1.0, self.k_end, limits=(1, math.inf))

    def value(self, z: Tensor, k: Tensor, /) -> Tensor:
        return (k * z).clamp(-1, 1)

    def slope(self, z: Tensor, k: Tensor, /) -> Tensor:
        return k * upto((k * z).abs(), 1)
