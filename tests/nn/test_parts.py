"""What methods are made of: signs with slopes, scales with and without their gradient."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.nn.layers import BinaryLinear
from bench.nn.parts import (
    ScaleGrad,
    Signs,
    approx_sign,
    clipped_sign,
    filter_scale,
    least_squares,
    open_clipped_sign,
    scaled_signs,
    ste_sign,
)
from bench.spec.cell import Binarization

W = torch.tensor([[0.5, -2.0, 0.25], [0.0, 0.0, 0.0]], dtype=torch.float64)
G = torch.tensor([[1.0, 3.0, -2.0], [1.0, 1.0, 1.0]], dtype=torch.float64)


class Weights(torch.nn.Module):
    """E sign(w) by filter, with one of the three gradients."""

    def __init__(self, grad: ScaleGrad) -> None:
        super().__init__()
        self.grad: ScaleGrad = grad

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return scaled_signs(clipped_sign(w), filter_scale(w), self.grad)


@pytest.mark.parametrize(
    ("grad", "factor", "share"),
    [("none", 1.0, 0.0), ("factor", 11 / 12, 0.0), ("full", 11 / 12, -4 / 3)],
)
def test_gradient_of_a_scale(grad: ScaleGrad, factor: float, share: float) -> None:
    """None: s g; factor: times E = 11/12; full: and Σ g sign(w) = -4 times sign(w)/3 more."""
    options = Binarization(scale="none")
    layer = BinaryLinear(3, 2, binarizer=lambda role, _: made(role, grad), options=options)
    layer.double()
    with torch.no_grad():
        layer.weight.copy_(W)
    layer(torch.eye(3, dtype=torch.float64)).T.mul(G).sum().backward()
    found, inside = layer.weight.grad, torch.tensor([1.0, 0.0, 1.0])

    assert found is not None
    torch.testing.assert_close(found[0], factor * G[0] * inside + share * W[0].sign())
    assert found.isfinite().all()


def made(role: str, grad: ScaleGrad) -> torch.nn.Module:
    return Weights(grad) if role == "W" else torch.nn.Identity()


@pytest.mark.parametrize(
    ("crossing", "slopes"),
    [
        (ste_sign, [1.0, 1.0, 1.0, 1.0]),
        (clipped_sign, [1.0, 1.0, 1.0, 0.0]),
        (open_clipped_sign, [1.0, 1.0, 0.0, 0.0]),
        (approx_sign, [2.0, 1.0, 0.0, 0.0]),
    ],
)
def test_slopes_of_signs(crossing: Callable[[Tensor, int], Tensor], slopes: list[float]) -> None:
    """Sign(0) as told, and each slope at 0, 1/2, at its border and beyond, on both sides."""
    z = torch.tensor([0.0, 0.5, 1.0, 1.5])
    for side in (z, -z):
        module, at = Signs(crossing, 1), side.clone().requires_grad_()
        y = module(at)
        y.sum().backward()

        assert y[0] == 1
        assert at.grad is not None
        assert at.grad.tolist() == slopes


def test_least_squares_is_the_pseudo_inverse() -> None:
    """Of independent columns, of equal, opposite and empty ones, and of none at all."""
    b = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).sign()
    y = torch.linspace(-1, 3, 40, dtype=torch.float64)
    for columns in ([0, 1, 2], [0], [0, 0, 1], [0, 1, 1, 2, 1]):
        found = least_squares(b[:, columns].T @ b[:, columns], b[:, columns].T @ y)
        torch.testing.assert_close(found, torch.linalg.pinv(b[:, columns]) @ y)
    spoilt = b * torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
    spoilt[:, 2] = -b[:, 0]
    right = torch.stack([spoilt.T @ y, 0 * y[:3]])
    found = least_squares(torch.stack([spoilt.T @ spoilt, 0 * b.T @ b]), right)

    torch.testing.assert_close(found[0], torch.linalg.pinv(spoilt) @ y)
    assert found[1].abs().sum() == 0
    assert least_squares(torch.zeros(2, 1, 1), torch.zeros(2, 1)).tolist() == [[0], [0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_filter_of_zeros_gets_its_gradient(dtype: torch.dtype) -> None:
    """Without a factor dL/dw is dL/dw_eff, though what the layer multiplies by is 0."""
    w = torch.tensor([[0.0, 0.0], [0.5, -1.5]], dtype=dtype, requires_grad=True)
    upstream = torch.tensor([[3.0, -2.0], [1.0, 4.0]], dtype=dtype)
    signs, scale = scaled_signs(ste_sign(w, 1), filter_scale(w), "none")
    effective = signs * scale
    (effective * upstream).sum().backward()

    assert effective.tolist() == [[0, 0], [1, -1]]
    torch.testing.assert_close(w.grad, upstream)
