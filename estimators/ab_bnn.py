"""
A&B BNN: standardized weights with a learned gain, for networks without BatchNorm.

    forward    z = (w - mean)/((deviation + 1e-5) √n) by filter, n weights, deviation over n
               w_eff = γ E sign(z), sign(0) = 0, E = mean |z| of the filter;   a = sign(x)
    backward   dL/dz = γ dL/dw_eff, through mean and deviation; E is a constant
               dL/dγ = Σ E sign(z) dL/dw_eff;   dL/dx = dL/da 2α σ(αx) (1 - σ(αx))
    rule       none
    parameters γ of each filter (1)
    recipe     not read; γ's start of 1 is our choice

γ and E are one factor of each filter in inference. The mask layer and the RPReLU with slopes of
powers of two, by which the released networks do without multiplications, are parts of a network,
and are not built here: its blocks have their own.

Reference: A&B BNN, CVPR 2024; formulas from its released code.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Any,
    Clock,
    Field,
    Method,
    estimator,
    filter_deviation,
    filter_mean,
    filter_scale,
    ste_sign,
    without_factor,
)


class ABBNN(Method):
    formula = "w_eff = γ E sign(z)"
    kind = "method: standardized weights"
    aux = "module"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "standardize": "off"}
    uses: ClassVar[tuple[str, ...]] = ("ab_sign",)

    alpha: Annotated[float, Field(gt=0)] = 3.0

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Gained(shape, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return estimator("ab_sign", alpha=self.alpha).binarizer("A", (channels,), clock, zero)


class Gained(nn.Module):
    """Signs of z, and γ E."""

    signs = True

    def __init__(self, shape: tuple[int, ...], zero: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(shape[0]))
        self.zero = zero

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        n = w[0].numel()
        z = (w - filter_mean(w)) / ((filter_deviation(w, 0) + 1e-5) * n**0.5)
        scale = filter_scale(z.detach())
        signs = without_factor(ste_sign(z, self.zero), scale)
        return signs, scale * self.gain.reshape(-1, *[1] * (w.ndim - 1))
