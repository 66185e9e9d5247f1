"""
IE-Net: one weight, two products, of inputs that are shifted before their signs are taken.

    forward    w_eff = sign((w - mean)/√(var + 1e-5)) by filter;
               a_i = sign(x + s_i),  i = 1, 2;   y = α (a_1 * w_eff) + c α (a_2 * w_eff)
    backward   IE-Net's polynomial for all signs, f'(z) = max(0, k (√3 t - 1.5 t² |z|)); in training
               inputs are divided by √(var + 1e-5) of the shifted image, and the gradient goes
               through that
    rule       t: t_min → t_max, exp; activations use max(t, 1)
    parameters α, one for each filter; s_1, s_2 from 0, one of each for an input channel; c, one for
               each output channel, from U(0, 0.001)
    recipe     CIFAR-10: 400 epochs, batch 128, SGD 0.1, decay 1e-4

Twice the binary products of other methods; `products: 1` has no shifts and no second one. α
starts at 1/(2√n), the expected mean |w| of a layer as torch makes it, where the release has that
mean itself.

Reference: Ding, Liu and Zhou, Electronics 11(6), 937, 2022, and its released code.
"""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Alpha,
    Annotated,
    BinaryConv2d,
    BinaryLayer,
    BinaryLinear,
    Clock,
    Field,
    Method,
    estimator,
    expected_scale,
    image_deviation,
    of_channels,
    standardized,
)


class Twice(BinaryLayer):
    """y = a_1 * w + c (a_2 * w); with a real input, or another method's, it is one product."""

    def binarize(self, binarizer: Any, options: Any) -> None:
        super().binarize(binarizer, options)
        twice = isinstance(self.A, Shifted) and self.A.s2 is not None
        start: Tensor | None = getattr(self.W, "second", None)
        self.c = nn.Parameter(start) if twice and start is not None else None

    def operate(self, x: Tensor, w: Tensor) -> Tensor:
        binary = self.W(w)
        y = self.scaled_product(self.A(x), binary)
        if self.c is None:
            return y
        return y + of_channels(self.c, y) * self.scaled_product(self.A(x, second=True), binary)


class TwiceConv2d(Twice, BinaryConv2d): ...


class TwiceLinear(Twice, BinaryLinear): ...


class IENet(Method):
    formula = "y = α (sign(x + s_1) * w_eff + c sign(x + s_2) * w_eff)"
    kind = "method: two shifted inputs"
    aux = "module, second product"
    fixes = {"scale": "none", "standardize": "off"}
    folds = frozenset({"W.after.alpha"})
    conv: ClassVar[type[BinaryConv2d]] = TwiceConv2d
    linear: ClassVar[type[BinaryLinear]] = TwiceLinear
    uses: ClassVar[tuple[str, ...]] = ("ie_net_poly",)

    t_min: Annotated[float, Field(gt=0)] = 0.01
    t_max: Annotated[float, Field(gt=0)] = 10.0
    products: Literal[1, 2] = 2

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        polynomial = estimator("ie_net_poly", t_min=self.t_min, t_max=self.t_max)
        return Standardized(polynomial.binarizer("W", shape, clock, zero), shape)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        polynomial = estimator("ie_net_poly", t_min=self.t_min, t_max=self.t_max)
        return Shifted(polynomial.binarizer("A", (channels,), clock, zero), channels, self.products)


class Standardized(nn.Module):
    """The signs of standardized weights."""

    signs = True

    def __init__(self, sign: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.sign = sign
        self.after = Alpha(expected_scale(shape))
        self.second = 0.001 * torch.rand(shape[0])  # what c starts from

    def forward(self, w: Tensor) -> Tensor:
        return self.sign(standardized(w, 1e-5))


class Shifted(nn.Module):
    """The signs of the input, shifted in one of two ways; the division moves no sign."""

    signs = True

    def __init__(self, sign: nn.Module, channels: int, products: int) -> None:
        super().__init__()
        self.sign = sign
        self.s1 = nn.Parameter(torch.zeros(channels)) if products == 2 else None
        self.s2 = nn.Parameter(torch.zeros(channels)) if products == 2 else None

    def forward(self, x: Tensor, second: bool = False) -> Tensor:
        shift = self.s2 if second else self.s1
        x = x if shift is None else x + of_channels(shift, x)
        return self.sign(x / image_deviation(x, 1e-5) if self.training else x)
