"""What every method can take: linear maps, weights as the trainer lays them out, filters alike."""

import pytest
import torch
from torch import Tensor

from bench.nn.layers import BinaryConv2d, BinaryLinear
from bench.plugin import Clock, Method
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization

METHODS = [name for name in ESTIMATORS.names() if issubclass(ESTIMATORS.load(name), Method)]


def options(plugin: Method) -> Binarization:
    return Binarization.model_validate(plugin.fixes)


def built(name: str) -> Method:
    plugin = ESTIMATORS.build(name, {})
    assert isinstance(plugin, Method)
    return plugin


def conv(plugin: Method) -> BinaryConv2d:
    """Four filters of 3 x 3 x 3, two of them constant."""
    clock = Clock()
    torch.manual_seed(0)
    layer = plugin.conv(
        3,
        4,
        3,
        stride=1,
        binarizer=lambda role, shape: plugin.binarizer(role, shape, clock, 0),
        options=options(plugin),
    )
    clock.set(0.5)
    with torch.no_grad():
        layer.weight[2:] = torch.tensor([0.0, 0.7]).view(2, 1, 1, 1)
    return layer


def ran(layer: BinaryConv2d, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output, and the gradient of the weights."""
    torch.manual_seed(1)
    y = layer(x)
    y.square().sum().backward()
    grad = layer.weight.grad
    return y.detach(), torch.zeros_like(layer.weight) if grad is None else grad.contiguous()


@pytest.mark.parametrize("name", METHODS)
def test_layout_changes_nothing(name: str) -> None:
    """Channels-last weights and images give what contiguous ones give, constant filters too."""
    x = torch.linspace(-2, 2, 2 * 3 * 36).sin().view(2, 3, 6, 6)
    y, grad = ran(conv(built(name)), x)
    last = conv(built(name)).to(memory_format=torch.channels_last)  # pyright: ignore
    again, its = ran(last, x.contiguous(memory_format=torch.channels_last))

    assert y.isfinite().all()
    assert grad.isfinite().all()
    torch.testing.assert_close((again, its), (y, grad), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_linear_maps(name: str) -> None:
    """Weights (C_out, C_in) and inputs (N, T, C_in), with gradients to both."""
    plugin, clock = built(name), Clock()
    layer: BinaryLinear = plugin.linear(
        8,
        5,
        binarizer=lambda role, shape: plugin.binarizer(role, shape, clock, 0),
        options=options(plugin),
    )
    x = torch.linspace(-1, 1, 2 * 3 * 8).view(2, 3, 8).requires_grad_()
    y = layer(x)
    y.square().sum().backward()

    assert y.shape == (2, 3, 5)
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert layer.weight.grad is None or layer.weight.grad.isfinite().all()
