"""
BD-BNN, bi-modal distributed weights: a loss of each layer's kurtosis.

    forward    w_eff = E sign(w), E = mean |w| of each filter;   a = sign(x)
    loss       cross entropy + λ Σ_layers (kurtosis - target)²,
               kurtosis = mean ((w - mean)/deviation)⁴ of the layer, the deviation unbiased
    backward   dL/dw = dL/dw_eff where |w| ≤ 1   (scale_grad: none), or E times that   (factor)
               dL/dx = dL/da max(0, 2 - 2|x|)
    rule       none
    parameters none
    recipe     not read; λ = 1 and Bi-Real's signs of weights and inputs are our choice

Two equal peaks have a kurtosis of 1, a uniform distribution 1.8, a normal one 3. On ImageNet the
release learns from a teacher, too, which this is without.

Reference: BD-BNN, 2022; kurtosis, its loss and the target of 1.8 from its released code.
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
    approx_sign,
    binary_layers,
    estimator,
)


class BDBNN(Method):
    formula = "loss + λ Σ (kurtosis(w) - 1.8)²"
    kind = "method: distribution of weights"
    aux = "loss"
    uses: ClassVar[tuple[str, ...]] = ("bi_real",)
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "standardize": "off"}

    target: Annotated[float, Field(ge=1)] = 1.8
    strength: Annotated[float, Field(ge=0)] = 1.0  # λ
    scale_grad: Literal["none", "factor"] = "none"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        base = estimator("bi_real", scale_grad=self.scale_grad)
        return base.binarizer("W", shape, clock, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(approx_sign, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Bimodal(self, net, recipe)


def kurtosis(w: Tensor) -> Tensor:
    """Return the fourth moment of the layer's standardized weights, 0-d; 0 if all are equal."""
    z = (w - w.mean()) / w.std().clamp(min=1e-12)
    return z.pow(4).mean()


class Bimodal(Coach):
    """Adds the loss of every binary layer's weights."""

    def __init__(self, method: BDBNN, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.method = method
        self.weights = [layer.get_parameter("weight") for _, layer in binary_layers(net)]

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        errors = [(kurtosis(w) - self.method.target) ** 2 for w in self.weights]
        return super().loss(logits, labels, seen) + self.method.strength * torch.stack(errors).sum()
