"""ResNet-20 against the released net's figures."""

import pytest
import torch
from torch import nn

from bench.nn.clock import Clock
from bench.nn.layers import BinaryConv2d, Layers
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization


def build(binary: bool = True, channels: int = 3, **params: object) -> nn.Module:
    torch.manual_seed(0)
    clock, ste = Clock(), ESTIMATORS.build("ste", {})
    maker = (lambda r, s: ste.binarizer(r, s, clock, 0)) if binary else None
    return BACKBONES.build("resnet20", dict(params)).build(
        10, channels, Layers(maker, Binarization())
    )


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("order", ["relu_bn", "bn_hardtanh"])
@pytest.mark.parametrize("bireal", [True, False])
def test_parameter_count(binary: bool, order: str, bireal: bool) -> None:
    """269,850 parameters in every form, as released."""
    model = build(binary, order=order, bireal=bireal)

    assert sum(p.numel() for p in model.parameters()) == 269_850


def test_counts_by_kind() -> None:
    """18 binary layers hold 267,264 weights; the stem 432, BN 1,504 in 20, the head 650."""
    model = build()
    binary = [m for m in model.modules() if isinstance(m, BinaryConv2d)]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d)]
    heads = [m for m in model.modules() if isinstance(m, nn.Linear)]

    assert (len(binary), sum(m.weight.numel() for m in binary)) == (18, 267_264)
    assert (len(norms), sum(p.numel() for m in norms for p in m.parameters())) == (20, 1_504)
    assert sum(p.numel() for p in heads[0].parameters()) == 650


def test_initialization() -> None:
    """Kaiming-normal, fan-in, √2: latent deviation 0.118, 0.083, 0.059 in the three stages."""
    binary = [m for m in build().modules() if isinstance(m, BinaryConv2d)]
    deviations = [binary[i].weight.std().item() for i in (3, 9, 15)]

    assert deviations == pytest.approx([0.118, 0.083, 0.059], rel=0.05)


@pytest.mark.parametrize("order", ["relu_bn", "bn_hardtanh"])
@pytest.mark.parametrize("bireal", [True, False])
@pytest.mark.parametrize("size", [8, 28, 32])
def test_any_image(order: str, bireal: bool, size: int) -> None:
    """Images of one channel and any size become logits, and every parameter gets a gradient."""
    model = build(channels=1, width=4, order=order, bireal=bireal)
    logits = model(torch.randn(4, 1, size, size))
    logits.square().sum().backward()

    assert logits.shape == (4, 10)
    assert all(p.grad is not None for p in model.parameters())


def test_block_orders_do_what_they_say() -> None:
    """Nothing follows the sum in relu_bn; in bn_hardtanh the block's output lies in [-1, 1]."""
    x = 5 * torch.randn(4, 8, 8, 8)
    blocks = {order: list(build(width=8, order=order))[3] for order in ("relu_bn", "bn_hardtanh")}  # type: ignore[call-overload]

    assert blocks["relu_bn"](x).abs().max() > 1
    assert blocks["bn_hardtanh"](x).abs().max() == 1


def test_shortcut_is_option_a() -> None:
    """The strided shortcut takes every second pixel and pads channels on both sides."""
    block = list(build(width=8))[6]  # type: ignore[call-overload]
    x = torch.randn(1, 8, 4, 4)
    y = block.shortcut(x)

    assert torch.equal(y[:, 4:12], x[:, :, ::2, ::2])
    assert y[:, :4].abs().max() == y[:, 12:].abs().max() == 0
