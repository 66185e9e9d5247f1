"""
FDA, the Fourier series of the square wave, cut off (the estimator of FDA-BNN alone).

    forward    y = sign(z)
    value      f(z) = (4/π) Σ_{i=0..n} sin((2i+1) ωz) / (2i+1),   held beyond |z| = clip
    backward   f'(z) = (2ω/π) sin(2(n+1) ωz) / sin(ωz)            |z| ≤ clip, else 0
    knob       n: n_start → n_end, linear, rounded down

The sum of cosines is that closed ratio; where sin ωz = 0 it takes its limit.

Reference: Xu et al., NeurIPS 2021, arXiv:2103.00841, eq. 5-7. The paper prints neither ω nor
the clip: ω = 0.1, clip = 1 and n from 9 to 18 are BiBench's (arXiv:2301.11233).
"""

import math

import torch
from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, ScheduleName, Surrogate, piecewise, upto


class FDA(Surrogate):
    formula = "f(z) = (4/π) Σ_{i=0..n} sin((2i+1)ωz)/(2i+1)"
    kind = "Fourier series"
    printed = {"clip": math.inf}

    omega: Annotated[float, Field(gt=0)] = 0.1
    n_start: Annotated[int, Field(ge=0, le=1000)] = 9
    n_end: Annotated[int, Field(ge=0, le=1000)] = 18
    clip: Annotated[float, Field(gt=0)] = 1.0
    schedule: ScheduleName = "linear"

    def knob(self, role: Role = "W") -> Knob:
        return Knob("n", self.n_start, self.n_end, limits=(0, math.inf), integer=True)

    def value(self, z: Tensor, n: Tensor, /) -> Tensor:
        wz = self.omega * z.clamp(-self.clip, self.clip)
        terms = (torch.sin((2 * i + 1) * wz) / (2 * i + 1) for i in range(int(n) + 1))
        return 4 / math.pi * sum(terms, start=torch.zeros_like(z))

    def slope(self, z: Tensor, n: Tensor, /) -> Tensor:
        wz = self.omega * z
        m = 2 * (n + 1)
        sine = torch.sin(wz)
        size = sine.abs()
        half = torch.round(wz * (1 / math.pi)) / 2
        limit = m * (1 - 4 * (half - torch.round(half)).abs())  # ± m, where sin ωz = 0
        ratio = torch.sin(m * wz) / (sine + upto(size, 1e-6))
        ratio = piecewise(size, 1e-6, limit, ratio)
        return 2 * self.omega / math.pi * ratio * upto(z.abs(), self.clip)
