"""
RBONN, recurrent bilinear: filters of small scale take back part of their last step.

    forward    v = w - u h of the filters that backtrack, else w, in training;
               w_eff = 0.02 |s| sign(v),   a = sign(x + c);   h = dL/dw of the step before
    backward   dL/dv = |s| g + λ (v - w_eff),   g = dL/dw_eff,   λ = 1e-4;   dv/dw = 1;
               dL/d|s| = Σ g v - λ Σ (v - w_eff) 0.02 sign(v) of a filter;
               da/dx = da/dc = max(0, 2 - 2|x + c|)
    loss       -Σ softmax(teacher) log softmax(student), the mean of the batch
    parameters s from N(0, 1) and u from 0.2, one for each filter;  c, one for each input channel,
               from 0
    recipe     ReActNet's second stage: Adam 1e-3, 256 epochs, no decay; its first has real weights,
               of which those of two and more dimensions decay

`backtrack: rank` are the m = C_out (1 - threshold) filters of least |s|. The released code looks at
the sorting index where the rank should be: filter j backtracks if the j-th least |s| is that of one
of the first m filters (`code`). Both are as many.
`scale_grad: exact` has 0.02 sign(v) for v in the first sum, as calculus would.

Reference: Xu et al., ECCV 2022, arXiv:2209.01542, and its released code.
"""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.plugin import Clock, Coach, Method, Recipe, Role, Stage, estimator


class RBONN(Method):
    formula = "w_eff = 0.02 |s| sign(w - uh)"
    kind = "method: recurrent weights"
    aux = "module, teacher, stages"
    teacher: ClassVar[bool] = True
    uses = ("rebnn",)

    weights: Literal["binary", "real"] = "binary"
    scale_grad: Literal["code", "exact"] = "code"
    backtrack: Literal["code", "rank"] = "code"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.6
    pull: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-4

    def bits(self, role: Role) -> int:
        return 32 if role == "W" and self.weights == "real" else 1

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        if self.weights == "real":
            return nn.Identity()
        pulled = self._rebnn().binarizer("W", shape, clock, zero)
        return Recurrent(shape, pulled, self)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return self._rebnn().binarizer("A", (channels,), clock, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return self._rebnn().coach(net, clock, recipe)

    def stages(self) -> tuple[Stage, ...]:
        return self._rebnn().stages()

    def _rebnn(self) -> Method:
        built = estimator("rebnn", weights=self.weights, scale_grad=self.scale_grad, pull=self.pull)
        assert isinstance(built, Method)
        return built


class Recurrent(nn.Module):
    """Signs and 0.02 |s| of the latents, less part of the gradient of the step before."""

    signs = True
    previous: Tensor

    def __init__(self, shape: tuple[int, ...], pulled: nn.Module, method: RBONN) -> None:
        super().__init__()
        self.pulled, self.method = pulled, method
        self.least = int(shape[0] * (1 - method.threshold))
        self.u = nn.Parameter(torch.full((shape[0], *(1,) * (len(shape) - 1)), 0.2))
        self.register_buffer("previous", torch.zeros(shape), persistent=False)

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training:
            return self.pulled(w)
        return self.pulled(w - self.u * (self.previous * self.find_backtracking(w)))

    @torch.no_grad()
    def find_backtracking(self, w: Tensor) -> Tensor:
        """Return 1 for each filter that backtracks, else 0: (C_out, 1, ...) and of w's dtype."""
        scales = self.pulled.get_parameter("s").abs().reshape(-1)
        index = scales.argsort(dim=0, stable=True)
        place = index if self.method.backtrack == "code" else index.argsort()
        return (place < self.least).to(w.dtype).reshape(self.u.shape)
