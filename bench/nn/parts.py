"""
What several methods are made of: signs with their gradients, statistics of filters, scales.

A filter is one output channel, n = C_in k k weights. Weights have the shape (C_out, C_in, k, k), or
(C_out, C_in) in a linear map; both work everywhere here.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from bench.nn.sign import cross, upto

ScaleGrad: TypeAlias = Literal["none", "factor", "full"]  # what `scaled_signs` says


def sign_with(z: Tensor, slope: Callable[[Tensor], Tensor], zero: int = 0) -> Tensor:
    """Return sign(z), in {-1, `zero`, +1}, whose gradient is multiplied by slope(z)."""
    return cross(z, z.new_zeros(()), lambda z, _: slope(z), zero)


def ste_sign(z: Tensor, zero: int = 0) -> Tensor:
    """Return sign(z), whose gradient passes as it is."""
    return sign_with(z, torch.ones_like, zero)


def clipped_sign(z: Tensor, zero: int = 0) -> Tensor:
    """Return sign(z), whose gradient passes where |z| ≤ 1."""
    return sign_with(z, lambda z: upto(z.abs(), 1), zero)


def open_clipped_sign(z: Tensor, zero: int = 0) -> Tensor:
    """Return sign(z), whose gradient passes where |z| < 1."""
    return sign_with(z, lambda z: 1 - upto(-z.abs(), -1), zero)


def approx_sign(z: Tensor, zero: int = 0) -> Tensor:
    """Return sign(z) with the slope max(0, 2 - 2|z|): ApproxSign, Bi-Real Net, eq. 6."""
    return sign_with(z, lambda z: (2 - 2 * z.abs()).clamp(min=0), zero)


def straight_through(value: Tensor, z: Tensor) -> Tensor:
    """Return `value`; its gradient goes to z as it is, and to nothing else. Shapes are equal."""
    passed: Tensor = _StraightThrough.apply(value, z)  # pyright: ignore[reportAssignmentType]
    return passed


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, z: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *dy: Tensor) -> tuple[None, Tensor]:
        return None, dy[0]


def without_factor(signs: Tensor, scale: Tensor) -> Tensor:
    """
    Return `signs` for a layer that multiplies by `scale`, so that w_eff's gradient reaches them.

    The layer's product is scale · signs, whose gradient to signs is scale times dL/dw_eff; here it
    is divided by the scale again. Where the scale is 0 they are zeros, and nothing is divided.

    Args:
        signs: (C_out, ...).
        scale: (1 or C_out, 1, ...), not negative.
    """
    free: Tensor = _WithoutFactor.apply(signs, scale)  # pyright: ignore[reportAssignmentType]
    return free


class _WithoutFactor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, signs: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(scale)
        return signs * (scale > 0)

    @staticmethod
    def backward(ctx: Any, *dy: Tensor) -> tuple[Tensor, None]:
        (scale,) = ctx.saved_tensors
        return dy[0] / torch.where(scale > 0, scale, 1), None


def scaled_signs(signs: Tensor, scale: Tensor, grad: ScaleGrad) -> tuple[Tensor, Tensor]:
    """
    Return (signs, scale), as a weight binarizer does, whose gradient is one of three.

    With g = dL/dw_eff, w_eff = scale · sign(w), and s for the slope that sign has, dL/dw is

        none      s g
        factor    s g scale
        full      s g scale + Σ g sign(w) dscale/dw

    With `none` a filter whose scale is 0 is zeros times 1, so that it gets its gradient, too.

    Args:
        signs: (C_out, ...), with their slope.
        scale: (1 or C_out, 1, ...), not negative, attached to w.
        grad: which of them.
    """
    if grad == "full":
        return signs, scale
    scale = scale.detach()
    if grad == "factor":
        return signs, scale
    return without_factor(signs, scale), torch.where(scale > 0, scale, 1)


class Signs(nn.Module):
    """
    The binarizer that is a sign and its slope, nothing else.

    Args:
        crossing: `ste_sign`, `clipped_sign`, `approx_sign`, or another of their kind.
        zero: the value of sign(0), 0 or 1.
    """

    signs = True

    def __init__(self, crossing: Callable[[Tensor, int], Tensor], zero: int) -> None:
        super().__init__()
        self.crossing = crossing
        self.zero = zero

    def forward(self, z: Tensor) -> Tensor:
        return self.crossing(z, self.zero)


def over_filter(w: Tensor) -> tuple[int, ...]:
    """Return the dimensions of a filter's weights: all but the first."""
    return tuple(range(1, w.ndim))


def filter_mean(w: Tensor) -> Tensor:
    """Return the mean of each filter, (C_out, 1, ...)."""
    return w.mean(over_filter(w), keepdim=True)


