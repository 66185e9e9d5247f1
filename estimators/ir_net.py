"""
IR-Net: weights are standardized, and scaled by a power of two.

    forward    z = (w - mean)/std by filter,   w_eff = 2^s sign(z),   s = round(log2 mean |z|);
               a = sign(x)
    backward   EDE for both signs, f(z) = k tanh(t z), k = max(1/t, 1); gradients flow through mean
               and std; s is a constant, so that 2^s multiplies the gradient of sign(z)
    rule       t: t_min → t_max, exp, once an epoch
    parameters none
    recipe     ResNet-20 on CIFAR-10: 400 epochs, batch 128, SGD 0.1, decay 1e-4, cosine,
               no warm-up; one shortcut for each convolution, Hardtanh

The released ResNet-20 code starts t at 1e-3, its 1/32 and VGG forms at 1e-1 (`t_min: 0.1`). A
normal filter has s = 0, one with heavy tails s = -1; `scale_shift: off` leaves the scale out.
`std_grad: off` takes the deviation for a constant.

Reference: Qin et al., CVPR 2020, arXiv:1909.10788, sec. 3.2 and 3.3, and its released code.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Clock,
    Field,
    Method,
    estimator,
    filter_deviation,
    filter_mean,
    filter_scale,
)


class IRNet(Method):
    formula = "w_eff = 2^s sign((w - mean)/std)"
    kind = "method: standardized weights"
    aux = "module"
    fixes = {"scale": "none", "standardize": "off"}
    uses: ClassVar[tuple[str, ...]] = ("ede",)

    t_min: Annotated[float, Field(gt=0)] = 1e-3
    t_max: Annotated[float, Field(gt=0)] = 10.0
    scale_shift: Literal["on", "off"] = "on"
    std_grad: Literal["on", "off"] = "on"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        ede = estimator("ede", t_min=self.t_min, t_max=self.t_max)
        return Libra(ede.binarizer("W", shape, clock, zero), self.scale_shift, self.std_grad)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        ede = estimator("ede", t_min=self.t_min, t_max=self.t_max)
        return ede.binarizer("A", (channels,), clock, zero)


class Libra(nn.Module):
    """Signs of standardized weights, and the power of two next to their mean magnitude."""

    signs = True

    def __init__(self, sign: nn.Module, scale_shift: str, std_grad: str) -> None:
        super().__init__()
        self.sign, self.scale_shift, self.std_grad = sign, scale_shift, std_grad

    def forward(self, w: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        deviation = filter_deviation(w)
        if self.std_grad == "off":
            deviation = deviation.detach()
        z = (w - filter_mean(w)) / deviation
        signs = self.sign(z)
        if self.scale_shift == "off":
            return signs
        return signs, torch.exp2(filter_scale(z.detach()).log2().round())
