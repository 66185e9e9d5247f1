"""
SD-BNN, self-distribution: learned shifts of weights and inputs before sign.

    forward    w_eff = sign(w + c σ(α) mean),   mean of the filter, c = 0.01
               a = sign(x + s),   s = σ(F2 relu(F1 m)) by channel, m the mean of x over the image
    backward   EDE for both signs, f(z) = k tanh(t z), k = max(1/t, 1); the filter's mean is a
               constant, s is not
    rule       t: t_min → t_max, exp, once an epoch
    parameters α of each filter (0); F1 (C/reduction, C) and F2 (C, C/reduction) of each layer
    recipe     not read; t from 1e-1 to 1e1, as `ede` has it, is our choice

σ is the logistic function. The shift of inputs, a squeeze-and-excitation, is computed at inference,
too. Layers with less than `reduction` channels have one hidden unit. Of a linear map's input
(N, ..., C) the mean is over all between, and the shift its own at each of the C.

Reference: Xue et al., SD-BNN, 2021, and its released code for CIFAR-10.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Any,
    Clock,
    Estimator,
    Field,
    Method,
    estimator,
    filter_mean,
)


class SDBNN(Method):
    formula = "w_eff = sign(w + c σ(α) mean), a = sign(x + s(x))"
    kind = "method: learned shifts"
    aux = "module"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "standardize": "off"}
    uses: ClassVar[tuple[str, ...]] = ("ede",)

    t_min: Annotated[float, Field(gt=0)] = 0.1
    t_max: Annotated[float, Field(gt=0)] = 10.0
    share: Annotated[float, Field(ge=0)] = 0.01  # c
    reduction: Annotated[int, Field(ge=1)] = 16

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return ShiftedWeights(self._ede().binarizer("W", shape, clock, zero), shape, self.share)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        sign = self._ede().binarizer("A", (channels,), clock, zero)
        return ShiftedInputs(sign, channels, max(channels // self.reduction, 1))

    def _ede(self) -> Estimator:
        return estimator("ede", t_min=self.t_min, t_max=self.t_max)


class ShiftedWeights(nn.Module):
    """Signs of weights that a part of their filter's mean was added to."""

    signs = True

    def __init__(self, sign: nn.Module, shape: tuple[int, ...], share: float) -> None:
        super().__init__()
        self.sign, self.share = sign, share
        self.alpha = nn.Parameter(torch.zeros(shape[0]))

    def forward(self, w: Tensor) -> Tensor:
        part = self.share * self.alpha.sigmoid().reshape(-1, *[1] * (w.ndim - 1))
        signs: Tensor = self.sign(w + part * filter_mean(w).detach())
        return signs


class ShiftedInputs(nn.Module):
    """Signs of inputs that a shift of each channel, made of the image, was added to."""

    signs = True

    def __init__(self, sign: nn.Module, channels: int, hidden: int) -> None:
        super().__init__()
        self.sign = sign
        self.F1 = nn.Linear(channels, hidden, bias=False)
        self.F2 = nn.Linear(hidden, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = (2, 3) if x.ndim == 4 else tuple(range(1, x.ndim - 1))
        mean = x.mean(inner) if inner else x
        shift = self.F2(self.F1(mean).relu()).sigmoid()
        signs: Tensor = self.sign(x + shift.reshape(self._meeting(x)))
        return signs

    def _meeting(self, x: Tensor) -> tuple[int, ...]:
        """The shape by which (N, C) meets x."""
        n, c = x.shape[0], x.shape[1 if x.ndim == 4 else -1]
        return (n, c, 1, 1) if x.ndim == 4 else (n, *[1] * (x.ndim - 2), c)
