"""
HWGQ, half-wave Gaussian quantization: inputs of four levels, binary weights.

    forward    a = 0 where x ≤ 0,   q (0, 1.5q],   2q (1.5q, 2.5q],   3q beyond,   q = 0.538
               w_eff = E sign(w), sign(0) = +1, E = mean |w| of each filter
    backward   da/dx = 1 where 0 < x ≤ 3q, else 0
               dL/dw = dL/dw_eff   (scale_grad: none)
               E dL/dw_eff, or that and E's own derivative   (factor, full)
    parameters none

q is the step of the best uniform 2-bit quantizer of the positive half of a unit Gaussian, which is
what a BatchNorm without affine parameters gives. Every positive x is q at least: no threshold lies
between 0 and q, as it would between two nearest levels.

Reference: Cai et al., CVPR 2017, arXiv:1702.00953; levels, thresholds and both gradients from its
released Caffe code.
"""

from typing import ClassVar

from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Any,
    Clock,
    Field,
    Method,
    Role,
    ScaleGrad,
    filter_scale,
    scaled_signs,
    ste_sign,
    straight_through,
    upto,
)


class HWGQ(Method):
    formula = "a ∈ {0, q, 2q, 3q}"
    kind = "method: 2-bit inputs"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "padding": 0}

    step: Annotated[float, Field(gt=0)] = 0.538  # q
    scale_grad: ScaleGrad = "none"

    def bits(self, role: Role) -> int:
        return 1 if role == "W" else 2

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Scaled(self.scale_grad)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return HalfWave(self.step)


class Scaled(nn.Module):
    """Signs and E."""

    signs = True

    def __init__(self, scale_grad: ScaleGrad) -> None:
        super().__init__()
        self.scale_grad: ScaleGrad = scale_grad

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return scaled_signs(ste_sign(w, 1), filter_scale(w), self.scale_grad)


class HalfWave(nn.Module):
    """0, q, 2q and 3q."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        q = self.step
        beyond = [1 - upto(x, edge) for edge in (0, 1.5 * q, 2.5 * q)]
        inside = beyond[0] * upto(x, 3 * q)
        return straight_through(q * (beyond[0] + beyond[1] + beyond[2]), x * inside)
