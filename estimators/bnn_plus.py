"""
BNN+: SignSwish, a trained scale, and a regularizer that draws weights to it.

    forward    w_eff = α sign(w), one α of each layer;  a = sign(x)
    backward   dL/dw = α dL/dw_eff s(w),  dL/dx = dL/da s(x),
               s(z) = β (2 - βz tanh(βz/2)) / (1 + cosh βz)
    loss       cross entropy + λ Σ R over layers, R = Σ |α - |w|| (R1) or Σ (α - |w|)² (R2)
    recipe     λ and the start of α are our choice: 1e-6 and 1

α trains by both parts of the loss, and is held within [1e-4, 10] as a third party does, at and
beyond which it has no gradient;
regularizer_scale: one has 1 in its place in R, as theirs. Latent weights get α's factor unless
scale_grad: none. `sign_swish` is the slope alone.

Reference: Darabi et al., 2018, arXiv:1812.11800.
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    BinaryLayer,
    Clock,
    Coach,
    Field,
    Method,
    Recipe,
    Seen,
    Signs,
    binary_layers,
    sign_with,
    without_factor,
)


class BNNPlus(Method):
    formula = "w_eff = α sign(w)"
    kind = "method: learned scale"
    aux = "module, loss"

    beta: Annotated[float, Field(gt=0)] = 5.0
    regularizer: Literal["R1", "R2", "off"] = "R1"
    weight: Annotated[float, Field(ge=0)] = 1e-6  # λ
    regularizer_scale: Literal["own", "one"] = "own"
    scale: Literal["trained", "fixed"] = "trained"
    scale_start: Annotated[float, Field(ge=1e-4, le=10)] = 1.0
    scale_grad: Literal["none", "factor"] = "factor"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Weights(self, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(self.crossing, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        off = self.regularizer == "off"
        return Coach(recipe) if off else Regularized(self, net, recipe)

    def crossing(self, z: Tensor, zero: int) -> Tensor:
        return sign_with(z, self.slope, zero)

    def slope(self, z: Tensor) -> Tensor:
        """s(z), in powers of q = e^-|βz| that do not overflow."""
        u = (self.beta * z.abs()).clamp(max=100)
        q = torch.exp(-u)
        return 2 * self.beta * (2 - u * (1 - q) / (1 + q)) * q / (1 + q) ** 2


class Weights(nn.Module):
    """sign(w) and α."""

    signs = True

    def __init__(self, plugin: BNNPlus, zero: int) -> None:
        super().__init__()
        self.plugin = plugin
        self.zero = zero
        start = torch.tensor(plugin.scale_start)
        self.alpha = nn.Parameter(start, requires_grad=plugin.scale == "trained")

    @property
    def scale(self) -> Tensor:
        """α within its bounds, 0-d."""
        return self.alpha.clamp(1e-4, 10)

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        signs = self.plugin.crossing(w, self.zero)
        scale = self.scale.expand([1] * w.ndim)
        if self.plugin.scale_grad == "none":
            signs = without_factor(signs, scale.detach())
        return signs, scale


class Regularized(Coach):
    """Cross entropy and λ Σ R."""

    def __init__(self, plugin: BNNPlus, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.plugin = plugin
        self.layers = tuple(layer for _, layer in binary_layers(net))

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        loss = super().loss(logits, labels, seen)
        for layer in self.layers:
            loss = loss + self.plugin.weight * self.regularizer(layer)
        return loss

    def regularizer(self, layer: BinaryLayer) -> Tensor:
        """R of one layer, 0-d."""
        w, scale = layer.weight, layer.W.scale if isinstance(layer.W, Weights) else 1.0
        gap = (scale if self.plugin.regularizer_scale == "own" else 1.0) - w.abs()
        return gap.abs().sum() if self.plugin.regularizer == "R1" else gap.square().sum()
