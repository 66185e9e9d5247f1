"""
ReBNN, resilient: latents are pulled to their binary weights, so that signs flip less often.

    forward    w_eff = 0.02 |s| sign(w),   a = sign(x + c)
    backward   dL/dw = |s| g + λ (w - w_eff),   g = dL/dw_eff;
               dL/d|s| = Σ g w - λ Σ (w - w_eff) 0.02 sign(w) of a filter;
               da/dx = da/dc = max(0, 2 - 2|x + c|)
    loss       -Σ softmax(teacher) log softmax(student), the mean of the batch
    parameters s, one for each filter, from N(0, 1);  c, one for each input channel, from 0
    recipe     ReActNet's second stage: Adam 1e-3, 256 epochs, no decay; its first has real weights,
               of which those of two and more dimensions decay

`scale_grad: exact` has 0.02 sign(w) for w in the first sum, as calculus would; `code` is released.
`lam: adaptive` is what λ was meant to be: of each filter the share of signs that its gradient of
the step before would flip, times that gradient's largest magnitude, kept in [1e-5, 2e-4], and for
each filter apart in our reading. Two bounds in the released code make it 2e-4 always: `fixed`.

Reference: Xu et al., AAAI 2023, arXiv:2302.00956, and its released code.
"""

from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.plugin import (
    Clock,
    Coach,
    Distilled,
    Method,
    Recipe,
    Role,
    Stage,
    binary_layers,
    estimator,
    over_filter,
    sign,
)

UNIT = 0.02  # of the scale


class ReBNN(Method):
    formula = "w_eff = 0.02 |s| sign(w)"
    kind = "method: resilient weights"
    aux = "module, teacher, stages"
    teacher: ClassVar[bool] = True
    uses = ("reactnet",)
    shares = False  # the pull is added to each gradient

    weights: Literal["binary", "real"] = "binary"
    scale_grad: Literal["code", "exact"] = "code"
    lam: Literal["fixed", "adaptive"] = "fixed"
    pull: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 2e-4

    def bits(self, role: Role) -> int:
        return 32 if role == "W" and self.weights == "real" else 1

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return nn.Identity() if self.weights == "real" else Resilient(shape, self, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return estimator("reactnet").binarizer("A", (channels,), clock, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        if self.weights == "real":
            return estimator("reactnet", weights="real").coach(net, clock, recipe)
        return Remembering(net, recipe)

    def stages(self) -> tuple[Stage, ...]:
        return (
            Stage({"weights": "real"}, weight_decay=1e-5),
            Stage({"weights": "binary"}, weight_decay=0.0),
        )


class Resilient(nn.Module):
    """Signs and 0.02 |s|, with the gradients above; knows the gradient of the step before."""

    signs = True
    previous: Tensor

    def __init__(self, shape: tuple[int, ...], method: ReBNN, zero: int) -> None:
        super().__init__()
        self.method, self.zero = method, zero
        self.s = nn.Parameter(torch.randn(shape[0], *(1,) * (len(shape) - 1)))
        if method.lam == "adaptive":
            self.register_buffer("previous", torch.zeros(shape), persistent=False)

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        lam = self.find_lam(w) if self.method.lam == "adaptive" else self.method.pull
        exact = self.method.scale_grad == "exact"
        signs, scale = _Pulled.apply(w, self.s, lam, exact, self.zero)  # pyright: ignore
        return signs, scale

    @torch.no_grad()
    def find_lam(self, w: Tensor) -> Tensor:
        """Return λ of each filter, (C_out, 1, ...)."""
        dims = over_filter(w)
        flipped = (w.sign() != (w - self.previous).sign()).to(w.dtype)
        share = flipped.mean(dims, keepdim=True)
        return (share * self.previous.abs().amax(dims, keepdim=True)).clamp(1e-5, self.method.pull)


class _Pulled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, w: Tensor, s: Tensor, lam: Tensor | float, exact: bool, zero: int
    ) -> tuple[Tensor, Tensor]:
        signs, scale = sign(w, zero), UNIT * s.abs()
        ctx.save_for_backward(w, s, lam if isinstance(lam, Tensor) else None)
        ctx.lam, ctx.exact, ctx.zero = lam, exact, zero
        return signs, scale

    @staticmethod
    def backward(ctx: Any, *dy: Tensor) -> tuple[Tensor | None, ...]:
        w, s, found = ctx.saved_tensors
        lam = ctx.lam if found is None else found
        signs, scale = sign(w, ctx.zero), UNIT * s.abs()
        g = dy[0] / torch.where(scale > 0, scale, 1)  # the product's gradient is the scale times it
        off = lam * (w - scale * signs)
        times = UNIT * signs if ctx.exact else w
        ds = (g * times - off * UNIT * signs).sum(over_filter(w), keepdim=True)
        return s.abs() * g + off, ds * s.sign(), None, None, None


class Remembering(Distilled):
    """What the teacher says; and each layer is told its gradient, for the next step."""

    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        layers = [layer for _, layer in binary_layers(net)]
        self.layers = [layer for layer in layers if hasattr(layer.W, "previous")]

    @torch.no_grad()
    def after_backward(self) -> None:
        for layer in self.layers:
            if layer.weight.grad is not None:
                layer.W.get_buffer("previous").copy_(layer.weight.grad)
