"""
SQ, stochastic quantization: in each forward some filters stay real, most likely the worst ones.

    forward    q = E sign(w), sign(0) = +1, E = mean |w| of each filter             (weight_bits: 1)
               q = α t,  t = sign(w) where |w| > Δ, else 0,  Δ = 0.7 mean |w - mean w| of the layer,
               α = <t, w> / <t, t> of each filter                                   (weight_bits: 2)
               ⌊(1 - ratio/100) C_out⌋ filters are w, the others q
    draw       without replacement, with probability proportional to e = |w - q|₁ / |w|₁
    backward   dL/dw = dL/dw_eff
    stages     ratio 50, 75, 87.5, 100, each from the weights of the one before, at the first rate
    recipe     ImageNet: each stage 300k iterations of 100 images, SGD 0.05, divided by 10 at 100k,
               150k, 200k and 250k, decay 5e-5; all convolutions and the last layer are quantized

One bit is SQ-BWN, two are SQ-TWN; inputs are real. The released code draws at test, too, as long as
the ratio is below 100 (eval: draw); here a network is evaluated with all filters quantized, unless
told. `probability: uniform` draws all filters alike, `sigmoid` by 1/(1 + exp(-e)): our readings.

Reference: Dong et al., BMVC 2017, arXiv:1708.01001; Δ, the draw and the stages from its code.
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
    Role,
    Stage,
    binary_layers,
    filter_scale,
    layer_scale,
    over_filter,
    sign,
    straight_through,
)


class SQ(Method):
    formula = "w_eff = w or q(w), by filter"
    kind = "method: stochastic quantization"
    aux = "stages"

    weight_bits: Literal[1, 2] = 1
    ratio: Annotated[float, Field(ge=0, le=100)] = 100.0  # per cent of filters that are quantized
    choose: Literal["filter"] = "filter"
    probability: Literal["linear", "uniform", "sigmoid"] = "linear"
    eval: Literal["full", "draw"] = "full"

    def bits(self, role: Role) -> int:
        return self.weight_bits if role == "W" else 32

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Hybrid(self, shape)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return nn.Identity()

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Drawing(net, recipe)

    def stages(self) -> tuple[Stage, ...]:
        return tuple(Stage({"ratio": r}) for r in (50.0, 75.0, 87.5, 100.0))

    def quantized(self, w: Tensor) -> Tensor:
        """Return q, shaped like w."""
        if self.weight_bits == 1:
            return filter_scale(w) * sign(w, 1)
        t = sign(w) * (w.abs() > 0.7 * layer_scale(w - w.mean()))
        used = t.abs().sum(over_filter(w), keepdim=True).clamp(min=1)
        return t * (t * w).sum(over_filter(w), keepdim=True) / used

    def errors(self, w: Tensor) -> Tensor:
        """Return e of each filter, (C_out,); 0 where it is all zeros."""
        size = filter_scale(w)
        return (filter_scale(w - self.quantized(w)) / torch.where(size > 0, size, 1)).flatten()


def roulette(sizes: list[float], draws: list[float]) -> list[int]:
    """
    Draw without replacement, one for each of the draws in [0, 1).

    Each draw is a place on a wheel of what is left, in the order of indices. Where rounding, or a
    wheel without size, leaves a place beyond the end, nothing is drawn.
    """
    left, drawn = dict(enumerate(sizes)), list[int]()
    for u in draws:
        place = u * sum(left.values())
        for i, size in left.items():
            place -= size
            if place < 0:
                drawn.append(i)
                del left[i]
                break
    return drawn


class Hybrid(nn.Module):
    """Real and quantized filters."""

    real: Tensor  # (C_out, 1, ...): 1 where a filter is real

    def __init__(self, method: SQ, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.method = method
        self.count = int((100 - method.ratio) * shape[0] / 100 + 1e-9)
        self.coached = False  # a coach draws before each step: compiled code cannot
        none = torch.zeros(shape[0], *[1] * (len(shape) - 1))
        self.register_buffer("real", none, persistent=False)

    @torch.no_grad()
    def draw(self, w: Tensor) -> None:
        """Choose the filters that stay real, by torch's global generator."""
        sizes = self.method.errors(w)
        if self.method.probability != "linear":
            sizes = sizes.sigmoid() if self.method.probability == "sigmoid" else sizes * 0 + 1
        wheel: list[float] = sizes.tolist()  # pyright: ignore
        drawn = torch.rand(self.count, dtype=torch.float64)
        draws: list[float] = drawn.tolist()  # pyright: ignore
        chosen = torch.zeros(len(w))
        chosen[roulette(wheel, draws)] = 1
        self.real.copy_(chosen.reshape(self.real.shape))

    def forward(self, w: Tensor) -> Tensor:
        q = self.method.quantized(w.detach())
        if not self.count or not (self.training or self.method.eval == "draw"):
            return straight_through(q, w)
        if not (self.training and self.coached):
            self.draw(w)
        return straight_through(torch.where(self.real > 0, w.detach(), q), w)


class Drawing(Coach):
    """Draws before each step."""

    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        layers = [layer for _, layer in binary_layers(net)]
        self.drawing = [(m.W, m.weight) for m in layers if isinstance(m.W, Hybrid)]
        for module, _ in self.drawing:
            module.coached = True

    def before_step(self) -> None:
        for module, w in self.drawing:
            if module.count:
                module.draw(w)
