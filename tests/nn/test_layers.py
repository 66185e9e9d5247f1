"""The binary convolution, the binary linear map, and their options."""

from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nn.clock import Clock
from bench.nn.layers import BinaryConv2d, BinaryLinear, Layers, binary_layers, latent_inputs
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization


def conv(c_in: int = 4, c_out: int = 6, **options: Any) -> BinaryConv2d:
    """A binary 3x3 convolution in float64 with STE and the given options."""
    built = slots(**options).conv(c_in, c_out, 3)
    assert isinstance(built, BinaryConv2d)
    return built.double()


def linear(c_in: int = 5, c_out: int = 6, **options: Any) -> BinaryLinear:
    """A binary linear map in float64 with STE and the given options."""
    built = slots(**options).linear(c_in, c_out)
    assert isinstance(built, BinaryLinear)
    return built.double()


def slots(**options: Any) -> Layers:
    """Binary layers with STE, and the generator at its start."""
    torch.manual_seed(0)
    clock, settings = Clock(), Binarization(**options)
    ste = ESTIMATORS.build("ste", {})
    return Layers(lambda r, s: ste.binarizer(r, s, clock, settings.sign0), settings)


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


def straight(z: Tensor, zero: int) -> Tensor:
    """STE by the detach trick: sign(z) forward, the derivative of clamp(z, -1, 1) backward."""
    f = z.clamp(-1, 1)
    hard = torch.where(z == 0, torch.tensor(float(zero), dtype=z.dtype), torch.sign(z))
    return hard.detach() + f - f.detach()


OPTIONS = list(
    product(("none", "layer", "channel"), ("pre", "post"), ("on", "off"), ("on", "off"), (0, 1))
)


@pytest.mark.parametrize(("scale", "place", "scale_grad", "standardize", "zero"), OPTIONS)
def test_binary_linear_is_its_formula(
    scale: str, place: str, scale_grad: str, standardize: str, zero: int
) -> None:
    """y = α sign(x) sign(w)ᵀ + b and the gradients of x, w and b, for every option."""
    layer = linear(
        scale=scale, scale_at=place, scale_grad=scale_grad, standardize=standardize, sign0=zero
    )
    x = torch.randn(2, 3, 5, dtype=torch.float64)
    x[0, 0] = 0
    dy = torch.randn(2, 3, 6, dtype=torch.float64)
    found_x, x = x.clone().requires_grad_(), x.requires_grad_()
    layer(found_x).backward(dy)
    w, b = (p.detach().clone().requires_grad_() for p in layer.parameters())

    z = w
    if standardize == "on":
        centred = w - w.mean(1, keepdim=True)
        z = centred / (centred.square().sum(1, keepdim=True) / 4).sqrt()
    size = w.abs() if scale_grad == "on" else w.detach().abs()
    alpha = {"none": torch.ones(()), "layer": size.mean(), "channel": size.mean(1)}[scale]
    y = torch.einsum("ntc,kc->ntk", straight(x, zero), straight(z, zero)) * alpha + b
    y.backward(dy)

    torch.testing.assert_close(layer(x), y)
    for mine, theirs in zip((found_x, *layer.parameters()), (x, w, b), strict=True):
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_binary_linear_gradient_in_full() -> None:
    """Without a scale: dw = dyᵀ sign(x) where |w| ≤ 1, dx = dy sign(w) where |x| ≤ 1, db = Σ dy."""
    layer = linear(scale="none")
    x = (2 * torch.randn(7, 5, dtype=torch.float64)).requires_grad_()
    dy = torch.randn(7, 6, dtype=torch.float64)
    layer(x).backward(dy)
    w = layer.weight.detach()
    dw, db = (p.grad for p in layer.parameters())

    assert x.grad is not None
    torch.testing.assert_close(dw, dy.T @ torch.sign(x.detach()) * (w.abs() <= 1))
    torch.testing.assert_close(x.grad, dy @ torch.sign(w) * (x.detach().abs() <= 1))
    torch.testing.assert_close(db, dy.sum(0))


def test_binary_linear_sums_are_exact_integers() -> None:
    """Scale and bias aside, a binary linear map counts, in float32."""
    layer = linear(scale="none").float()
    y = layer(torch.randn(9, 5)) - layer.bias

    torch.testing.assert_close(y, y.round(), rtol=0, atol=1e-6)


def test_padding_says_nothing_to_a_linear_map() -> None:
    """A linear map has no border: `padding` changes no number."""
    x = torch.randn(3, 5, dtype=torch.float64)

    assert torch.equal(linear(padding=1)(x), linear()(x))


def test_binarizers_are_asked_for_by_shape() -> None:
    """A binarizer hears (C_out, C_in, *kernel) or (C_out, C_in) for W, and (C_in,) for A."""
    asked: list[tuple[str, tuple[int, ...]]] = []

    def make(role: str, shape: tuple[int, ...]) -> nn.Module:
        asked.append((role, shape))
        return nn.Identity()

    layers = Layers(make, Binarization())
    net = nn.Sequential(layers.conv(4, 6, 3), layers.linear(5, 7), nn.Linear(1, 1))

    assert asked == [("W", (6, 4, 3, 3)), ("A", (4,)), ("W", (7, 5)), ("A", (5,))]
    assert [name for name, _ in binary_layers(net)] == ["0", "1"]


def test_real_layers_are_torchs() -> None:
    """A full-precision cell has ordinary layers, drawn from the same random numbers."""
    real = Layers(None, Binarization())
    torch.manual_seed(0)
    plain = real.linear(5, 6)

    assert type(plain) is nn.Linear
    assert type(real.conv(4, 6, 3)) is nn.Conv2d
    torch.testing.assert_close(linear().weight.float(), plain.weight, rtol=0, atol=0)


def test_activations_may_be_scaled_too() -> None:
    """`scale_act` multiplies by mean |x| of each image, where the input is binarized at all."""
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    plain, scaled = conv(), conv(scale_act="layer")

    torch.testing.assert_close(scaled(x), plain(x) * x.abs().mean((1, 2, 3), keepdim=True))
    assert torch.equal(scaled(x)[:1], scaled(x[:1]))  # alone as among others
    scaled.A = nn.Identity()
    plain.A = nn.Identity()
    assert torch.equal(scaled(x), plain(x))


def test_latent_inputs_are_what_reaches_sign() -> None:
    """By layer and in order, in evaluation mode; the mode is as before, even after an error."""
    made = slots()
    real = Layers(lambda role, shape: nn.Identity(), Binarization()).linear(5, 5)
    net = nn.Sequential(made.linear(3, 5), nn.Dropout(0.5), real, made.linear(5, 2))
    images = torch.randn(4, 3)
    seen = latent_inputs(net, images)

    assert net.training
    assert [*seen] == ["0", "3"]
    assert torch.equal(seen["0"], images)
    assert torch.equal(seen["3"], net.eval()[2](net[0](images)))
    net.train()
    with pytest.raises(RuntimeError):
        latent_inputs(net, torch.randn(4, 7))
    assert net.training
    net(images * 2)
    assert torch.equal(seen["0"], images)  # nothing watches any more
