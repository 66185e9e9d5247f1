"""
ReActNet: each input channel learns where its sign turns, and a real network teaches.

    forward    a = sign(x + c),   w_eff = E sign(w),   E = mean |w| of each filter, no gradient
    backward   da/dx = da/dc = max(0, 2 - 2|x + c|),   dw_eff/dw = 1 where |w| ≤ 1, without E
    loss       -Σ softmax(teacher) log softmax(student), the mean of the batch; no labels
    parameters c, one for each input channel, from 0
    recipe     stage 1: real weights, decay 1e-5 of weights of two and more dimensions;
               stage 2: binary weights from stage 1's last, no decay

`scale_grad: factor` multiplies the gradient by E, `full` differentiates E as well. RPReLU, the
other half of the method, is of the network: `order: bn_rprelu`.

Reference: Liu et al., ECCV 2020, arXiv:2003.03488; decay, stages and the weights' gradient from its
released code.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Clock,
    Coach,
    Distilled,
    Group,
    Method,
    Recipe,
    Role,
    ScaleGrad,
    Stage,
    approx_sign,
    clipped_sign,
    filter_scale,
    of_channels,
    scaled_signs,
)


class ReActNet(Method):
    formula = "a = sign(x + c)"
    kind = "method: shifted signs"
    aux = "teacher, stages"
    teacher: ClassVar[bool] = True

    weights: Literal["binary", "real"] = "binary"
    scale_grad: ScaleGrad = "none"

    def bits(self, role: Role) -> int:
        return 32 if role == "W" and self.weights == "real" else 1

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return nn.Identity() if self.weights == "real" else Scaled(self.scale_grad, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Shifted(channels, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Decaying(net, recipe)

    def stages(self) -> tuple[Stage, ...]:
        return (
            Stage({"weights": "real"}, weight_decay=1e-5),
            Stage({"weights": "binary"}, weight_decay=0.0),
        )


class Scaled(nn.Module):
    """Signs and E, the mean |w| of each filter."""

    signs = True

    def __init__(self, scale_grad: ScaleGrad, zero: int) -> None:
        super().__init__()
        self.scale_grad: ScaleGrad = scale_grad
        self.zero = zero

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return scaled_signs(clipped_sign(w, self.zero), filter_scale(w), self.scale_grad)


class Shifted(nn.Module):
    """sign(x + c), c learned for each channel."""

    signs = True

    def __init__(self, channels: int, zero: int) -> None:
        super().__init__()
        self.c, self.zero = nn.Parameter(torch.zeros(channels)), zero

    def forward(self, x: Tensor) -> Tensor:
        return approx_sign(x + of_channels(self.c, x), self.zero)


class Decaying(Distilled):
    """What the teacher says; only weights of two and more dimensions decay."""

    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.small = [p for p in net.parameters() if p.ndim < 2]

    def groups(self) -> list[Group]:
        return [Group(self.small, weight_decay=0.0)] if self.small else []
