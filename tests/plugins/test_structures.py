"""Structures of published binary networks: sizes by hand, blocks as drawn, one step of each."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nn.backbone import Native
from bench.nn.blocks import BN_LAST, Maxout, Order, RPReLU
from bench.nn.clock import Clock
from bench.nn.layers import BinaryConv2d, BinaryLayer, BinaryLinear, Layers, binary_layers
from bench.nn.macs import count_cost, skeleton
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization

ORDERS: tuple[Order, ...] = Order.__args__
TINY = {
    "resnet20": ({"width": 4}, 16),
    "resnet18": ({"width": 4}, 32),
    "vgg_small": ({"width": 2, "image": 16}, 16),
}


def build(name: str, wa: str = "1/1", **params: Any) -> Any:
    """A small network with STE at this W/A, of 10 classes and 3 channels."""
    torch.manual_seed(0)
    clock, ste = Clock(), ESTIMATORS.build("ste", {})

    def binarizer(role: Any, shape: tuple[int, ...]) -> nn.Module:
        real = wa == "1/32" and role == "A"
        return nn.Identity() if real else ste.binarizer(role, shape, clock, 0)

    layers = Layers(None if wa == "32/32" else binarizer, Binarization())
    return BACKBONES.build(name, TINY[name][0] | params).build(10, 3, layers)


# ResNet-20 has 16 + 6·2·(16 + 32 + 64)/2 = 688 channels that an activation follows, 128 parameters
# in BatchNorm1d and 269,722 without it. Preact with bn_none: BN with weight and bias is the last of
# each of 9 blocks and that after them, 2·(3·(16 + 32 + 64) + 64) = 800. In ResNet-18, 64·128 +
# 128·256 + 256·512 = 172,032 weights in shortcuts, 9·3·64 = 1,728 in the stem, 5,120 in the head.
# VGG's six convolutions have 4,574,592 weights, 27·128 of them in the first, and 1,792 outputs;
# its linear maps 8192·1024 + 1024² + 1024·10.
SIZES: tuple[tuple[str, dict[str, Any], int, int, int], ...] = (
    ("resnet20", {"head_bn": False}, 269_722, 267_264, 18),
    ("resnet20", {"order": "prelu_bn"}, 269_850 + 688, 267_264, 18),
    ("resnet20", {"order": "bn_maxout"}, 269_850 + 2 * 688, 267_264, 18),
    ("resnet20", {"order": "bn_rprelu"}, 269_850 + 3 * 688, 267_264, 18),
    ("resnet20", {"order": "bn_none", "bireal": True}, 269_850, 267_264, 18),
    ("resnet20", {"block": "preact", "order": "bn_none"}, 432 + 267_264 + 800 + 128 + 650,
     267_264, 18),
    ("resnet18", {"first_last": "binary", "shortcut": "B_binary"}, 11_174_986,
     10_985_472 + 172_032 + 1_728 + 5_120, 16 + 3 + 2),
    ("vgg_small", {"head": "1024x2"}, 4_660_106 - 81_930 + 8192 * 1024 + 1024**2 + 1024 * 10
     + 2 * 1024 + 10 + 2 * 2 * 1024, 4_571_136 + 8192 * 1024 + 1024**2, 7),
    ("vgg_small", {"head": "1024x2", "first_last": "binary", "conv_bias": True}, 14_033_546,
     4_574_592 + 8192 * 1024 + 1024**2 + 1024 * 10, 9),
    ("vgg_small", {"head": "1024x3", "first_last": "binary", "logits_bn": True},
     14_033_546 - 1_792 + 1024**2 + 1024 + 2 * 1024, 4_574_592 + 8192 * 1024 + 2 * 1024**2
     + 1024 * 10, 10),
)  # fmt: skip


@pytest.mark.parametrize(("name", "params", "total", "weights", "layers"), SIZES)
def test_sizes(name: str, params: dict[str, Any], total: int, weights: int, layers: int) -> None:
    """Parameters, binary weights and binary layers."""
    with torch.device("meta"):
        net = skeleton(BACKBONES.build(name, params), Native())
    found = [layer for _, layer in binary_layers(net)]

    assert sum(p.numel() for p in net.parameters()) == total
    assert (sum(layer.weight.numel() for layer in found), len(found)) == (weights, layers)


def test_all_binary_is_all_binary() -> None:
    """With binary shortcuts nothing is left to multiply but binary weights."""
    params = {"first_last": "binary", "shortcut": "B_binary", "width": 4}
    one, real = (count_cost(BACKBONES.build("resnet18", params), binary=b) for b in (True, False))

    assert (one.real_macs, real.real_macs) == (0, one.binary_macs)


PREACT = {"block": "preact", "order": "bn_none"}
BINARY = {"first_last": "binary", "shortcut": "B_binary"}
STRUCTURES: list[tuple[str, str, dict[str, Any]]] = [
    *(("1/1", "resnet20", {"order": order, "bireal": True}) for order in ORDERS),
    *(("1/1", "vgg_small", {"order": order, "head": "1024x2"}) for order in ORDERS),
    *(("1/1", "resnet20", PREACT | {"shortcut": s}) for s in ("A", "B", "avgpool_conv")),
    ("1/1", "resnet20", {"order": "bn_rprelu", "stem_act": "none"}),
    ("1/1", "resnet20", {"order": "bn_none", "stem_act": "relu"}),
    ("1/1", "vgg_small", {"first_last": "binary", "head": "1024x3", "conv_bias": True}),
    *((wa, "resnet20", PREACT | BINARY) for wa in ("1/1", "1/32", "32/32")),
    *((wa, "resnet20", {"order": "bn_none"} | BINARY) for wa in ("1/32", "32/32")),
    *((wa, "resnet20", {"order": "bn_maxout"}) for wa in ("1/32", "32/32")),
    *(
        (wa, "vgg_small", {"first_last": "binary", "logits_bn": True, "order": "bn_rprelu"})
        for wa in ("1/1", "1/32", "32/32")
    ),
]


@pytest.mark.parametrize(("wa", "name", "params"), STRUCTURES, ids=str)
def test_a_step_of_each(wa: str, name: str, params: dict[str, Any]) -> None:
    """A gradient in every parameter, in the layout of training; a net without classic blocks."""
    net = build(name, wa, **params, real_block="same").to(memory_format=torch.channels_last)
    x = torch.randn(4, 3, TINY[name][1], TINY[name][1])
    before = [p.clone() for p in net.parameters()]
    logits = net(x.to(memory_format=torch.channels_last))
    (logits * torch.randn(4, 10)).sum().backward()
    grads = {n: p.grad for n, p in net.named_parameters()}
    torch.optim.SGD(net.parameters(), 0.1).step()
    still = {n for (n, p), old in zip(net.named_parameters(), before, strict=True) if p.equal(old)}

    assert logits.shape == (4, 10)
    assert not [n for n, g in grads.items() if g is None or not g.isfinite().all()]
    # BN takes a bias away that stands before it: its gradient is rounding
    assert still <= {n for n in grads if n.endswith(".bias")}
    assert bool(binary_layers(net)) == (wa != "32/32")


@pytest.mark.parametrize("name", ["resnet20", "vgg_small"])
@pytest.mark.parametrize("wa", ["1/32", "32/32"])
def test_no_network_is_linear(name: str, wa: str) -> None:
    """Without activations ReLU stands in where the input of convolutions is real."""
    for same in ("classic", "same"):
        kinds = [type(m) for m in build(name, wa, order="bn_none", real_block=same).modules()]
        assert kinds.count(nn.ReLU) >= 6
    assert nn.ReLU not in [type(m) for m in build(name, "1/1", order="bn_none").modules()]


def test_the_first_layer_takes_images_as_they_are() -> None:
    """Of first_last: binary: its weights are binary and its input is not; padding is 0."""
    for name in ("resnet20", "vgg_small"):
        net = build(name, first_last="binary")
        (_, first), *_, (_, last) = binary_layers(net)
        x = torch.randn(2, 3, 16, 16)
        expected = F.conv2d(x, first.weight.sign(), padding=1) * first.weight.abs().mean()

        assert isinstance(first, BinaryConv2d)
        assert isinstance(last, BinaryLinear)
        assert isinstance(first.A, nn.Identity)
        assert not isinstance(last.A, nn.Identity)
        torch.testing.assert_close(first(x), expected)


def test_a_binary_convolution_may_have_a_bias() -> None:
    """It is real, one for each output channel."""
    net = build("vgg_small", conv_bias=True, first_last="binary").double()
    layer: Any = binary_layers(net)[0][1]
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    nn.init.normal_(layer.bias)
    y = layer(x)
    bias = layer.bias.clone()
    nn.init.zeros_(layer.bias)

    torch.testing.assert_close(y, layer(x) + bias.view(1, -1, 1, 1))


def norm(y: Tensor) -> Tensor:
    """BatchNorm in training mode at its first weights."""
    mean = y.mean((0, 2, 3), keepdim=True)
    return (y - mean) / (y.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()


def conv(layer: BinaryLayer, z: Tensor, stride: int = 1) -> Tensor:
    w = layer.weight
    return F.conv2d(z.sign(), w.sign(), stride=stride, padding=1) * w.abs().mean()


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "prelu_bn": lambda z: F.leaky_relu(z, 0.25),
    "bn_prelu": lambda z: F.leaky_relu(z, 0.25),
    "bn_rprelu": lambda z: F.leaky_relu(z + 0.5, 0.25) - 0.25,
    "bn_maxout": lambda z: 1.0 * z.relu() - 0.25 * (-z).relu(),
    "bn_none": lambda z: z,
    "bn_relu": lambda z: z.relu(),
}


@pytest.mark.parametrize("bireal", [False, True])
@pytest.mark.parametrize("order", ACTIVATIONS)
def test_blocks_of_each_order(order: str, bireal: bool) -> None:
    """As their papers draw them, the activation after the sum or before BN."""
    block = build("resnet20", order=order, bireal=bireal).double()[3 if order != "bn_none" else 2]
    for module in block.modules():
        if isinstance(module, RPReLU):
            nn.init.constant_(module.a, 0.5)
            nn.init.constant_(module.b, -0.25)
    act, x = ACTIVATIONS[order], torch.randn(3, 4, 6, 6, dtype=torch.float64)
    if order in BN_LAST:
        u = norm(act(conv(block.conv1, x)))
        u = u + x if bireal else u
        y = norm(act(conv(block.conv2, u))) + (u if bireal else x)
    else:
        u = norm(conv(block.conv1, x))
        u = act(u + x if bireal else u)
        y = act(norm(conv(block.conv2, u)) + (u if bireal else x))

    torch.testing.assert_close(block(x), y)


@pytest.mark.parametrize("order", ["bn_none", "bn_relu"])
@pytest.mark.parametrize("shortcut", ["A", "B_binary"])
def test_preact_blocks(order: str, shortcut: str) -> None:
    """BN first, a last one in the branch; a binary shortcut takes what the convolution takes."""
    net = build("resnet20", block="preact", order=order, shortcut=shortcut).double()
    blocks = [m for m in net if hasattr(m, "bn3")]
    block, x = blocks[3], torch.randn(3, 4, 6, 6, dtype=torch.float64)
    act = ACTIVATIONS[order]
    u = act(block.bn1(x))
    y = block.bn3(conv(block.conv2, act(block.bn2(conv(block.conv1, u, 2)))))
    if shortcut == "A":
        skip = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
    else:
        w = block.shortcut[1].weight
        skip = norm(F.conv2d(u.sign(), w.sign(), stride=2) * w.abs().mean())

    torch.testing.assert_close(block(x), y + skip)
    assert block.bn1.affine == block.bn2.affine == (order != "bn_none")
    assert block.bn3.affine
    assert [type(m).__name__ for m in net[:2]] == ["Conv2d", "PreactBlock"]


def test_maxout_of_vectors() -> None:
    """Maxout and RPReLU are of the second dimension, of images and of vectors."""
    x = torch.randn(2, 3)
    for kind in (Maxout, RPReLU):
        torch.testing.assert_close(kind(3)(x), kind(3)(x[:, :, None, None])[:, :, 0, 0])


@pytest.mark.parametrize(
    ("name", "params", "channels"),
    [
        ("resnet20", {}, [4, 8, 16]),
        ("resnet20", {"block": "preact", "order": "bn_none"}, [4, 8, 16]),
        ("resnet18", {"order": "bn_hardtanh"}, [4, 8, 16, 32]),
        ("vgg_small", {"order": "bn_hardtanh"}, [2, 4, 8]),
        ("vgg_small", {"head": "1024x2"}, [2, 4, 8]),
    ],
)
def test_stages(name: str, params: dict[str, Any], channels: list[int]) -> None:
    """Their outputs halve the image from one to the next, after activation and pool."""
    net = build(name, **params)
    seen: list[Tensor] = []
    for stage in net.stages:
        net.get_submodule(stage).register_forward_hook(lambda _, __, y: seen.append(y))
    side = TINY[name][1]
    net(torch.randn(2, 3, side, side))
    sides = [y.shape[-1] for y in seen]

    assert [y.shape[1] for y in seen] == channels
    assert sides == [sides[0] // 2**i for i in range(len(sides))]
    assert sides[0] == (side // 2 if name == "vgg_small" else side)
    if params.get("order") == "bn_hardtanh":
        assert all(y.abs().max() <= 1 for y in seen)


@pytest.mark.parametrize(("depth", "stages"), [(12, "4 8 12"), (2, "1 2"), (1, "1"), (5, "2 4 5")])
def test_stages_of_a_vit(depth: int, stages: str) -> None:
    """Thirds of its blocks, each once."""
    size = {"image": 8, "patch": 4, "dim": 6, "depth": depth, "heads": 2}
    net: Any = BACKBONES.build("vit_tiny", size).build(10, 3, Layers(None, Binarization()))

    assert net.stages == tuple(stages.split())
    assert all(type(net.get_submodule(stage)).__name__ == "Block" for stage in net.stages)


@pytest.mark.parametrize("name", BACKBONES.names())
def test_old_cells_keep_their_names(name: str) -> None:
    """An option that came later is not in the JSON of who does not use it."""
    plugin = BACKBONES.build(name, {})
    later = {"block", "stem_act", "first_last", "head", "conv_bias", "logits_bn"}

    assert not later & plugin.ref(name).params.keys()
    if "first_last" in dict(plugin):
        changed = BACKBONES.build(name, {"first_last": "binary"})
        assert changed.ref(name).params["first_last"] == "binary"


@pytest.mark.parametrize("init", ["kaiming", "kaiming_conv", "fan_out", "torch"])
def test_first_weights_are_of_layers_alone(init: str) -> None:
    """A binarizer's own layers stay as it made them."""

    class Mapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Linear(2, 2, bias=False)
            nn.init.constant_(self.map.weight, 0.5)

    layers = Layers(lambda _role, _shape: Mapped(), Binarization())
    vit = {"image": 8, "patch": 4, "dim": 6, "depth": 1, "heads": 2}
    for name, params in (
        ("resnet20", TINY["resnet20"][0] | {"init": init}),
        ("vgg_small", TINY["vgg_small"][0] | {"init": init}),
        ("vit_tiny", vit),
    ):
        net = BACKBONES.build(name, params).build(10, 3, layers)
        maps = [m.map for m in net.modules() if isinstance(m, Mapped)]

        assert maps
        assert all(m.weight.eq(0.5).all() for m in maps)
