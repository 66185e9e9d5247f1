"""
RAD, BNN-DL: a loss on the distribution of what the sign of each layer sees.

    forward    w_eff = sign(w),  a = sign(x)
    backward   dL/dw = dL/dw_eff,  dL/dx = dL/da 1[|x| ≤ 1]
    loss       cross entropy + weight · R, R the mean over layers; m mean and s deviation of each
               channel of what reaches Hardtanh, over images and places; [z]₊ = max(z, 0)
               R = mean [2 - |m| - s]₊² + mean [s - 4]₊² + mean [m² - s²]₊             (form: code)
               R = mean [|m| - k_D s]₊² + mean [k_S s - 1]₊² + mean [1 - |m| - k_M s]₊²     (paper)
    rule       after each step w is clipped to [-1, 1]; weight is 0 where e/E ≥ off_from
    recipe     AlexNet: 65 epochs, Adam 0.01, a tenth of it from 20, 40, 50 and 60 each, no
               decay, BatchNorms average all batches

The forms differ. `code` is the released loss, `paper` is how a third party quotes the paper: its
terms are against degeneration, saturation and gradient mismatch. s² is the population's + 1e-10. In
the released nets a Hardtanh is before each sign; where an order has none, R is of the sign's input.

Reference: Ding et al., CVPR 2019, arXiv:1904.02823; loss, weight and off_from from its code.
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
    Method,
    Recipe,
    Seen,
    Signs,
    binary_layers,
    clipped_sign,
    ste_sign,
)


class RAD(Method):
    formula = "L + λ Σ [2 - |m| - s]₊² + [s - 4]₊² + [m² - s²]₊"
    kind = "method: distribution loss"
    aux = "loss, rule"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none"}
    shares = False  # the loss is of a batch's moments

    form: Literal["code", "paper"] = "code"
    weight: Annotated[float, Field(ge=0)] = 2.0
    off_from: Annotated[float, Field(ge=0, le=1)] = 60 / 65  # of all epochs
    k_d: float = 1.0
    k_s: float = 0.25
    k_m: float = 0.25

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Signs(ste_sign, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(clipped_sign, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Distribution(self, net, clock, recipe)

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The three means over channels of one layer's x, (N, C, H, W) or (..., C), each 0-d."""
        dims = (0, 2, 3) if x.ndim == 4 else tuple(range(x.ndim - 1))
        m, s = x.mean(dims).abs(), (x.var(dims, correction=0) + 1e-10).sqrt()
        m = m * (m > 1e-6)  # rounding of 0, as BatchNorms have it at first, is no direction
        if self.form == "code":
            found = (2 - m - s).relu() ** 2, (s - 4).relu() ** 2, (m**2 - s**2).relu()
        else:
            mismatch = (1 - m - self.k_m * s).relu() ** 2
            found = (m - self.k_d * s).relu() ** 2, (self.k_s * s - 1).relu() ** 2, mismatch
        return found[0].mean(), found[1].mean(), found[2].mean()


class Distribution(Coach):
    """The loss, while it is on, and the clip."""

    taps = frozenset({"preact"})

    def __init__(self, method: RAD, net: nn.Module, clock: Clock, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.method = method
        self.layers = tuple(layer for _, layer in binary_layers(net))
        self.dial = clock.dial(method, lambda p: method.weight if p < method.off_from else 0.0)

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        loss = super().loss(logits, labels, seen)
        if not seen.preact:
            return loss
        of_layers = torch.stack([torch.stack(self.method.terms(x)).sum() for x in seen.preact])
        return loss + self.dial.value.to(loss.dtype) * of_layers.mean()

    def after_step(self) -> None:
        for layer in self.layers:
            layer.weight.data.clamp_(-1, 1)
