"""The binary convolution and its options."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.binary import Clock
from bench.cell import Binarization
from bench.layers import BinaryConv2d, Layers
from bench.registry import ESTIMATORS


def conv(c_in: int = 4, c_out: int = 6, **options: Any) -> BinaryConv2d:
    """A binary 3x3 convolution in float64 with STE and the given options."""
    torch.manual_seed(0)
    clock, settings = Clock(), Binarization(**options)
    ste = ESTIMATORS.build("ste", {})
    layers = Layers(lambda r, s: ste.binarizer(r, s, clock, settings.sign0), settings)
    built = layers.conv(c_in, c_out, 3)
    assert isinstance(built, BinaryConv2d)
    return built.double()


def test_sums_are_exact_integers() -> None:
    """With the scale after it, the convolution's sums are integers and ties exactly 0."""
    layer = conv(scale="none").float()
    y = layer(torch.randn(2, 4, 8, 8))

    assert torch.equal(y, y.round())
    assert (y == 0).any()


@pytest.mark.parametrize("scale", ["layer", "channel"])
def test_scale_before_or_after_is_one_function(scale: str) -> None:
    """Before or after the convolution, the scale gives one function and one gradient."""
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    dy = torch.randn(2, 6, 8, 8, dtype=torch.float64)
    results: list[tuple[Tensor, Tensor]] = []
    for place in ("pre", "post"):
        layer = conv(scale=scale, scale_at=place)
        y = layer(x)
        y.backward(dy)
        assert layer.weight.grad is not None
        results.append((y.detach(), layer.weight.grad))

    for before, after in zip(*results, strict=True):
        torch.testing.assert_close(before, after)


@pytest.mark.parametrize(("scale", "dims"), [("layer", (0, 1, 2, 3)), ("channel", (1, 2, 3))])
def test_scale_is_the_mean_magnitude(scale: str, dims: tuple[int, ...]) -> None:
    """The scale is mean |w|, of the layer or of each output channel."""
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    layer = conv(scale=scale)
    expected = F.conv2d(torch.sign(x), torch.sign(layer.weight), padding=1)
    expected = expected * layer.weight.abs().mean(dims, keepdim=True).view(-1, 1, 1)

    torch.testing.assert_close(layer(x), expected)


def test_scale_gradient_is_the_rank_one_term() -> None:
    """scale_grad: on adds sign(w)·⟨dL/dα⟩/n to the gradient, off leaves it out."""
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    grads: list[Tensor] = []
    for switch in ("on", "off"):
        layer = conv(scale_grad=switch)
        layer(x).square().sum().backward()
        assert layer.weight.grad is not None
        grads.append(layer.weight.grad)
    w = conv().weight.detach()
    y = F.conv2d(torch.sign(x), torch.sign(w), padding=1)
    d_alpha = 2 * w.abs().mean() * y.square().sum()

    torch.testing.assert_close(grads[0] - grads[1], torch.sign(w) * d_alpha / w.numel())


def test_padding_surrounds_the_binarized_input() -> None:
    """padding: 1 makes the border taps +1, where 0 leaves a third value."""
    x = torch.full((1, 4, 3, 3), 5.0, dtype=torch.float64)

    assert torch.equal(
        conv(scale="none", padding=1)(x)[..., 0, 0], conv(scale="none")(x)[..., 1, 1]
    )


def test_standardized_weights_are_what_sign_sees() -> None:
    """standardize: on centres every filter, so that its signs are those of w - mean."""
    layer = conv(scale="none", standardize="on")
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64)
    centred = layer.weight - layer.weight.mean((1, 2, 3), keepdim=True)

    torch.testing.assert_close(layer(x), F.conv2d(torch.sign(x), torch.sign(centred), padding=1))


def test_sign0_reaches_the_layer() -> None:
    """sign0: 1 leaves no zero among the binarized activations."""
    x = torch.zeros(1, 4, 3, 3, dtype=torch.float64)

    assert conv(scale="none")(x).abs().max() == 0
    assert conv(scale="none", sign0=1)(x).abs().max() > 0


def test_real_activations_pass_as_they_are() -> None:
    """W1/A32: without an estimator for A the convolution sees the real input."""
    layer = conv(scale="none")
    layer.A = torch.nn.Identity()
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64)

    torch.testing.assert_close(layer(x), F.conv2d(x, torch.sign(layer.weight), padding=1))
