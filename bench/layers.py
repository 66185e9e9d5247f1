"""Binary layers: real latent weights W, binarized together with the input A."""

from collections.abc import Callable
from typing import TypeAlias

import torch.nn.functional as F
from torch import Tensor, nn

from bench.binary import tap
from bench.cell import Binarization, Role

MakeBinarizer: TypeAlias = Callable[[Role, tuple[int, ...]], nn.Module]


class BinaryConv2d(nn.Conv2d):
    """
    Convolution of a binarized input with binarized weights, no bias.

    y = scale(w) · conv(A(x), W(w)), where A and W are binarizers. Shapes: x (N, C_in, H, W),
    w (C_out, C_in, k, k), y (N, C_out, H', W').
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int,
        binarizer: MakeBinarizer,
        options: Binarization,
    ) -> None:
        super().__init__(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False)
        self.W = binarizer("W", tuple(self.weight.shape))
        self.A = binarizer("A", (c_in,))
        self.options = options
        self.tap: Tensor | None = None  # (2,), set by who wants the gradient's statistics

    def forward(self, input: Tensor) -> Tensor:
        x = input if self.tap is None else tap(input, self.tap)
        w, a = latent(self.weight, self.options), self.A(x)
        padding = self.padding
        if self.options.padding != 0 and not isinstance(self.A, nn.Identity):
            k = self.kernel_size[0] // 2
            a, padding = F.pad(a, (k, k, k, k), value=self.options.padding), 0
        scale = magnitude(self.weight, self.options)
        if self.options.scale_at == "pre" and self.options.scale != "none":
            return F.conv2d(a, self.W(w) * scale, None, self.stride, padding)
        y = F.conv2d(a, self.W(w), None, self.stride, padding)
        return y if self.options.scale == "none" else y * scale.view(-1, 1, 1)


def latent(w: Tensor, options: Binarization) -> Tensor:
    """What sign sees of the weights: raw, or standardized per filter (unbiased deviation)."""
    if options.standardize == "off":
        return w
    dims = tuple(range(1, w.ndim))
    deviation = w.std(dims, keepdim=True).clamp(min=1e-12)  # a constant filter stays finite
    return (w - w.mean(dims, keepdim=True)) / deviation


def magnitude(w: Tensor, options: Binarization) -> Tensor:
    """The real scale of a binary weight: mean |w|, shaped (1,...) or (C_out, 1,...)."""
    if options.scale_grad == "off":
        w = w.detach()
    first = 0 if options.scale == "layer" else 1
    return w.abs().mean(tuple(range(first, w.ndim)), keepdim=True)


class Layers:
    """
    The layers of one cell: a backbone asks this for every layer that may be binary.

    `real` is true for a full-precision cell, whose layers are the ordinary ones.
    """

    def __init__(self, binarizer: MakeBinarizer | None, options: Binarization) -> None:
        self.binarizer = binarizer
        self.options = options

    @property
    def real(self) -> bool:
        return self.binarizer is None

    def conv(self, c_in: int, c_out: int, kernel: int, *, stride: int = 1) -> nn.Conv2d:
        """Convolution without bias, padded by kernel // 2."""
        if self.binarizer is None:
            return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False)
        return BinaryConv2d(
            c_in, c_out, kernel, stride=stride, binarizer=self.binarizer, options=self.options
        )
