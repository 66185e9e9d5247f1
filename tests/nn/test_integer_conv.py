"""Convolutions of signs: equal to float32's bit for bit, whatever arithmetic they use."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from bench.nn import integer_conv
from bench.nn.clock import Clock
from bench.nn.integer_conv import holds, in_int8, on_gpu
from bench.nn.layers import BinaryConv2d, Layers, binary_layers
from bench.plugin import SurrogateBinarizer
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization

Conv: TypeAlias = Callable[[Tensor, Tensor, int, int], Tensor]
NETS = {"resnet20": 32, "resnet18": 32, "vgg_small": 32, "resnet18_imagenet": 224}


def bytes_(a: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
    """`in_int8` of float tensors."""
    return in_int8((a + 1).to(torch.uint8), w.to(torch.int8), stride, padding, torch.float32)


def halves(a: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
    """Its sums in float16, where that holds them."""
    if not holds(w):
        return bytes_(a, w, stride, padding)
    y = in_int8((a + 1).to(torch.uint8), w.to(torch.int8), stride, padding, torch.float16)
    assert y.dtype == torch.float16
    return y.float()


needs_bytes = pytest.mark.skipif(
    not integer_conv.MULTIPLIES_BYTES, reason="this processor has no int8 products"
)
needs_halves = pytest.mark.skipif(
    not integer_conv.WRITES_HALVES, reason="this processor does not compute in float16"
)
WAYS = [
    pytest.param(bytes_, marks=needs_bytes, id="int8"),
    pytest.param(halves, marks=needs_halves, id="halves"),
    pytest.param(on_gpu, id="gpu"),
]


def shapes() -> Iterator[tuple[int, int, int, int, int]]:
    """(C_in, C_out, kernel, stride, image side) of every binary convolution of the nets, once."""
    seen: dict[tuple[int, int, int, int, int], None] = {}

    def note(layer: BinaryConv2d, args: tuple[Tensor, ...]) -> None:
        c_out, c_in, kernel, _ = layer.weight.shape
        seen[c_in, c_out, kernel, layer.stride[0], args[0].shape[-1]] = None

    ste = ESTIMATORS.build("ste", {})
    layers = Layers(lambda role, shape: ste.binarizer(role, shape, Clock(), 0), Binarization())
    for name, side in NETS.items():
        with torch.device("meta"), torch.no_grad():
            net = BACKBONES.build(name, {}).build(10, 3, layers)
            for _, layer in binary_layers(net):
                layer.register_forward_pre_hook(note)  # pyright: ignore[reportArgumentType]
            net(torch.empty(2, 3, side, side))
    return iter(seen)


@pytest.mark.slow
@pytest.mark.parametrize("zeros", [0.0, 0.06], ids=["none", "some"])
@pytest.mark.parametrize("convolve", WAYS)
def test_every_layer_of_every_net(convolve: Conv, zeros: float) -> None:
    """The forward of each shape equals float64's, bit for bit, with exact zeros and without."""
    found = list(shapes())
    rng = torch.Generator().manual_seed(0)

    def signs(*shape: int) -> Tensor:
        x = torch.rand(shape, generator=rng)
        return torch.sign(x - 0.5) * (torch.rand(shape, generator=rng) >= zeros)

    assert len(found) >= 15
    for c_in, c_out, kernel, stride, side in found:
        side = min(side, 8)  # the sums are the same; there are fewer
        a, w = signs(1, c_in, side, side), signs(c_out, c_in, kernel, kernel)
        y = convolve(a.contiguous(memory_format=torch.channels_last), w, stride, kernel // 2)
        exact = F.conv2d(a.double(), w.double(), None, stride, kernel // 2)

        assert torch.equal(y.double(), exact), (c_in, c_out, kernel, stride, side)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("convolve", WAYS)
@pytest.mark.parametrize("c_in", [16, 227, 228, 512])
def test_the_largest_sums(convolve: Conv, sign: int, c_in: int) -> None:
    """Aligned signs reach |sum| = fan-in, up to 4608, and one less where a zero breaks parity."""
    a = torch.ones(1, c_in, 4, 4)
    a[0, 0, 1, 1] = 0
    w = torch.full((3, c_in, 3, 3), float(sign))
    y = convolve(a, w, 1, 1)

    assert y.abs().max() == 9 * c_in - 1
    assert torch.equal(y, F.conv2d(a, w, None, 1, 1))


@pytest.mark.parametrize(("dilation", "groups"), [(1, 1), (2, 1), (1, 16), (2, 4)])
def test_gradients_are_those_of_a_convolution(dilation: int, groups: int) -> None:
    """Product and backward pass, of signs kept in a byte, equal those of the plain convolution."""
    rng = torch.Generator().manual_seed(0)
    (x, w), plain = (
        [
            torch.sign(torch.randn(4, 16, 16, 16, generator=rng.manual_seed(1))).requires_grad_(),
            torch.sign(
                torch.randn(32, 16 // groups, 3, 3, generator=rng.manual_seed(2))
            ).requires_grad_(),
        ]
        for _ in range(2)
    )
    dy = torch.randn(4, 32, 8, 8, generator=rng)
    y = integer_conv.conv2d(x, w, None, 2, dilation, dilation=dilation, groups=groups)
    wanted = F.conv2d(plain[0], plain[1], None, 2, dilation, dilation, groups)
    y.backward(dy)
    wanted.backward(dy)

    assert torch.equal(y, wanted)
    for one, other in zip((x, w), plain, strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)


def test_gradients_may_be_rounded() -> None:
    """With bfloat16 the forward is the same, and gradients agree to that format's rounding."""
    rng = torch.Generator().manual_seed(0)
    grads: list[list[Tensor]] = []
    dy = torch.randn(4, 16, 8, 8, generator=rng)
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.sign(torch.randn(4, 16, 8, 8, generator=rng.manual_seed(1))).requires_grad_()
        w = torch.sign(torch.randn(16, 16, 3, 3, generator=rng.manual_seed(2))).requires_grad_()
        y = integer_conv.conv2d(a, w, None, 1, 1, dtype)
        y.backward(dy)
        assert a.grad is not None
        assert w.grad is not None
        grads.append([y.detach(), a.grad, w.grad])

    assert torch.equal(grads[0][0], grads[1][0])
    for exact, rounded in zip(grads[0][1:], grads[1][1:], strict=True):
        assert rounded.dtype == torch.float32
        assert 0 < (exact - rounded).norm() / exact.norm() < 2**-7


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (16, 1, 1, 1)], ids=["layer", "channel"])
def test_gradients_of_a_scale(shape: tuple[int, ...]) -> None:
    """Without a pass over images they are those of scaling what comes out, to rounding."""
    rng = torch.Generator().manual_seed(0)
    leaves = [
        torch.sign(torch.randn(4, 16, 8, 8, generator=rng)),
        torch.sign(torch.randn(16, 16, 3, 3, generator=rng)),
        torch.rand(shape, generator=rng),
    ]
    dy = torch.randn(4, 16, 8, 8, generator=rng)
    ours = [x.clone().requires_grad_() for x in leaves]
    exact = [x.double().requires_grad_() for x in leaves]
    y = integer_conv.conv2d(ours[0], ours[1], ours[2], 1, 1)
    wanted = F.conv2d(exact[0], exact[1], None, 1, 1) * exact[2].view(-1, 1, 1)
    y.backward(dy)
    wanted.backward(dy.double())

    assert torch.allclose(y.double(), wanted, rtol=2**-22, atol=0)
    for one, other in zip(ours, exact, strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert one.grad.shape == one.shape
        assert (one.grad - other.grad).norm() < 1e-6 * other.grad.norm()


@pytest.mark.parametrize("of", ["a", "w", "scale"])
def test_one_gradient_needs_no_other(of: str) -> None:
    """What is frozen takes no gradient, and takes none away from the others."""
    rng = torch.Generator().manual_seed(0)
    leaves = {
        "a": torch.sign(torch.randn(2, 4, 5, 5, generator=rng)),
        "w": torch.sign(torch.randn(3, 4, 3, 3, generator=rng)),
        "scale": torch.rand(3, 1, 1, 1, generator=rng),
    }
    a, w, scale = (x.requires_grad_(name == of) for name, x in leaves.items())
    integer_conv.conv2d(a, w, scale, 1, 1).sum().backward()
    found, leaves[of].grad = leaves[of].grad, None
    (F.conv2d(a, w, None, 1, 1) * scale.view(-1, 1, 1)).sum().backward()
    wanted = leaves[of].grad

    assert found is not None
    assert wanted is not None
    assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-5)
    assert [x.grad is None for x in leaves.values()].count(False) == 1


def test_a_scale_s_gradient_is_never_rounded() -> None:
    """With bfloat16 gradients that of the scale is float32's to its rounding."""
    rng = torch.Generator().manual_seed(0)
    a = torch.sign(torch.randn(2, 8, 8, 8, generator=rng))
    w = torch.sign(torch.randn(8, 8, 3, 3, generator=rng))
    dy, found = torch.randn(2, 8, 8, 8, generator=rng), list[Tensor]()
    for dtype in (torch.float32, torch.bfloat16):
        scale = torch.full((8, 1, 1, 1), 0.3, requires_grad=True)
        integer_conv.conv2d(a, w.requires_grad_(), scale, 1, 1, dtype).backward(dy)
        assert scale.grad is not None
        found.append(scale.grad)

    assert (found[0] - found[1]).norm() < 1e-6 * found[0].norm()


def test_signs_are_kept_in_a_byte() -> None:
    """Of both operands together backward keeps as many bytes as they have elements."""
    kept: list[Tensor] = []
    a = torch.sign(torch.randn(2, 16, 8, 8)).requires_grad_()
    w = torch.sign(torch.randn(16, 16, 3, 3)).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        integer_conv.conv2d(a, w, None, 1, 1)

    assert sum(t.nbytes for t in kept) == a.numel() + w.numel()


@needs_bytes
def test_bytes_are_used_where_they_pay() -> None:
    """A large product goes through int8 and a small one does not; what comes out is the same."""
    for side, expected in ((4, False), (32, True)):
        a, w = torch.sign(torch.randn(4, 16, side, side)), torch.sign(torch.randn(16, 16, 3, 3))
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            y = integer_conv.conv2d(a, w, None, 1, 1)

        assert ("signbench::conv2d_int8" in {e.key for e in seen.key_averages()}) is expected
        assert torch.equal(y, F.conv2d(a, w, None, 1, 1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_are_convolved_as_they_are(dtype: torch.dtype) -> None:
    """float64, as oracles use it, and bfloat16 stay what they are."""
    a, w = torch.ones(1, 2, 3, 3, dtype=dtype), torch.ones(2, 2, 3, 3, dtype=dtype)

    assert integer_conv.conv2d(a, w, None, 1, 1).dtype == dtype


def test_only_signs_are_whole() -> None:
    """A layer whose input is real, or whose weights are scaled first, is no integer product."""
    ste = ESTIMATORS.build("ste", {})

    def layer(options: Binarization, *, real: bool = False) -> bool:
        make = Layers(
            lambda role, shape: (
                torch.nn.Identity()
                if real and role == "A"
                else ste.binarizer(role, shape, Clock(), 0)
            ),
            options,
        )
        conv = make.conv(2, 2, 3)
        assert isinstance(conv, BinaryConv2d)
        return conv.whole

    assert layer(Binarization())
    assert layer(Binarization(scale="none", scale_at="pre"))
    assert not layer(Binarization(scale_at="pre"))
    assert not layer(Binarization(), real=True)


def test_a_forward_of_its_own_promises_nothing() -> None:
    """A subclass that scales its signs is no longer multiplied as whole numbers."""

    class Half(SurrogateBinarizer):
        def forward(self, z: Tensor) -> Tensor:
            return super().forward(z) / 2

    class Named(SurrogateBinarizer):
        """The same forward."""

    assert not Half.signs
    assert Named.signs
