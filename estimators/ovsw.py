"""
OvSW, overcoming silent weights: latents that never change sign are moved.

    forward    w_eff = s sign(w),   s = mean |w - mean|/√(var + 1e-5) of each filter, no gradient;
               a = sign(x), in training of x/√(var + 1e-5) of the image, the divisor no gradient
    backward   dw_eff/dw = s;   da/dz = max(0, 2 - 2|z|)
    rule       after backward, on g = dL/dw:
               AGS, where |g| < δ |w| of a filter:   g ← g δ |w|/|g|
               SAD, m ← 0.999 m + 0.001 [sign(w) changed since the last step];
               where m < 1e-4:   g ← g + λ w
    parameters none
    recipe     ResNet-20: δ 0.04, λ 9e-4, 300 to 600 epochs, batch 256, SGD 0.1, decay 5e-4;
               ImageNet: δ 0.01, λ 2e-5, 200 epochs, batch 512, decay 1e-4

|g| and |w| are norms, at least 1e-6 and 1e-3. m starts at 0: at first every weight is silent.

Reference: Xiang et al., ECCV 2024, arXiv:2407.05257, and its released code.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.plugin import (
    Clock,
    Coach,
    DividedSigns,
    Method,
    Recipe,
    binary_layers,
    filter_scale,
    over_filter,
    standardized,
    ste_sign,
)

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class OvSW(Method):
    formula = "w_eff = s sign(w), g ← g + λw where silent"
    kind = "method: silent weights"
    aux = "rule"

    delta: NotNegative = 0.04
    lam: NotNegative = 9e-4
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.999
    silent: NotNegative = 1e-4

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Scaled(zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return DividedSigns(zero, attached=False)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Waking(net, recipe, self)


class Scaled(nn.Module):
    """Signs, and the mean magnitude of the standardized filter."""

    signs = True

    def __init__(self, zero: int) -> None:
        super().__init__()
        self.zero = zero

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return ste_sign(w, self.zero), filter_scale(standardized(w.detach(), 1e-5))


class Waking(Coach):
    """Scaled gradients, then decay of what is silent, from what it remembers of each weight."""

    def __init__(self, net: nn.Module, recipe: Recipe, method: OvSW) -> None:
        super().__init__(recipe)
        self.method = method
        self.weights = [layer.weight for _, layer in binary_layers(net)]
        for i, w in enumerate(self.weights):
            self.register_buffer(f"tracker{i}", torch.zeros_like(w))
            self.register_buffer(f"signs{i}", w.detach().sign())

    @torch.no_grad()
    def after_backward(self) -> None:
        for i, w in enumerate(self.weights):
            if w.grad is not None:
                self.scale(w, w.grad)
                self.wake(w, w.grad, self.get_buffer(f"tracker{i}"), self.get_buffer(f"signs{i}"))

    def scale(self, w: Tensor, g: Tensor) -> None:
        """AGS: raise the norm of a filter's gradient to δ times that of its weights."""
        least = self.method.delta * norm(w).clamp(min=1e-3)
        size = norm(g)
        g.mul_(torch.where(size < least, least / size.clamp(min=1e-6), 1))

    def wake(self, w: Tensor, g: Tensor, tracker: Tensor, signs: Tensor) -> None:
        """SAD: note which signs changed, and let those decay that hardly do."""
        now, m = w.sign(), self.method.momentum
        tracker.mul_(m).add_((now != signs).to(w.dtype), alpha=1 - m)
        signs.copy_(now)
        g.add_(w * (tracker < self.method.silent), alpha=self.method.lam)


def norm(x: Tensor) -> Tensor:
    """Return the Euclidean norm of each filter, (C_out, 1, ...)."""
    return x.square().sum(over_filter(x), keepdim=True).sqrt()
