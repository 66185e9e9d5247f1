"""
TWN, ternary weight networks: -1, 0 and 1 times one scale.

    forward    w_eff = α t,   t = sign(w) where |w| > Δ, else 0,   Δ = 0.7 mean |w| of the layer
               α = <t, w> / <t, t> of the layer (scale: filter: of each filter)
    backward   dL/dw = dL/dw_eff   (scale_grad: none)
               α dL/dw_eff, or that and <dL/dw_eff, t> t / <t, t>   (factor, full)
    parameters none; inputs are real

Where no weight of the layer or filter is beyond Δ, w_eff = 0 there, and the gradient passes.

Reference: Li, Zhang and Liu, 2016, arXiv:1605.04711; the gradient, and the scale of the layer,
from the authors' released Caffe layers. SQ's TWN has one scale for each filter.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Clock,
    Field,
    Method,
    Role,
    ScaleGrad,
    layer_scale,
    over_filter,
    scaled_signs,
    sign,
    straight_through,
)


class TWN(Method):
    formula = "w_eff = α sign(w) [|w| > Δ]"
    kind = "method: ternary weights"

    factor: Annotated[float, Field(ge=0)] = 0.7
    scale: Literal["layer", "filter"] = "layer"
    scale_grad: ScaleGrad = "none"

    def bits(self, role: Role) -> int:
        return 2 if role == "W" else 32

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Ternary(self)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return nn.Identity()


class Ternary(nn.Module):
    """(t, α): three levels for each weight, one scale for the layer or for each filter."""

    signs = True

    def __init__(self, method: TWN) -> None:
        super().__init__()
        self.method = method

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        still = w.detach()
        t = sign(still) * (still.abs() > self.method.factor * layer_scale(still))
        dims = tuple(range(w.ndim)) if self.method.scale == "layer" else over_filter(w)
        used = t.abs().sum(dims, keepdim=True)
        scale = (t * w).sum(dims, keepdim=True) / used.clamp(min=1)
        scale = torch.where(used > 0, scale, 1)  # of zeros: it passes the gradient on
        return scaled_signs(straight_through(t, w), scale, self.method.scale_grad)
