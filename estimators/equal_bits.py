"""
Equal Bits: half of each filter is +1, the other half -1, whatever the signs of its weights.

    forward    w_eff = √(2/n) b,   b = -1 for the n/2 smallest weights of a filter, +1 for the
               others, n weights in all;   a = sign(x)
    backward   dw_eff/dw = √(2/n);   da/dx = 1 where |x| < 1
    parameters none; the scale is Kaiming's deviation and stays
    recipe     CIFAR-10: 350 epochs, batch 128, SGD 0.1, decay 5e-4

Of an odd n the larger half is +1; equal weights are told apart by their place in the filter.

Reference: Li et al., AAAI 2022, arXiv:2112.03406, and its released code.
"""

import math

import torch
from torch import Tensor, nn

from bench.plugin import Clock, Method, Signs, open_clipped_sign, straight_through


class EqualBits(Method):
    formula = "b = +1 for the larger half of a filter"
    kind = "method: equal halves"
    aux = "module"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Halves(shape)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(open_clipped_sign, zero)


class Halves(nn.Module):
    """-1 for the smaller half of each filter, +1 for the larger, and the scale √(2/n)."""

    signs = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.scale = math.sqrt(2 / math.prod(shape[1:]))

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        rows = w.detach().reshape(len(w), -1)
        smaller = rows.argsort(dim=1, stable=True)[:, : rows.shape[1] // 2]
        halves = torch.ones_like(rows).scatter(1, smaller, -1).reshape(w.shape)
        return straight_through(halves, w), w.new_full((1,) * w.ndim, self.scale)
