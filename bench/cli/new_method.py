"""`bench new method NAME`: a forward, a coach and a loss that work, to be made the real ones."""

TEMPLATE = '''"""
{name}, one line that says what it is.

    forward    w_eff = E sign(w),   E = mean |w| of each filter, no gradient;   a = sign(x)
    backward   dw_eff/dw = E where |w| ≤ 1;   da/dx = 1 where |x| ≤ 1
    loss       cross entropy + λ Σ over layers of mean (|w| - E)²
    parameters none

Reference: authors, venue, arXiv id, equation number.
"""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from bench.plugin import (
    Clock,
    Coach,
    Method,
    Recipe,
    Seen,
    Signs,
    binary_layers,
    clipped_sign,
    filter_scale,
)


class {cls}(Method):
    formula = "w_eff = E sign(w)"
    kind = "method: scaled signs"
    aux = "loss"

    lam: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Weights(zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(clipped_sign, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Pull(net, recipe, self.lam)


class Weights(nn.Module):
    """Signs, and the scale by which their product is multiplied."""

    signs = True  # the promise of -1, 0 and 1 alone

    def __init__(self, zero: int) -> None:
        super().__init__()
        self.zero = zero

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return clipped_sign(w, self.zero), filter_scale(w.detach())


class Pull(Coach):
    """What stands beside the network while it trains: here it adds to the loss."""

    def __init__(self, net: nn.Module, recipe: Recipe, lam: float) -> None:
        super().__init__(recipe)
        self.layers = [layer for _, layer in binary_layers(net)]
        self.lam = lam

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        total = super().loss(logits, labels, seen)
        for layer in self.layers:
            w = layer.weight
            total = total + self.lam * (w.abs() - filter_scale(w)).square().mean()
        return total
'''
