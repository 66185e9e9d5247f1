"""
DoReFa-Net: weights and inputs of few bits.

    forward    w_eff = E sign(w),  E = mean |w| of the layer                 (1 bit)
               w_eff = 2 q(v) - 1,  v = tanh(w) / (2 max |tanh(w)|) + 1/2    (b > 1 bits)
               a = q(min(max(x, 0), 1)),  q(v) = round((2^b - 1) v) / (2^b - 1)
               a = sign(x)                                                   (1 bit, levels: pm1)
    backward   rounding and the sign of weights pass gradients as they are
               dL/dw = dL/dw_eff                   (1 bit; scale_grad: none; factor: times E)
               dL/dx = dL/da 1[0 ≤ x ≤ 1],         levels: pm1: 1[|x| ≤ 1]
    recipe     ImageNet, AlexNet and ResNet-18; gradients of few bits are left out

sign(0) of weights is +1. E gets no gradient unless scale_grad: full; max |tanh| does. One bit of
inputs is 0 or 1 in the paper (levels: 01); the rows of later tables have -1 and 1, the default
here. BiBench scales by filter, clips the gradient of weights, and has torch's sign(0), here that of
`sign0`: scale: channel, weight_clip: on. Rounding is half to even.

Reference: Zhou et al., 2016, arXiv:1606.06160, sec. 2.3-2.4.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Clock,
    Field,
    Method,
    ScaleGrad,
    Signs,
    clipped_sign,
    filter_scale,
    layer_scale,
    scaled_signs,
    ste_sign,
    straight_through,
    upto,
)


class DoReFa(Method):
    formula = "w_eff = E sign(w)"
    kind = "method: scale by layer"
    aux = "-"

    weight_bits: Annotated[int, Field(ge=1, le=8)] = 1
    input_bits: Annotated[int, Field(ge=1, le=8)] = 1
    levels: Literal["pm1", "01"] = "pm1"
    scale: Literal["layer", "channel"] = "layer"
    scale_grad: ScaleGrad = "none"
    weight_clip: Literal["on", "off"] = "off"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Scaled(self, zero) if self.weight_bits == 1 else WeightLevels(self.weight_bits)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        if self.input_bits == 1 and self.levels == "pm1":
            return Signs(clipped_sign, zero)
        return InputLevels(self.input_bits)


class Scaled(nn.Module):
    """sign(w) and E."""

    signs = True

    def __init__(self, plugin: DoReFa, zero: int) -> None:
        super().__init__()
        self.crossing = clipped_sign if plugin.weight_clip == "on" else ste_sign
        self.scale = layer_scale if plugin.scale == "layer" else filter_scale
        self.scale_grad: ScaleGrad = plugin.scale_grad
        self.zero = 1 if plugin.scale == "layer" else zero

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return scaled_signs(self.crossing(w, self.zero), self.scale(w), self.scale_grad)


def rounded(v: Tensor, bits: int) -> Tensor:
    """Return q(v), whose gradient passes as it is."""
    steps = 2**bits - 1
    return straight_through(torch.round(steps * v) / steps, v)


class WeightLevels(nn.Module):
    """2^bits levels from -1 to 1, of weights in proportion to the largest."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, w: Tensor) -> Tensor:
        t = torch.tanh(w)
        most = t.abs().max()
        v = t / torch.where(most > 0, most, 1) / 2 + 1 / 2
        return 2 * rounded(v, self.bits) - 1


class InputLevels(nn.Module):
    """2^bits levels from 0 to 1."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.signs = bits == 1  # 0 and 1

    def forward(self, x: Tensor) -> Tensor:
        return rounded(straight_through(x.clamp(0, 1), x * upto(-x, 0) * upto(x, 1)), self.bits)
