"""
LQ-Net: levels are sums of a learned basis, which least squares fits in every step.

    forward    w_eff = Σ v_j c_j, c ∈ {-1, 1}^b, v of each filter; a = Σ v_j c_j, c ∈ {0, 1}^b, v of
               the layer: the level in whose interval the number lies; thresholds are mid-points of
               neighbouring levels, and belong to the lower one
    backward   dL/dw = dL/dw_eff;   dL/dx = dL/da where 0 ≤ x ≤ the top level
    rule       v ← 0.9 v + 0.1 v* in every training forward, after its output,
               v* = (C'C + λ)⁻¹ (C'z + λ v) for the codes C of z; λ = 1e-4 of weights, 0 of inputs
    start      v_j = 0.6745 2^j √(2/m)/2^(b-1) of weights, m = k k C_out: fan-out;
               v_j = 0.6745 2^j 2/(2^b - 1) of inputs
    parameters none: bases are buffers

Where inputs leave a code unused, C'C is singular; those of their v_j that no input speaks for stay.
In the code a ReLU stands before the inputs and stops the gradient of negative ones; here the
levels do, for networks without. At one bit w_eff = v sign(w), sign(0) = -1.

Reference: Zhang et al., ECCV 2018, arXiv:1807.10029; starts, λ and the averages from its code.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Any,
    Clock,
    Field,
    Method,
    least_squares,
    over_filter,
    scaled_signs,
    sign,
    straight_through,
)


class LQNet(Method):
    formula = "w_eff = Σ v_j c_j"
    kind = "method: learned levels"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "padding": 0}
    shares = False  # levels are fitted to all inputs of a batch

    weight_bits: Annotated[int, Field(ge=1, le=4)] = 1
    input_bits: Annotated[int, Field(ge=2, le=4)] = 2
    momentum: Annotated[float, Field(ge=0, le=1)] = 0.9

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        fan_out = shape[0] * torch.Size(shape[2:]).numel()
        start = 0.6745 * (2 / fan_out) ** 0.5 / 2 ** (self.weight_bits - 1)
        return WeightLevels(-1, self.weight_bits, shape[0], start, self.momentum)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        start = 0.6745 * 2 / (2**self.input_bits - 1)
        return InputLevels(0, self.input_bits, 1, start, self.momentum)


class Levels(nn.Module):
    """
    The levels of a basis, and its fit.

    Args:
        low: the code beside 1: -1 or 0.
        bits: b.
        rows: how many bases there are.
        start: of v_0; v_j starts at 2^j times it.
        momentum: of the moving average.
    """

    basis: Tensor  # (rows, b), float64: a moving average
    codes: Tensor  # (2^b, b)

    def __init__(self, low: int, bits: int, rows: int, start: float, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.signs = low == -1 and bits == 1
        powers = 2 ** torch.arange(bits)
        ones = torch.arange(2**bits)[:, None] & powers > 0
        self.register_buffer("codes", torch.where(ones, 1.0, low).double(), persistent=False)
        self.register_buffer("basis", start * powers.double().repeat(rows, 1))

    @torch.no_grad()
    def quantize(self, z: Tensor, dims: tuple[int, ...], ridge: float) -> tuple[Tensor, Tensor]:
        """
        The level of each number, and the top one; in training the basis moves on.

        Args:
            z: any shape.
            dims: over which one basis holds: all of z's, or all but the first.
            ridge: λ.
        """
        exact, order = (shortened(self.basis) @ self.codes.double().T).sort(1)  # (rows, 2^b)
        levels = exact.to(z.dtype)
        shape = (-1, *[1] * (z.ndim - 1))
        value = levels[:, 0].reshape(shape)
        beyond, total = [torch.full_like(levels[:, 0], z.numel() / len(levels))], [z.sum(dims)]
        for i in range(1, levels.shape[1]):
            above = (z > (levels[:, i] + levels[:, i - 1]).reshape(shape) / 2).to(z.dtype)
            value = value + (levels[:, i] - levels[:, i - 1]).reshape(shape) * above
            beyond, total = [*beyond, above.sum(dims)], [*total, (z * above).sum(dims)]
        if self.training:
            self._fit(self.codes[order], _by_level(beyond), _by_level(total), ridge)
        return value, levels[:, -1].reshape(shape)

    def _fit(self, codes: Tensor, counts: Tensor, sums: Tensor, ridge: float) -> None:
        """Move the basis towards the fit, of counts and sums of the numbers at each level."""
        basis, codes = self.basis.double(), codes.double()
        gram = torch.einsum("rl,rlj,rlk->rjk", counts, codes, codes)
        right = torch.einsum("rl,rlj->rj", sums, codes) - (gram @ basis[..., None])[..., 0]
        gram = gram + ridge * torch.eye(gram.shape[-1], device=gram.device)
        fitted = basis + least_squares(gram, right)
        self.basis.lerp_(fitted.to(self.basis.dtype), 1 - self.momentum)


def _by_level(beyond: list[Tensor]) -> Tensor:
    """What there is at each level alone, (rows, 2^b), from what there is at it or above."""
    above = torch.stack([x.reshape(-1) for x in beyond], 1).double()
    return above - torch.cat([above[:, 1:], torch.zeros_like(above[:, :1])], 1)


def shortened(x: Tensor) -> Tensor:
    """
    Return x in float64, its last 16 bits 0: then float64's sums of some thousand levels are exact.

    A ReLU behind the product would open or close on the rounding of sums that are 0.
    """
    return (x.double().view(torch.int64) & -(1 << 16)).view(torch.float64)


class WeightLevels(Levels):
    """A basis for each filter; at one bit signs and v."""

    def forward(self, w: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        value, top = self.quantize(w, over_filter(w), 1e-4)
        if not self.signs:
            return straight_through(value, w)
        return scaled_signs(straight_through(sign(value), w), top, "none")


class InputLevels(Levels):
    """One basis for the layer."""

    def forward(self, x: Tensor) -> Tensor:
        value, top = self.quantize(x, tuple(range(x.ndim)), 0.0)
        return straight_through(value, x * ((x >= 0) & (x <= top)))
