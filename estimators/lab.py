"""
LAB, loss-aware binarization: the scale minimizes the loss to second order, by Adam's curvature.

    forward    w_eff = α sign(w), sign(0) = +1,   α = Σ d|w| / Σ d of the layer,   d = √v + 1e-8
               a = sign(x), where inputs are binary
    backward   dL/dw = dL/dw_eff;   dL/dx = dL/da where |x| ≤ 1
    rule       v ← 0.999 v + 0.001 (dL/dw_eff)², from 0, after the backward pass;
               after the step w is clipped to [-1, 1]
    parameters none
    recipe     Adam 0.02, halved every 15 of 200 epochs, batches of 50, no decay

v is the second moment of Adam, not corrected for its start: in the first step d is constant and α
is mean |w|. `curvature: adam` trains the weights by Adam, without decay, so that v is its own;
`self` leaves them to the recipe's optimizer and keeps v beside it. The released code has real
inputs; the sign of inputs is BNN's.

Reference: Hou, Yao and Kwok, ICLR 2017, arXiv:1611.01600; constants and the clip from its code.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Any,
    Clock,
    Coach,
    Field,
    Group,
    Method,
    Recipe,
    Signs,
    binary_layers,
    clipped_sign,
    scaled_signs,
    ste_sign,
)


class LAB(Method):
    formula = "w_eff = sign(w) Σ d|w| / Σ d"
    kind = "method: scale by curvature"
    aux = "rule"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "sign0": 1}

    curvature: Literal["self", "adam"] = "self"
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.999  # of v

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Curved(shape)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(clipped_sign, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Curvature(self, net, recipe)


class Curved(nn.Module):
    """Signs and α, by the v of each weight."""

    signs = True
    v: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("v", torch.zeros(shape))

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        d = self.v.sqrt() + 1e-8
        scale = (d * w.abs()).sum() / d.sum()
        return scaled_signs(ste_sign(w, 1), scale.reshape([1] * w.ndim), "none")


class Curvature(Coach):
    """Keeps every v, and clips weights."""

    def __init__(self, method: LAB, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.method = method
        self.curved = [
            (layer.W, layer.get_parameter("weight"))
            for _, layer in binary_layers(net)
            if isinstance(layer.W, Curved)
        ]

    @torch.no_grad()
    def after_backward(self) -> None:
        for module, w in self.curved:
            if w.grad is not None:
                module.v.mul_(self.method.decay).addcmul_(
                    w.grad, w.grad, value=1 - self.method.decay
                )

    @torch.no_grad()
    def after_step(self) -> None:
        for _, w in self.curved:
            w.clamp_(-1, 1)

    def groups(self) -> list[Group]:
        if self.method.curvature == "self":
            return []
        return [Group([w for _, w in self.curved], weight_decay=0.0, rule="adam")]
