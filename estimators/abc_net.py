"""
ABC-Net: weights and inputs are sums of several binary ones.

    forward    W ≈ Σ α_m B_m,   B_m = sign(w - mean + u_m std), sign(0) = +1,   m = 1..M
               u_m = -1 + 2(m - 1)/(M - 1), and 0 where M = 1;   α least squares of w, no gradient
               A ≈ Σ β_n H_n,   H_n = sign(clip(x + v_n, 0, 1) - 1/2),   n = 1..N
               y = Σ α_m β_n (H_n * B_m): M N binary products
    backward   dL/dw = Σ α_m g 1[|w - mean + u_m std| ≤ 1],   g = dL/dw_eff   (ste: clip)
               dL/dx = Σ β_n dL/dA 1[0 ≤ x + v_n ≤ 1], and the same, summed, for each v_n
    parameters β_n from 1, v_n from `spread` u_n, of each layer

Mean and population deviation are of the layer, without gradient. M is `weight_bits` and N is
`input_bits`. No source was read for two things, whose defaults are ours: the weights' clip, which
`ste: identity` leaves out, and `spread`.

Reference: Lin, Zhao and Pan, NeurIPS 2017, arXiv:1711.11294; the bases from a third party's code.
"""

from functools import reduce
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
    Method,
    clipped_sign,
    least_squares,
    sign_with,
    ste_sign,
    upto,
)

Count = Annotated[int, Field(ge=1, le=8)]


def spaced(count: int) -> list[float]:
    """From -1 to 1 in equal steps; one alone is 0."""
    return [-1 + 2 * i / (count - 1) for i in range(count)] if count > 1 else [0.0]


class Bases(nn.Module):
    """The M binary weights and their α."""

    def __init__(self, count: int, ste: str) -> None:
        super().__init__()
        self.shifts = spaced(count)
        self.crossing = clipped_sign if ste == "clip" else ste_sign

    def parts(self, w: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Every (B_m, α_m): signs shaped like w, and (1, ...)."""
        mean, std = w.detach().mean(), w.detach().std(correction=0)
        bases = [self.crossing(w - mean + u * std, 1) for u in self.shifts]
        with torch.no_grad():
            b, n = torch.stack([x.reshape(-1) for x in bases]), w.numel()
            alpha = least_squares(b @ b.T / n, b @ w.reshape(-1) / n)
        shape = [1] * w.ndim
        return [(x, alpha[m].reshape(shape)) for m, x in enumerate(bases)]

    def forward(self, w: Tensor) -> Tensor:
        return reduce(torch.add, [x * alpha for x, alpha in self.parts(w)])


class Shifts(nn.Module):
    """The N binary inputs and their β."""

    def __init__(self, count: int, spread: float, zero: int) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(count))
        self.v = nn.Parameter(spread * torch.tensor(spaced(count)))
        self.zero = zero

    def parts(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Every (H_n, β_n): signs shaped like x, and 0-d."""
        return [
            (sign_with(x + v - 0.5, lambda z: upto(z.abs(), 0.5), self.zero), beta)
            for v, beta in zip(self.v, self.beta, strict=True)
        ]

    def forward(self, x: Tensor) -> Tensor:
        return reduce(torch.add, [h * beta for h, beta in self.parts(x)])


class Several(BinaryLayer):
    """A layer of M N products."""

    def binarize(self, binarizer: Any, options: Any) -> None:
        super().binarize(binarizer, options)
        signs = isinstance(self.A, Shifts) or getattr(self.A, "signs", False)
        self.whole = signs and isinstance(self.W, Bases)

    def operate(self, x: Tensor, w: Tensor) -> Tensor:
        if not isinstance(self.W, Bases):
            return super().operate(x, w)
        inputs = self.A.parts(x) if isinstance(self.A, Shifts) else [(self.A(x), 1)]
        weights = self.W.parts(w)
        products = [beta * self.product(h, b, alpha) for h, beta in inputs for b, alpha in weights]
        return reduce(torch.add, products)


class SeveralConv2d(Several, BinaryConv2d):
    """A convolution of M N products."""


class SeveralLinear(Several, BinaryLinear):
    """A linear map of M N products."""


class ABCNet(Method):
    formula = "W ≈ Σ α_m B_m, A ≈ Σ β_n H_n"
    kind = "method: sums of binary bases"
    aux = "module"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "padding": 0}
    conv, linear = SeveralConv2d, SeveralLinear

    weight_bits: Count = 1  # M
    input_bits: Count = 1  # N
    ste: Literal["clip", "identity"] = "clip"
    spread: float = 1.0

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Bases(self.weight_bits, self.ste)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Shifts(self.input_bits, self.spread, zero)
