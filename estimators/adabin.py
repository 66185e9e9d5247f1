"""
AdaBin: two levels for each filter and each layer's input, wherever they fit.

    forward    b = mean, s = deviation (of n, not n - 1) of a filter,
               w_eff = s sign((w - b)/s) + b;
               z = (x - β)/α,   a = α (sign(z) + β)
    backward   EDE for weights, f(z) = k tanh(t z), and through b and s;
               da/dz = α max(0, 2 - 2|z|), and through α and β
    rule       t: t_min → t_max, exp, once an epoch
    parameters α from 1 and β from 0, one of each for a layer's input
    recipe     CIFAR-10: 400 epochs, batch 128, SGD 0.1, decay 1e-4, cosine; Maxout after each sum

`offset: paper` is a = α sign(z) + β, which the paper is said to have and we have not checked; the
two agree at β = 0. `progressive: off` holds t at 0.1, as
the released code without its flag. α may cross 0, where z has a pole: `alpha_min` holds it above.
Maxout, the other half of the method, is of the network: `order: bn_maxout`.

Reference: Tu et al., ECCV 2022, arXiv:2208.08084, sec. 3, and its released code.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Clock,
    Field,
    Method,
    approx_sign,
    estimator,
    filter_deviation,
    filter_mean,
)


class AdaBin(Method):
    formula = "w_eff = s sign((w - b)/s) + b"
    kind = "method: adaptive levels"
    aux = "module"
    fixes = {"scale": "none", "standardize": "off"}
    uses: ClassVar[tuple[str, ...]] = ("ede",)

    t_min: Annotated[float, Field(gt=0)] = 1e-3
    t_max: Annotated[float, Field(gt=0)] = 10.0
    progressive: Literal["on", "off"] = "on"
    offset: Literal["code", "paper"] = "code"
    alpha_min: Annotated[float, Field(gt=0, lt=1)] | None = None

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        t_min, t_max = (self.t_min, self.t_max) if self.progressive == "on" else (0.1, 0.1)
        ede = estimator("ede", t_min=t_min, t_max=t_max)
        return TwoLevels(ede.binarizer("W", shape, clock, zero))

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Adaptive(self.offset, self.alpha_min, zero)


class TwoLevels(nn.Module):
    """The two levels that lie one deviation from a filter's mean."""

    def __init__(self, sign: nn.Module) -> None:
        super().__init__()
        self.sign = sign

    def forward(self, w: Tensor) -> Tensor:
        b, s = filter_mean(w), filter_deviation(w, correction=0)
        return s * self.sign((w - b) / s) + b


class Adaptive(nn.Module):
    """Two levels with a learned distance and middle."""

    def __init__(self, offset: str, alpha_min: float | None, zero: int) -> None:
        super().__init__()
        self.offset, self.alpha_min, self.zero = offset, alpha_min, zero
        self.alpha = nn.Parameter(torch.ones(1))
        self.beta = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha
        if self.alpha_min is not None:  # straight through: α that reached it can come back
            alpha = alpha + (alpha.clamp(min=self.alpha_min) - alpha).detach()
        signs = approx_sign((x - self.beta) / alpha, self.zero)
        if self.offset == "code":
            return alpha * (signs + self.beta)
        return alpha * signs + self.beta
