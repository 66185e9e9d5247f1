"""
DSQ, differentiable soft quantization, at one bit, with bounds that are learned.

    forward    y = u where z > m, else l,   m = (l + u)/2;  of weights and of inputs;
               m where z = m, unless sign0: 1
    backward   that of f(z) = l + Δ (φ + 1)/2,   φ = s tanh(k (z - m)),   z held to [l, u],
               Δ = u - l,  s = 1/(1 - α),  k = ln(2/α - 1)/Δ;   to z, and to α, l and u
    rule       first the network is trained in full precision, then it goes on from there
    parameters α in (0, 1/2), l and u, one of each for a layer's weights and one for its input
    recipe     as the other methods'; the paper's constants are not known to us

Where z lies beyond a bound, f is that bound, and so is its gradient. Weights start with their
extremes for bounds (`weight_bounds: observed`) or with the fields l and u, as inputs do. `learn:
alpha` trains α alone, `off` nothing; `start: scratch` leaves the first training out.

Reference: Gong et al., ICCV 2019, arXiv:1908.05033, eq. 3-10; alpha 0.2 is a re-implementation's,
a toolkit of the authors' group has 0.4, fixed.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Clock,
    Coach,
    Field,
    Method,
    Recipe,
    Stage,
    binary_layers,
    sign,
    straight_through,
)

LEAST = 1e-3  # of Δ, of α, and of 1/2 - α


class DSQFull(Method):
    formula = "f(z) = l + Δ (s tanh(k(z - m)) + 1)/2"
    kind = "method: learned levels"
    aux = "module, stages"
    fixes = {"scale": "none", "standardize": "off"}
    folds = frozenset({"A.alpha"})  # of the gradient alone

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    l: Annotated[float, Field(lt=0)] = -1.0  # noqa: E741 - the paper's letter
    u: Annotated[float, Field(gt=0)] = 1.0
    weight_bounds: Literal["observed", "fields"] = "observed"
    learn: Literal["all", "alpha", "off"] = "all"
    start: Literal["real", "scratch"] = "real"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Soft(self, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Soft(self, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        if self.weight_bounds == "observed":
            for _, layer in binary_layers(net):
                if isinstance(layer.W, Soft):
                    layer.W.observe(layer.weight)
        return Coach(recipe)

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(real=True), Stage()) if self.start == "real" else (Stage(),)


class Soft(nn.Module):
    """Two levels, and the soft step between them."""

    fresh: Tensor  # 0-d: are the bounds still those of the fields?

    def __init__(self, plugin: DSQFull, zero: int) -> None:
        super().__init__()
        self.zero = zero
        bounds, alpha = plugin.learn == "all", plugin.learn != "off"
        self.alpha = nn.Parameter(torch.tensor(plugin.alpha), requires_grad=alpha)
        self.l = nn.Parameter(torch.tensor(plugin.l), requires_grad=bounds)
        self.u = nn.Parameter(torch.tensor(plugin.u), requires_grad=bounds)
        self.register_buffer("fresh", torch.tensor(1))

    @torch.no_grad()
    def observe(self, z: Tensor) -> None:
        """Take z's extremes for bounds, once."""
        if self.fresh:
            self.l.copy_(z.min())
            self.u.copy_(z.max())
            self.fresh.zero_()

    def forward(self, z: Tensor) -> Tensor:
        alpha, delta = _held(self.alpha, LEAST, 0.5 - LEAST), _held(self.u - self.l, LEAST)
        middle, s, k = (self.l + self.u) / 2, 1 / (1 - alpha), torch.log(2 / alpha - 1) / delta
        inside = torch.where(z > self.u, self.u, torch.where(z < self.l, self.l, z))
        soft = self.l + delta * (s * torch.tanh(k * (inside - middle)) + 1) / 2
        hard = (middle + delta / 2 * sign(z - middle, self.zero)).detach()
        return straight_through(hard, soft)


def _held(x: Tensor, low: float, high: float | None = None) -> Tensor:
    """x between bounds; its gradient passes them, so that it can come back."""
    return x + (x.clamp(low, high) - x).detach()
