"""
SiMaN, sign-to-magnitude: a weight becomes +1 if it is large and -1 if it is small.

    rule       before a step, w ← clamp(|w - mean|, P_q, P_(100-q)) sign(w - mean), where P are
               percentiles of |w - mean| of the layer, and q = percent (1 - p)
    forward    z = (w - mean)/√(var + 1e-5) by filter,   w_eff = +1 where |z| is of the upper half
               of its filter, else -1;   a = sign((x - mean)/√(var + 1e-5)), both of the image
    backward   dw_eff/d|z| = 1;   da/dz = max(0, 2 - 2|z|);   both through the standardization
    parameters α, one for each filter, after the product
    recipe     CIFAR-10: 400 epochs, batch 256, SGD 0.1, decay 5e-4, warm-up 5, cosine

The sign of w says nothing: it is its magnitude that trains. `rank: median` marks what is above the
median, `half` the n/2 largest; they differ where magnitudes are equal. Halves are stored, and found
anew in training only, so that evaluation is of the last step's. α starts at 1/(2√n), the expected
mean |w| of a layer as torch makes it, where the release has that mean itself.

Reference: Lin et al., TPAMI 2022, arXiv:2102.07981, and its released code.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.plugin import (
    Alpha,
    Clock,
    Coach,
    Method,
    Recipe,
    approx_sign,
    binary_layers,
    expected_scale,
    filter_mean,
    image_deviation,
    image_mean,
    standardized,
    straight_through,
)


class SiMaN(Method):
    formula = "w_eff = 2·1[|z| > median] - 1"
    kind = "method: signs of magnitudes"
    aux = "module, rule"
    folds = frozenset({"W.after.alpha"})

    percent: Annotated[float, Field(ge=0, lt=50)] = 15.0
    rank: Literal["median", "half"] = "median"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Halves(shape, self.rank)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Standardized(zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Clamping(net, clock, recipe, self.percent)


class Halves(nn.Module):
    """+1 for the larger half of a filter's magnitudes, -1 for the others; stored."""

    signs = True
    upper: Tensor

    def __init__(self, shape: tuple[int, ...], rank: str) -> None:
        super().__init__()
        self.rank = rank
        self.register_buffer("upper", torch.ones(shape))
        self.after = Alpha(expected_scale(shape))

    def forward(self, w: Tensor) -> Tensor:
        z = standardized(w, 1e-5).abs()
        if not self.training:
            return straight_through(self.upper, z)
        upper = self.find_upper(z.detach())
        self.upper.copy_(upper)
        return straight_through(upper, z)

    def find_upper(self, z: Tensor) -> Tensor:
        """Return +1 where z (C_out, ...) is of the upper half of its filter, else -1."""
        rows = z.reshape(len(z), -1)
        if self.rank == "median":
            marked = rows > rows.median(1, keepdim=True).values
            return marked.to(z.dtype).mul(2).sub(1).reshape(z.shape)
        largest = rows.topk(rows.shape[1] // 2).indices
        return torch.full_like(rows, -1).scatter(1, largest, 1).reshape(z.shape)


class Standardized(nn.Module):
    """The sign of (x - mean)/√(var + 1e-5) of each image, in evaluation, too."""

    signs = True

    def __init__(self, zero: int) -> None:
        super().__init__()
        self.zero = zero

    def forward(self, x: Tensor) -> Tensor:
        return approx_sign((x - image_mean(x)) / image_deviation(x, 1e-5), self.zero)


class Clamping(Coach):
    """Centred latents, with extremes of their magnitudes clamped, before each step."""

    def __init__(self, net: nn.Module, clock: Clock, recipe: Recipe, percent: float) -> None:
        super().__init__(recipe)
        layers = [layer for _, layer in binary_layers(net) if isinstance(layer.W, Halves)]
        self.weights = [layer.weight for layer in layers]
        self.dial = clock.dial(("siman", percent), lambda p: percent * (1 - p) / 100)

    @torch.no_grad()
    def before_step(self) -> None:
        for w in self.weights:
            centred, q = w - filter_mean(w), self.dial.value.to(w.dtype)
            sizes = centred.abs()
            low, high = sizes.reshape(-1).quantile(torch.stack([q, 1 - q]))
            w.copy_(sizes.clamp(low, high) * centred.sign())
