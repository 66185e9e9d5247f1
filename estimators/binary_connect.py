"""
BinaryConnect: binary weights, from real ones that stay within [-H, H].

    forward    w_eff = H sign(w), sign(0) = +1                                  (deterministic)
               w_eff = H with probability min(max((w/H + 1)/2, 0), 1), else -H  (stochastic)
    backward   dL/dw = dL/dw_eff
    rule       after each step w is clipped to [-H, H]
    recipe     CIFAR-10: VGG whose layers are all binary, squared hinge, Adam at 0.003 falling
               exponentially to 2e-6, 500 epochs of batch 50; inputs are real

Stochastic weights are drawn while training. The authors' script for CIFAR-10 draws, and tests with
the real weights (test_weights: real), which are not binary then. It divides a layer's rate by half
its Glorot bound, √(1.5/(fan-in + fan-out)): lr_scale: glorot. Where inputs are binary, theirs is a
sign with gradient 1[|x| ≤ 1].

Reference: Courbariaux et al., NeurIPS 2015, arXiv:1511.00363, algorithm 1, eq. 1-3.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    BinaryLayer,
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
    straight_through,
)


class BinaryConnect(Method):
    formula = "w_eff = H sign(w)"
    kind = "method: signs"
    aux = "rule"

    weights: Literal["deterministic", "stochastic"] = "deterministic"
    test_weights: Literal["binary", "real"] = "binary"
    clip: Annotated[float, Field(gt=0)] = 1.0  # H
    lr_scale: Literal["none", "glorot"] = "none"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Weights(self)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(clipped_sign, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Clipping(self, [layer for _, layer in binary_layers(net)], recipe)


class Weights(nn.Module):
    """±H, drawn or not, or the real weights while testing."""

    def __init__(self, plugin: BinaryConnect) -> None:
        super().__init__()
        self.drawn = plugin.weights == "stochastic"
        self.real = plugin.test_weights == "real"
        self.signs = not self.real
        self.h = plugin.clip

    def forward(self, w: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if self.real and not self.training:
            return w
        signs = ste_sign(w, 1)
        if self.drawn and self.training:
            p = ((w / self.h + 1) / 2).clamp(0, 1)
            signs = straight_through(torch.where(torch.rand_like(w) < p, 1.0, -1.0).to(w.dtype), w)
        return scaled_signs(signs, w.new_full([1] * w.ndim, self.h), "none")


class Clipping(Coach):
    """After each step, w ← min(max(w, -H), H)."""

    def __init__(self, plugin: BinaryConnect, layers: list[BinaryLayer], recipe: Recipe) -> None:
        super().__init__(recipe)
        self.plugin = plugin
        self.layers = tuple(layers)

    def after_step(self) -> None:
        for layer in self.layers:
            layer.weight.data.clamp_(-self.plugin.clip, self.plugin.clip)

    def groups(self) -> list[Group]:
        if self.plugin.lr_scale == "none":
            return []
        weights = [layer.get_parameter("weight") for layer in self.layers]
        return [Group([w], factor=1 / bound(w)) for w in weights]


def bound(w: Tensor) -> float:
    """Return half of Glorot's bound, √(1.5/(fan-in + fan-out))."""
    return math.sqrt(1.5 / (w[0].numel() + w[:, 0].numel()))
