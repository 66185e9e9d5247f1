"""
XNOR-Net: signs of centred weights, scaled by filter.

    forward    w_eff = E sign(w),  E = mean |w| of the filter;  a = sign(x)
    backward   dL/dw = g (E 1[|w| < 1] + 1/n),  g = dL/dw_eff        (second_term: own)
               dL/dw = g E 1[|w| < 1] + sign(w) Σ g sign(w) / n      (second_term: exact)
               then times (1 - 1/C_in) for the centring, and times n (gain)
               dL/dx = dL/da 1[|x| < 1]
    rule       before each step, to stay: w ← w - mean of w over C_in;  w ← min(max(w, -1), 1)
    recipe     CIFAR-10: network in network, BN-sign-conv, Adam 0.01, decay 1e-5, a tenth at 120,
               200, 240 and 280 of 320 epochs; the least BatchNorm weight is 0.01

n is the number of a filter's weights. The authors' Lua has `own`, and a gain of n with SGD, 1e9
with Adam; a PyTorch port in wide use has `exact`, clip: closed, and n. scale_grad: none or factor
leave the second term out. One input channel is not centred, which would leave zeros. centring:
forward differentiates it instead, as the library of XNOR-Net++'s author does (exact; clamp and gain
off). BiBench has no factor either (scale_grad: none), clip: closed, centring, clamp and gain off,
and input_scale: image, mean |x| of the image without a gradient, times sign(x). The paper's map K
of input magnitudes is in neither code.

Reference: Rastegari et al., ECCV 2016, arXiv:1603.05279, sec. 3; its BWN is `bwn`.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    BinaryLayer,
    Clock,
    Coach,
    Method,
    Recipe,
    ScaleGrad,
    Signs,
    binary_layers,
    clipped_sign,
    filter_scale,
    open_clipped_sign,
    scaled_signs,
    sign_with,
    ste_sign,
    straight_through,
    upto,
)

CROSSINGS = {"open": open_clipped_sign, "closed": clipped_sign, "off": ste_sign}


class XNORNet(Method):
    formula = "w_eff = E sign(w)"
    kind = "method: scale by filter"
    aux = "rule"

    scale_grad: ScaleGrad = "full"
    second_term: Literal["own", "exact"] = "own"
    centring: Literal["latent", "forward", "off"] = "latent"
    clamp: Literal["on", "off"] = "on"
    gain: Literal["n", "1e9", "off"] = "n"
    clip: Literal["open", "closed", "off"] = "open"  # of weights
    input_scale: Literal["off", "image"] = "off"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Weights(self, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        if self.input_scale == "image":
            return ScaledInput(zero)
        return Signs(open_clipped_sign, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Latents(self, [layer for _, layer in binary_layers(net)], recipe)

    def centred(self, w: Tensor) -> Tensor:
        return w - w.mean(1, keepdim=True) if w.shape[1] > 1 else w

    def written(self, w: Tensor) -> Tensor:
        """What the rule makes of w before a step."""
        w = self.centred(w) if self.centring == "latent" else w
        return w.clamp(-1, 1) if self.clamp == "on" else w


class Weights(nn.Module):
    """sign(w) and E; an evaluation sees the weights that the next step would."""

    signs = True

    def __init__(self, plugin: XNORNet, zero: int) -> None:
        super().__init__()
        self.plugin = plugin
        self.zero = zero

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        p = self.plugin
        w = w if self.training else p.written(w)
        w = p.centred(w) if p.centring == "forward" else w
        if (p.scale_grad, p.second_term) == ("full", "own"):
            return scaled_signs(sign_with(w, self.own_slope, self.zero), filter_scale(w), "none")
        return scaled_signs(CROSSINGS[p.clip](w, self.zero), filter_scale(w), p.scale_grad)

    def own_slope(self, w: Tensor) -> Tensor:
        """E 1[|w| < 1] + 1/n."""
        inside = {"open": 1 - upto(-w.abs(), -1), "closed": upto(w.abs(), 1), "off": 1}
        return filter_scale(w) * inside[self.plugin.clip] + 1 / w[0].numel()


class ScaledInput(nn.Module):
    """mean |x| of the image times sign(x)."""

    def __init__(self, zero: int) -> None:
        super().__init__()
        self.zero = zero

    def forward(self, x: Tensor) -> Tensor:
        signs = clipped_sign(x, self.zero)
        dims = (1, 2, 3) if x.ndim == 4 else (-1,)
        return straight_through(signs.detach() * x.detach().abs().mean(dims, keepdim=True), signs)


class Latents(Coach):
    """The rule before a step, and the factors of the gradient."""

    def __init__(self, plugin: XNORNet, layers: list[BinaryLayer], recipe: Recipe) -> None:
        super().__init__(recipe)
        self.plugin = plugin
        self.layers = tuple(layers)

    @torch.no_grad()
    def before_step(self) -> None:
        for layer in self.layers:
            layer.weight.copy_(self.plugin.written(layer.weight))

    def after_backward(self) -> None:
        for layer in self.layers:
            if layer.weight.grad is not None:
                layer.weight.grad.mul_(self.factor(layer.weight))

    def factor(self, w: Tensor) -> float:
        """(1 - 1/C_in) times the gain."""
        c_in = w.shape[1]
        centred = self.plugin.centring == "latent" and c_in > 1
        gain = {"n": w[0].numel(), "1e9": 1e9, "off": 1.0}[self.plugin.gain]
        return gain * (1 - 1 / c_in if centred else 1.0)
