"""
EDE, the error decay estimator of IR-Net.

    forward    y = sign(z)
    value      f(z) = k tanh(t z),   k = max(1/t, 1)
    backward   f'(z) = k t (1 - tanh²(t z))
    knob       t: t_min → t_max, exp

While t < 1 the gain k t stays 1 and f bends from identity to tanh; then it sharpens to sign.

Reference: Qin et al., CVPR 2020, arXiv:1909.10788, sec. 3.3, with t from 1e-1 to 1e1 as in its
released code of VGG-small; that of ResNet-20 at W/A 1/1 starts at 1e-3 (t_min: 0.001).
"""

import math

import torch
from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, ScheduleName, Surrogate


class EDE(Surrogate):
    formula = "f(z) = k tanh(tz)"
    kind = "tanh-like"

    t_min: Annotated[float, Field(gt=0)] = 0.1
    t_max: Annotated[float, Field(gt=0)] = 10.0
    schedule: ScheduleName = "exp"

    def knob(self, role: Role = "W") -> Knob:
        return Knob("t", self.t_min, self.t_max, limits=(0, math.inf))

    def value(self, z: Tensor, t: Tensor, /) -> Tensor:
        k = (1 / t).clamp(min=1)
        return k * torch.tanh(t * z)

    def slope(self, z: Tensor, t: Tensor, /) -> Tensor:
        k = (1 / t).clamp(min=1)
        return k * t * (1 - torch.tanh(t * z) ** 2)
