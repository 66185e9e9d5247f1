"""
ReCU, the rectified clamp unit: weights that would never change sign are revived.

    forward    z = 2√2 (w - mean)/√(var + 1e-5) by filter,   Q = -mean |z| ln(2 - 2τ) of the layer,
               w_eff = sign(clamp(z, -Q, Q));   a = sign(x), in training of x/√(var + 1e-5) of the
               image;   y = α (a * w_eff)
    backward   dw_eff/dz = 1 where |z| ≤ Q, else 0; Q is a constant;   da/dz = max(0, 2 - 2|z|),
               through the division
    rule       τ: tau_start → tau_end, A e^p + B
    parameters α, one for each filter, from U(0, 1), after the product
    recipe     CIFAR-10: 600 epochs, batch 256, SGD 0.1, decay 5e-4, warm-up 5, cosine

Q is the quantile τ of a Laplace distribution of z. `alpha_init: expected` starts α at 1/(2√n), the
expected mean |w| of a layer as torch makes it.

Reference: Xu et al., ICCV 2021, arXiv:2103.12369, sec. 3, and its released code.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Alpha,
    Annotated,
    Clock,
    DividedSigns,
    Field,
    Method,
    expected_scale,
    standardized,
    ste_sign,
)


class ReCU(Method):
    formula = "w_eff = sign(clamp(z, -Q, Q))"
    kind = "method: clamped weights"
    aux = "module"
    fixes = {"scale": "none", "standardize": "off"}
    folds = frozenset({"W.after.alpha"})

    tau_start: Annotated[float, Field(gt=0.5, lt=1)] = 0.85
    tau_end: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    alpha_init: Literal["uniform", "expected"] = "uniform"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        alpha = torch.rand(shape[0]) if self.alpha_init == "uniform" else expected_scale(shape)
        return Rectified(self, alpha, clock, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return DividedSigns(zero)

    def log_tail(self, p: float) -> float:
        """Return ln(2 - 2τ) at progress p."""
        a = (self.tau_end - self.tau_start) / (math.e - 1)
        b = self.tau_start - a
        return math.log(2 - 2 * (a * math.exp(p) + b))


class Rectified(nn.Module):
    """Signs of clamped standardized weights."""

    signs = True

    def __init__(self, plugin: ReCU, alpha: Tensor, clock: Clock, zero: int) -> None:
        super().__init__()
        self.zero = zero
        self.dial = clock.dial((plugin, "W"), plugin.log_tail)
        self.after = Alpha(alpha)

    def forward(self, w: Tensor) -> Tensor:
        z = self.scaled(w)
        q = self.find_bound(z)
        return ste_sign(z.clamp(-q, q), self.zero)

    def scaled(self, w: Tensor) -> Tensor:
        """Return z, shaped like w."""
        return 2 * math.sqrt(2) * standardized(w, 1e-5)

    def find_bound(self, z: Tensor) -> Tensor:
        """Return Q, 0-d."""
        return -z.detach().abs().mean() * self.dial.value
