"""
ProxQuant: the network trains with real weights, which a proximal step draws to -1 and 1.

    forward    w_eff = w in training, Q(w) in evaluation:
               sign(w)                                                              (weight_bits: 1)
               m₊ where w > Δ, m₋ where w < -Δ, else 0; Δ = 0.7 mean |w| of the layer, m₊ and m₋ the
               means of those w                                                     (weight_bits: 2)
    backward   dL/dw = dL/dw_eff
    rule       after each step, with λ = strength · lr · epoch of the epoch's rate,
               w ← sign(w) (1 + sign(|w| - 1) [||w| - 1| - λ]₊), clipped to [-1, 1]
               w ← (w + λ Q(w)) / (1 + λ)                                           (weight_bits: 2)
               from epoch freeze · E, counted from 0, w is Q(w) and only the rest trains
    stages     a real network, then this from its weights
    recipe     Adam 0.01 throughout, no decay, 300 epochs (two bits: 600); first and last layer are
               binary, not ternary; the real network: SGD 0.1, 200 epochs

`rate: first` has the first rate in λ at all epochs. A weight that is exactly 0 stays there, as the
released code's does.

Reference: Bai, Wang and Liberty, ICLR 2019, arXiv:1810.00861; constants from its released code.
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
    layer_scale,
    sign,
)


class ProxQuant(Method):
    formula = "w ← prox(w) after each step"
    kind = "method: proximal steps"
    aux = "rule, stages"

    weight_bits: Literal[1, 2] = 1
    strength: Annotated[float, Field(ge=0)] = 1e-4
    rate: Literal["current", "first"] = "current"
    freeze: Annotated[float, Field(ge=0, le=1)] = 2 / 3  # of all epochs

    def bits(self, role: Role) -> int:
        return self.weight_bits if role == "W" else 32

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Evaluated(self, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return nn.Identity()

    def stages(self) -> tuple[Stage, ...]:
        return Stage(real=True), Stage()

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Proximal(self, net, recipe)

    def quantized(self, w: Tensor, zero: int = 0) -> Tensor:
        """Return Q(w), shaped like w."""
        if self.weight_bits == 1:
            return sign(w, zero)
        least = 0.7 * layer_scale(w)
        parts = [w * (w > least), w * (w < -least)]
        used = [part.ne(0).to(w.dtype) for part in parts]
        return sum(
            (u * part.sum() / u.sum().clamp(min=1) for u, part in zip(used, parts, strict=True)),
            torch.zeros_like(w),
        )

    def prox(self, w: Tensor, strength: float) -> Tensor:
        """Return w after a proximal step of this λ, shaped like w."""
        if self.weight_bits == 2:
            return (w + strength * self.quantized(w)) / (1 + strength)
        off = w.abs() - 1
        return (sign(w) * (1 + sign(off) * (off.abs() - strength).relu())).clamp(-1, 1)


class Evaluated(nn.Module):
    """w in training, Q(w) in evaluation."""

    def __init__(self, method: ProxQuant, zero: int) -> None:
        super().__init__()
        self.method, self.zero = method, zero

    def forward(self, w: Tensor) -> Tensor:
        return w if self.training else self.method.quantized(w, self.zero)


class Proximal(Coach):
    """The step, until weights freeze; then what they froze at."""

    frozen: Tensor

    def __init__(self, method: ProxQuant, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.method = method
        layers = [layer for _, layer in binary_layers(net)]
        self.weights = [m.weight for m in layers if isinstance(m.W, Evaluated)]
        self.register_buffer("frozen", torch.zeros((), dtype=torch.int64))
        self.strength, self.held = 0.0, False
        for i, w in enumerate(self.weights):
            self.register_buffer(f"held_{i}", torch.zeros_like(w))

    @torch.no_grad()
    def begin_epoch(self, epoch: int, lr: float) -> None:
        rate = lr if self.method.rate == "current" else self.recipe.lr
        self.strength = self.method.strength * rate * epoch
        self.held = epoch + 1e-9 >= self.method.freeze * self.recipe.epochs  # 0.55 · 20 > 11
        if self.held and not self.frozen:
            self.frozen.fill_(1)
            for i, w in enumerate(self.weights):
                self.get_buffer(f"held_{i}").copy_(w.copy_(self.method.quantized(w)))

    def after_backward(self) -> None:
        for w in self.weights:
            if self.held and w.grad is not None:
                w.grad.zero_()

    @torch.no_grad()
    def after_step(self) -> None:
        for i, w in enumerate(self.weights):
            held = self.get_buffer(f"held_{i}") if self.held else None
            w.copy_(self.method.prox(w, self.strength) if held is None else held)
