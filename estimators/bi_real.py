"""
Bi-Real Net: signs scaled by filter, and a closer slope for inputs.

    forward    w_eff = E sign(w),  E = mean |w| of the filter;  a = sign(x)
    backward   dL/dw = dL/dw_eff 1[|w| ≤ 1]               (scale_grad: none)
               dL/dw = E dL/dw_eff 1[|w| ≤ 1]             (scale_grad: factor)
               dL/dx = dL/da max(0, 2 - 2|x|)
    recipe     Adam from 1e-3 to 0 linearly, 256 epochs of batch 512, no decay, label smoothing 0.1

E gets no gradient. Its factor is in the paper's magnitude-aware gradient (and larq's), not in the
released code. That starts binary weights at U(0, 0.001), all signs +1: init: uniform. The paper's
network has no non-linearity but sign, and a shortcut around every convolution. Of the Caffe release
the steps from ReLU to sign, and the last epoch, which estimates BatchNorm anew, are left out.

Reference: Liu et al., ECCV 2018, arXiv:1808.00278.
"""

from typing import Literal

from torch import Tensor, nn

from bench.plugin import (
    Clock,
    Coach,
    Method,
    Recipe,
    Signs,
    approx_sign,
    binary_layers,
    clipped_sign,
    filter_scale,
    scaled_signs,
)


class BiReal(Method):
    formula = "w_eff = E sign(w)"
    kind = "method: scale by filter"
    aux = "-"

    scale_grad: Literal["none", "factor"] = "none"
    init: Literal["backbone", "uniform"] = "backbone"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Scaled(self.scale_grad, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(approx_sign, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        if self.init == "uniform":
            for _, layer in binary_layers(net):
                nn.init.uniform_(layer.weight, 0, 0.001)
        return Coach(recipe)


class Scaled(nn.Module):
    """sign(w) and E, by filter."""

    signs = True

    def __init__(self, scale_grad: Literal["none", "factor"], zero: int) -> None:
        super().__init__()
        self.scale_grad: Literal["none", "factor"] = scale_grad
        self.zero = zero

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return scaled_signs(clipped_sign(w, self.zero), filter_scale(w), self.scale_grad)
