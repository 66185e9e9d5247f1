"""
DSQ, differentiable soft quantization, at one bit.

    forward    y = sign(z)
    value      f(z) = l + Δ (φ + 1)/2,   φ = s tanh(k (z - m)),   z held to [l, u]
               Δ = u - l,  m = (l + u)/2,  s = 1/(1 - α),  k = ln(2/α - 1)/Δ
    backward   f'(z) = (Δ/2) s k sech²(k (z - m))   in [l, u], else 0
    knob       α in (0, 1/2), learned: one per layer and role, no schedule

α → 0 is the step. With l, u = ∓1 f passes through (±1, ±1). `learn: off` keeps α at its start;
while it is learned f' is 0 at l and u themselves, too.

Reference: Gong et al., ICCV 2019, arXiv:1908.05033, eq. 3-10. Its bounds are trained too; here
they are fields, so that the forward stays sign(z) for every estimator that is compared.
"""

from typing import Literal

import torch
from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, Surrogate, upto


class DSQ(Surrogate):
    formula = "f(z) = l + Δ(i + (s tanh(k(z-m)) + 1)/2)"
    kind = "tanh-like"
    trainable = {"u": (0.8, 1.5, 2.0)}

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    l: Annotated[float, Field(lt=0)] = -1.0  # noqa: E741 - the paper's letter
    u: Annotated[float, Field(gt=0)] = 1.0
    learn: Literal["on", "off"] = "on"

    def knob(self, role: Role = "W") -> Knob:
        learned = self.learn == "on"
        return Knob("α", self.alpha, self.alpha, limits=(0.5, 0), learned=learned)

    def value(self, z: Tensor, alpha: Tensor, /) -> Tensor:
        delta, middle, s, k = self._constants(alpha)
        phi = s * torch.tanh(k * (z.clamp(self.l, self.u) - middle))
        return self.l + delta * (phi + 1) / 2

    def slope(self, z: Tensor, alpha: Tensor, /) -> Tensor:
        delta, middle, s, k = self._constants(alpha)
        sech2 = 1 - torch.tanh(k * (z - middle)) ** 2
        return delta / 2 * s * k * sech2 * upto(z, self.u) * upto(-z, -self.l)

    def _constants(self, alpha: Tensor) -> tuple[float, float, Tensor, Tensor]:
        delta = self.u - self.l
        k = torch.log(2 / alpha - 1) / delta
        return delta, (self.l + self.u) / 2, 1 / (1 - alpha), k
