"""
FDA-BNN: the Fourier estimator, and a module that learns what its gradient lacks.

    forward    w_eff = E (sign(w) + α e(w)),   E = mean |w| of each filter, no gradient;
               a = sign(x) + α e(x);   e(z) = W2 relu(W1 z) + 0.1 sin z,
               where z is a filter (n weights), or a pixel (C_in channels)
    backward   FDA for both signs, and through e; w_eff's gradient is multiplied by E
    rule       α = (1 + cos(π (e + 1)/E))/20 in epoch e of E: nearly 0.1, exactly 0 in the last;
               n: n_start → n_end, linear, rounded down
    parameters W1 (d/64, d), W2 (d, d/64) of each layer's weights and input, rounded down; where
               that is 0, e is the sine alone
    recipe     CIFAR-10: 400 epochs, batch 128, SGD 0.1, decay 1e-4, cosine

While α > 0 neither weights nor inputs are binary, in evaluation, too; `eval_alpha: 0` evaluates
with signs alone. After training nothing of e is left. `module: off` is the estimator without e. In
the paper sign(0) = -1 and inputs are never clipped (`clip: .inf`); ω = 0.1 is BiBench's.

Reference: Xu et al., NeurIPS 2021, arXiv:2103.00841, eq. 5-7 of f; ω and clip are BiBench's
(arXiv:2301.11233).
"""

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Clock,
    Coach,
    Field,
    Method,
    Recipe,
    Role,
    binary_layers,
    estimator,
    filter_scale,
)


class FDAFull(Method):
    formula = "a = sign(x) + α e(x)"
    kind = "method: noise adaptation"
    aux = "module"
    fixes = {"scale": "none", "standardize": "off"}
    folds = frozenset({"A.noise.W1", "A.noise.W2"})
    uses: ClassVar[tuple[str, ...]] = ("fda",)

    omega: Annotated[float, Field(gt=0)] = 0.1
    n_start: Annotated[int, Field(ge=0, le=1000)] = 9
    n_end: Annotated[int, Field(ge=0, le=1000)] = 18
    clip: Annotated[float, Field(gt=0)] = 1.0
    module: Literal["on", "off"] = "on"
    reduction: Annotated[int, Field(ge=1)] = 64
    eval_alpha: Literal["own", "0"] = "own"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return NoisyFilters(*self._parts("W", shape, math.prod(shape[1:]), clock, zero))

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return NoisyPixels(*self._parts("A", (channels,), channels, clock, zero))

    def _parts(
        self, role: Role, shape: tuple[int, ...], d: int, clock: Clock, zero: int
    ) -> tuple[nn.Module, "Noise | None", bool]:
        """The signs, e for vectors of d values, and whether evaluation has it, too."""
        fields = self.model_dump(include={"omega", "n_start", "n_end", "clip"})
        sign = estimator("fda", **fields).binarizer(role, shape, clock, zero)
        noise = Noise(d, d // self.reduction) if self.module == "on" else None
        return sign, noise, self.eval_alpha == "own"

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Fading(net, recipe)


class Noise(nn.Module):
    """e(z) = W2 relu(W1 z) + 0.1 sin z, for z (..., d)."""

    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        self.W1 = _uniform(width, d) if width else None
        self.W2 = _uniform(d, width) if width else None

    def forward(self, z: Tensor) -> Tensor:
        sine = 0.1 * z.sin()
        if self.W1 is None or self.W2 is None:
            return sine
        return F.linear(F.linear(z, self.W1).relu(), self.W2) + sine


def _uniform(rows: int, columns: int) -> nn.Parameter:
    """From ±1/√columns, as torch begins a linear map; not one, which a network would initialize."""
    return nn.Parameter((2 * torch.rand(rows, columns) - 1) / columns**0.5)


class Noisy(nn.Module):
    """Signs, and α times the noise of what they are of."""

    alpha: Tensor  # 0-d

    def __init__(self, sign: nn.Module, noise: Noise | None, evaluated: bool) -> None:
        super().__init__()
        self.sign, self.noise, self.evaluated = sign, noise, evaluated
        self.register_buffer("alpha", torch.tensor(0.1))

    @property
    def noisy(self) -> bool:
        """Is there noise in this forward pass?"""
        return self.noise is not None and (self.training or self.evaluated)

    def add(self, signs: Tensor, vectors: Tensor) -> Tensor:
        """The sum, shaped like both."""
        return signs if self.noise is None else signs + self.alpha * self.noise(vectors)


class NoisyFilters(Noisy):
    """Of filters, with their scale E."""

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        signs = self.sign(w)
        if self.noisy:
            signs = self.add(signs.flatten(1), w.flatten(1)).reshape(w.shape)
        return signs, filter_scale(w.detach())


class NoisyPixels(Noisy):
    """Of pixels: what all channels have at one place."""

    def forward(self, x: Tensor) -> Tensor:
        signs = self.sign(x)
        if not self.noisy:
            return signs
        channel = 1 if x.ndim == 4 else -1
        return self.add(signs.movedim(channel, -1), x.movedim(channel, -1)).movedim(-1, channel)


class Fading(Coach):
    """Sets α before each epoch."""

    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        found = [module for _, layer in binary_layers(net) for module in (layer.W, layer.A)]
        self.noisy = [module for module in found if isinstance(module, Noisy)]

    def begin_epoch(self, epoch: int, lr: float) -> None:
        alpha = (1 + math.cos(math.pi * (epoch + 1) / self.recipe.epochs)) / 20
        for module in self.noisy:
            module.alpha.fill_(alpha)