def filter_scale(w: Tensor) -> Tensor:
    """Return E, mean |w| of each filter, (C_out, 1, ...)."""
    return filter_mean(w.abs())


def layer_scale(w: Tensor) -> Tensor:
    """Return E, mean |w| of the layer, (1, 1, ...)."""
    return w.abs().mean(tuple(range(w.ndim)), keepdim=True)


def filter_deviation(w: Tensor, correction: int = 1) -> Tensor:
    """Return each filter's deviation, (C_out, 1, ...), 1e-12 at least; correction 0: biased."""
    return w.std(over_filter(w), correction=correction, keepdim=True).clamp(min=1e-12)


def standardized(w: Tensor, eps: float = 0.0) -> Tensor:
    """
    Return (w - mean) / √(var + eps) by filter, var unbiased; gradients flow through both.

    Without eps a constant filter is divided by 1e-12 at least, and stays finite: zeros.
    """
    centred = w - filter_mean(w)
    if eps:
        return centred / (w.var(over_filter(w), keepdim=True) + eps).sqrt()
    return centred / filter_deviation(w)


def expected_scale(shape: tuple[int, ...]) -> Tensor:
    """
    Return 1/(2√n) for each filter, (C_out,): the mean |w| expected of a layer as torch makes it.

    Args:
        shape: of the weights, which are uniform in ±1/√n before a network initializes them.
    """
    return torch.full(shape[:1], 0.5 / math.prod(shape[1:]) ** 0.5)


def image_deviation(x: Tensor, eps: float = 0.0) -> Tensor:
    """
    Return √(var + eps) of each image's features, unbiased: (N, 1, 1, 1) for x (N, C, H, W).

    Of a linear map's input (..., C) it is that of the last dimension. Without eps it is 1e-12 at
    least, so that what is divided by it stays finite.
    """
    dims = (1, 2, 3) if x.ndim == 4 else (-1,)
    if eps:
        return (x.var(dims, keepdim=True) + eps).sqrt()
    return x.std(dims, keepdim=True).clamp(min=1e-12)


def image_mean(x: Tensor) -> Tensor:
    """Return the mean of each image's features, shaped like `image_deviation`."""
    dims = (1, 2, 3) if x.ndim == 4 else (-1,)
    return x.mean(dims, keepdim=True)


class DividedSigns(nn.Module):
    """
    ApproxSign that in training sees each image divided by its deviation, √(var + 1e-5).

    The division moves no sign; evaluation leaves it out.

    Args:
        zero: the value of sign(0), 0 or 1.
        attached: does the gradient go through the deviation, too?
    """

    signs = True

    def __init__(self, zero: int, *, attached: bool = True) -> None:
        super().__init__()
        self.zero, self.attached = zero, attached

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return approx_sign(x, self.zero)
        deviation = image_deviation(x if self.attached else x.detach(), 1e-5)
        return approx_sign(x / deviation, self.zero)


def of_channels(values: Tensor, x: Tensor) -> Tensor:
    """Return one value per channel, (C,), shaped to meet x: (C, 1, 1) for images, else (C,)."""
    return values.view(-1, 1, 1) if x.ndim == 4 else values


class Alpha(nn.Module):
    """
    A learned factor for each output channel, after the product: `after` of a weight binarizer.

    Args:
        start: its first values, (C_out,).
    """

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.alpha = nn.Parameter(start)

    def forward(self, y: Tensor) -> Tensor:
        return y * of_channels(self.alpha, y)


def least_squares(gram: Tensor, right: Tensor) -> Tensor:
    """
    Return the shortest x of those that minimize |B x - y|²: the pseudo-inverse of B applied to y.

    By elimination in float64, which waits for no device. For a few columns, whose products are
    counts or nearly so: squares are eliminated, so B may have a condition of 1e3 at most.

    Args:
        gram: B'B, (..., b, b); singular where columns coincide or are zero.
        right: B'y, (..., b).
    """
    if right.shape[-1] == 1:
        alone = gram[..., 0]
        return torch.where(alone > 0, right / torch.where(alone > 0, alone, 1), 0)
    matrix = gram.double()
    square = matrix @ matrix
    least = 1e-12 * square.diagonal(dim1=-2, dim2=-1).amax(-1, keepdim=True)
    rows = torch.cat([square, right.double()[..., None]], -1)
    for k in range(right.shape[-1]):
        row, pivot = rows[..., k, :], rows[..., k, k][..., None]
        row = torch.where(pivot > least, row / torch.where(pivot > least, pivot, 1), 0)
        rest = rows - rows[..., :, k][..., None] * row[..., None, :]
        rows = torch.cat([rest[..., :k, :], row[..., None, :], rest[..., k + 1 :, :]], -2)
    return (matrix @ rows[..., -1:])[..., 0].to(right.dtype)
