"""
SLB, searching for low-bit weights: the probability of each of two values, made sharper.

    forward    w_eff = Σ_v v p_v = tanh(w/T),   p = softmax(l/T) over v = -1, +1,   l = (-w, w)
               in evaluation the more probable value, sign(w), sign(0) = +1
               a = α round(clip(x, 0, α)/α), in {0, α}        (inputs: pact)
               a = sign(x)                                    (inputs: sign)
    backward   dL/dw = dL/dw_eff (1 - tanh²(w/T))/T
               dL/dx = dL/da where 0 < x < α,   dL/dα = Σ dL/da where x ≥ α       (pact)
               dL/dx = dL/da where |x| ≤ 1                                        (sign)
    rule       T: t_start → t_end, exp, once an epoch
    parameters α of each layer's input (pact)
    recipe     the README's command sharpens T by 1.03 an epoch; t_end is that of 400 epochs

One latent w stands for the two logits, which differ by 2w. In training the network is not binary.
`state_bn: on` is the state batch normalization: each training step also takes the product of
signs, and in evaluation that product is shifted and scaled, by channel, to mean and variance of the
trained one, for which a BatchNorm behind it keeps its statistics.

The training code is not published: PACT's formula is its own paper's, α's start, T's ends and the
momentum of 0.1 are our choice.

Reference: Yang et al., NeurIPS 2020, arXiv:2009.08695, and the README of its release; PACT: Choi et
al., 2018, arXiv:1805.06085.
"""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Any,
    BinaryConv2d,
    BinaryLayer,
    BinaryLinear,
    Clock,
    Field,
    Knob,
    Method,
    ScheduleName,
    Signs,
    clipped_sign,
    of_channels,
    sign,
    straight_through,
)


class Searched(nn.Module):
    """The mean of the two values in training, the more probable one in evaluation."""

    def __init__(self, method: "SLB", clock: Clock, after: "StateNorm | None") -> None:
        super().__init__()
        self.temperature, self.after = clock.dial((method, "T"), method.temperature), after

    def forward(self, w: Tensor) -> Tensor:
        return torch.tanh(w / self.temperature.value) if self.training else sign(w, 1)


class PACT(nn.Module):
    """0 or α, whichever is nearer; halfway it is 0."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(alpha))

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha + (self.alpha.clamp(min=1e-3) - self.alpha).detach()
        clipped = torch.where(x >= alpha, alpha, x.clamp(min=0))
        return straight_through((alpha * (clipped / alpha).round()).to(x.dtype), clipped)


class StateNorm(nn.Module):
    """Mean and variance of two products by channel; in evaluation it makes one the other."""

    trained: Tensor
    binary: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        start = torch.stack([torch.zeros(channels), torch.ones(channels)])
        self.register_buffer("trained", start)
        self.register_buffer("binary", start.clone())

    @torch.no_grad()
    def observe(self, trained: Tensor, binary: Tensor) -> None:
        """Learn from one batch of both products."""
        for kept, y in ((self.trained, trained), (self.binary, binary)):
            var, mean = torch.var_mean(y, (0, 2, 3) if y.ndim == 4 else tuple(range(y.ndim - 1)))
            kept.lerp_(torch.stack([mean, var]), 0.1)

    def forward(self, y: Tensor) -> Tensor:
        if self.training:
            return y
        (mean, var), (old_mean, old_var) = self.trained, self.binary
        factor = ((var + 1e-5) / (old_var + 1e-5)).sqrt()
        return (y - of_channels(old_mean, y)) * of_channels(factor, y) + of_channels(mean, y)


class _Stated(BinaryLayer):
    """Takes the product of signs, too, where there is a `StateNorm`."""

    def operate(self, x: Tensor, w: Tensor) -> Tensor:
        a = self.A(x)
        y = self.product(a, self.W(w))
        if self.training and isinstance(self.after, StateNorm):
            with torch.no_grad():
                self.after.observe(y, self.product(a, sign(w, 1)))
        return y


class StatedConv(_Stated, BinaryConv2d):
    """A convolution that does so."""


class StatedLinear(_Stated, BinaryLinear):
    """A linear map that does so."""


class SLB(Method):
    formula = "w_eff = tanh(w/T), sign(w) in evaluation"
    kind = "method: searched weights"
    aux = "module"
    conv = StatedConv
    linear = StatedLinear
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "standardize": "off"}
    shares = False  # moments of products are of a batch

    t_start: Annotated[float, Field(gt=0)] = 1.0
    t_end: Annotated[float, Field(gt=0)] = 7.3e-6  # 1.03^-400
    schedule: ScheduleName = "exp"
    inputs: Literal["pact", "sign"] = "pact"
    alpha: Annotated[float, Field(gt=0)] = 1.0
    state_bn: Literal["on", "off"] = "on"

    def temperature(self, p: float) -> float:
        """T at progress p."""
        return Knob("T", self.t_start, self.t_end, limits=(0, math.inf)).at(p, self.schedule)

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Searched(self, clock, StateNorm(shape[0]) if self.state_bn == "on" else None)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return PACT(self.alpha) if self.inputs == "pact" else Signs(clipped_sign, zero)
