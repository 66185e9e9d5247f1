"""Every shipped network: its size as released, its options, its gradients, its errors."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor, nn

from bench.cli.new_backbone import TEMPLATE
from bench.cli.new_estimator import write_plugin
from bench.data.sources import Digits
from bench.nn.clock import Clock
from bench.nn.layers import BinaryConv2d, BinaryLinear, Layers, binary_layers
from bench.plugin import ResNet
from bench.registry import BACKBONES, ESTIMATORS, Registry
from bench.spec.cell import Binarization, Recipe
from bench.train.indicators import IndicatorRecorder
from bench.train.trainer import train


def build(name: str, *, binary: Any = True, task: Any = (10, 3), **params: Any) -> Any:
    """A network with STE, or a real one, for (classes, channels)."""
    torch.manual_seed(0)
    clock, ste = Clock(), ESTIMATORS.build("ste", {})
    maker = (lambda r, s: ste.binarizer(r, s, clock, 0)) if binary else None
    return BACKBONES.build(name, params).build(task[0], task[1], Layers(maker, Binarization()))


# In a row: total, then weights and number of binary layers, of real convolutions, of BN, and the
# linear map. As released, but for two real nets that were not released and are added up here:
# VGG-small has 9 (3·128 + 128² + 128·256 + 256² + 256·512 + 512²) = 4,574,592 in 6 convolutions,
# ResNet-34 49·3·64 = 9,408 in the stem, 64·128 + 128·256 + 256·512 = 172,032 in 3 shortcuts and
# 9 (6·64² + 64·128 + 7·128² + 128·256 + 11·256² + 256·512 + 5·512²) = 21,086,208 in 32 others.
Pair = tuple[int, int]
Row = tuple[str, bool, dict[str, Any], int, Pair, Pair, Pair, int]
SIZES: tuple[Row, ...] = (
    ("resnet20", True, {}, 269_850, (267_264, 18), (432, 1), (1_504, 20), 650),
    ("resnet20", True, {"bireal": True}, 269_850, (267_264, 18), (432, 1), (1_504, 20), 650),
    ("resnet20", False, {}, 269_850, (0, 0), (267_696, 19), (1_504, 20), 650),
    ("resnet18", True, {}, 11_174_986, (10_985_472, 16), (173_760, 4), (10_624, 21), 5_130),
    ("resnet18", False, {}, 11_174_986, (0, 0), (11_159_232, 20), (10_624, 21), 5_130),
    ("vgg_small", True, {}, 4_660_106, (4_571_136, 5), (3_456, 1), (3_584, 6), 81_930),
    ("vgg_small", False, {}, 4_660_106, (0, 0), (4_574_592, 6), (3_584, 6), 81_930),
    ("resnet18_imagenet", True, {}, 11_690_536,
     (10_985_472, 16), (181_440, 4), (10_624, 21), 513_000),
    ("resnet18_imagenet", False, {}, 11_690_536,
     (0, 0), (11_166_912, 20), (10_624, 21), 513_000),
    ("resnet34_imagenet", True, {}, 21_798_696,
     (21_086_208, 32), (181_440, 4), (18_048, 37), 513_000),
    ("resnet34_imagenet", False, {}, 21_798_696,
     (0, 0), (21_267_648, 36), (18_048, 37), 513_000),
    # of our own: 9 C + C C' in each of 8 blocks, 864 in the stem
    ("mobile", True, {}, 146_282, (137_696, 16), (864, 1), (3_456, 17), 2_570),
)  # fmt: skip


@pytest.mark.parametrize("row", SIZES, ids=lambda row: f"{row[0]}-{row[1]}-{row[2]}")
def test_sizes_are_those_released(row: Row) -> None:
    """Parameters in all, and of each kind, with the number of layers that hold them."""
    name, binary, params, total, ones, convs, norms, fc = row
    plugin = BACKBONES.build(name, params)
    maker = (lambda *_: nn.Identity()) if binary else None
    with torch.device("meta"):
        net = plugin.build(plugin.native.classes, 3, Layers(maker, Binarization()))
    modules = list(net.modules())
    real = [m for m in modules if isinstance(m, nn.Conv2d) and not isinstance(m, BinaryConv2d)]

    assert size([net]) == total
    assert counted([layer for _, layer in binary_layers(net)]) == ones
    assert counted(real) == convs
    assert counted([m for m in modules if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]) == norms
    assert counted([m for m in modules if isinstance(m, nn.Linear)]) == (fc, 1)


def size(modules: list[nn.Module]) -> int:
    return sum(p.numel() for m in modules for p in m.parameters())


def counted(modules: list[Any]) -> tuple[int, int]:
    return size(modules), len(modules)


@pytest.mark.parametrize("binary", [True, False])
def test_size_of_vit_tiny(binary: bool) -> None:
    """5,717,416 parameters, 5,308,416 of them binary, as the sum of its parts."""
    weights = 12 * (192 * 576 + 192 * 192 + 2 * 192 * 768)
    biases = 12 * (576 + 192 + 768 + 192)
    norms = 25 * 2 * 192
    patch, embedding = 16 * 16 * 3 * 192 + 192, 192 + 197 * 192
    head = 192 * 1000 + 1000
    maker = (lambda *_: nn.Identity()) if binary else None
    with torch.device("meta"):
        net = BACKBONES.build("vit_tiny", {}).build(1000, 3, Layers(maker, Binarization()))
    found = binary_layers(net)

    assert weights + biases + norms + patch + embedding + head == 5_717_416 == size([net])
    assert weights == 5_308_416
    assert len(found) == (48 if binary else 0)
    assert sum(m.weight.numel() for _, m in found) == (weights if binary else 0)


RESNET = "resnet20"
SMALL = [  # name, image, parameters that make it small
    ("resnet18", 32, {"width": 4}),
    ("vgg_small", 32, {"width": 4}),
    ("resnet18_imagenet", 224, {"width": 2}),
    ("resnet34_imagenet", 224, {"width": 2}),
    ("vit_tiny", 32, {"image": 32, "patch": 8, "dim": 12, "depth": 2}),
]
OPTIONS = [
    *((n, i, p) for n, i, p in SMALL),
    *(
        (RESNET, 16, {"width": 4, "order": order, "bireal": bireal, "shortcut": shortcut})
        for order in ("relu_bn", "bn_hardtanh", "bn_prelu")
        for bireal in (False, True)
        for shortcut in ("A", "B", "B_binary", "avgpool_pad", "avgpool_conv")
    ),
    *((RESNET, 16, {"width": 4, "head_bn": False, "init": i}) for i in ("torch", "kaiming_conv")),
    (RESNET, 16, {"width": 4, "init": "fan_out", "bn_init": 0.5, "real_block": "same"}),
    (RESNET, 32, {"width": 4, "stem": "imagenet", "order": "bn_hardtanh"}),
    ("resnet18", 32, {"width": 4, "order": "bn_hardtanh", "shortcut": "B_binary"}),
    ("resnet18", 32, {"width": 4, "bireal": True, "order": "bn_prelu", "shortcut": "avgpool_pad"}),
    ("resnet18", 128, {"width": 4, "stem": "imagenet", "real_block": "same"}),
    ("resnet18_imagenet", 224, {"width": 2, "bireal": False, "real_block": "classic"}),
    ("mobile", 16, {"width": 4, "dilation": 2}),
    ("vgg_small", 16, {"width": 4, "image": 16, "order": "bn_hardtanh", "init": "kaiming"}),
    ("vgg_small", 8, {"width": 4, "image": 8, "order": "bn_prelu", "real_block": "same"}),
    ("vit_tiny", 8, {"image": 8, "patch": 2, "dim": 8, "depth": 1, "heads": 2, "mlp_ratio": 2}),
]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("name", "image", "params"), OPTIONS)
def test_images_become_logits(name: str, image: int, params: dict[str, Any], binary: bool) -> None:
    """Logits for any classes and channels, a gradient in every parameter, no binary leakage."""
    net = build(name, binary=binary, task=(7, 2), **params)
    logits = net(torch.randn(4, 2, image, image))
    (logits * torch.randn(4, 7)).sum().backward()
    grads = {n: p.grad for n, p in net.named_parameters()}

    assert logits.shape == (4, 7)
    assert bool(binary_layers(net)) == binary
    assert not [n for n, g in grads.items() if g is None or not g.isfinite().all()]
    assert not [n for n, g in grads.items() if g is not None and not g.any()]


@pytest.mark.parametrize("name", ["resnet18", "vgg_small", "vit_tiny"])
def test_channels_last_changes_nothing(name: str) -> None:
    """The layout that training uses gives the same logits."""
    _, image, params = next(s for s in SMALL if s[0] == name)
    net = build(name, binary=False, **params).eval()
    x = torch.randn(2, 3, image, image)
    before = net(x)
    after = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))

    torch.testing.assert_close(before, after)


@pytest.mark.parametrize(("name", "image", "params"), SMALL)
def test_an_image_of_another_size_is_an_error(
    name: str, image: int, params: dict[str, Any]
) -> None:
    """The message names the size that came and the one that is needed."""
    net = build(name, **params)

    assert BACKBONES.build(name, params).only_image == image
    for h, w in ((image - 1, image - 1), (image, image + 8), (2 * image, 2 * image)):
        with pytest.raises(ValueError, match="images are") as caught:
            net(torch.zeros(2, 3, h, w))
        assert str(caught.value) == f"images are {h}x{w}, this network needs {image}x{image}"


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("vit_tiny", {"image": 30}, r"image \(=30\) must be a multiple of patch \(=16\)"),
        ("vit_tiny", {"heads": 5}, r"dim \(=192\) must be a multiple of heads \(=5\)"),
        ("vgg_small", {"image": 30}, "multiple of 8"),
        ("resnet18", {"width": 3}, "multiple of 2"),
        ("resnet18", {"order": "relu"}, "'relu_bn', 'prelu_bn', 'bn_hardtanh'"),
        ("resnet18", {"block": "preact"}, "begins with BN, order: relu_bn ends with it"),
        ("resnet20", {"block": "preact", "order": "bn_none", "bireal": True}, "drop bireal"),
    ],
)
def test_parameters_that_do_not_fit(name: str, params: dict[str, Any], message: str) -> None:
    """What cannot be built is refused before anything is built."""
    with pytest.raises(ValidationError, match=message):
        BACKBONES.build(name, params)


def norm(y: Tensor) -> Tensor:
    """BatchNorm in training mode at its first weights."""
    mean = y.mean((0, 2, 3), keepdim=True)
    return (y - mean) / (y.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()


def by_hand(order: str, bireal: bool, skip: Tensor, x: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
    """A block as its paper draws it: `order` bn_relu is the real one, all others are binary."""

    def conv(z: Tensor, w: Tensor, stride: int = 1) -> Tensor:
        if order == "bn_relu":
            return F.conv2d(z, w, stride=stride, padding=1)
        return F.conv2d(z.sign(), w.sign(), stride=stride, padding=1) * w.abs().mean()

    stride = x.shape[-1] // skip.shape[-1]
    match order, bireal:
        case "relu_bn", False:
            return norm(conv(norm(conv(x, w1, stride).relu()), w2).relu()) + skip
        case "relu_bn", True:
            u = norm(conv(x, w1, stride).relu()) + skip
            return norm(conv(u, w2).relu()) + u
        case "bn_hardtanh", False:
            return F.hardtanh(norm(conv(F.hardtanh(norm(conv(x, w1, stride))), w2)) + skip)
        case "bn_hardtanh", True:
            u = F.hardtanh(norm(conv(x, w1, stride)) + skip)
            return F.hardtanh(norm(conv(u, w2)) + u)
        case "bn_prelu", True:
            u = F.leaky_relu(norm(conv(x, w1, stride)) + skip, 0.25)
            return F.leaky_relu(norm(conv(u, w2)) + u, 0.25)
        case _:
            return (norm(conv(norm(conv(x, w1, stride)).relu(), w2)) + skip).relu()


@pytest.mark.parametrize("index", [3, 6])
@pytest.mark.parametrize(
    ("order", "bireal"),
    [
        ("relu_bn", False), ("relu_bn", True), ("bn_hardtanh", False), ("bn_hardtanh", True),
        ("bn_prelu", True), ("bn_relu", False),
    ],
)  # fmt: skip
def test_blocks_are_what_is_drawn(order: str, bireal: bool, index: int) -> None:
    """Every block order, plain and Bi-Real, with and without a change of shape."""
    real = order == "bn_relu"
    params = {} if real else {"order": order, "bireal": bireal}
    block = build("resnet20", binary=not real, width=4, **params).double()[index]
    x = torch.randn(3, 4, 6, 6, dtype=torch.float64)
    skip = x if index == 3 else F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))

    expected = by_hand(order, bireal, skip, x, block.conv1.weight, block.conv2.weight)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("size", [4, 5, 7])
def test_shortcuts_are_what_they_are_called(size: int) -> None:
    """The five shortcuts against their formulas; an odd size is rounded up."""
    x = torch.randn(2, 4, size, size)
    half = (size + 1) // 2
    mean = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
    padding = (0, 0, 0, 0, 2, 2)
    blocks = {
        kind: build("resnet20", width=4, shortcut=kind)[6].shortcut
        for kind in ("A", "B", "B_binary", "avgpool_pad", "avgpool_conv")
    }
    w = {k: m.weight for k, s in blocks.items() for m in s.modules() if isinstance(m, nn.Conv2d)}
    expected = {
        "A": F.pad(x[:, :, ::2, ::2], padding),
        "B": norm(F.conv2d(x, w["B"], stride=2)),
        "avgpool_pad": F.pad(mean, padding),
        "avgpool_conv": norm(F.conv2d(mean, w["avgpool_conv"])),
        "B_binary": norm(
            F.conv2d(x.sign(), w["B_binary"].sign(), stride=2) * w["B_binary"].abs().mean()
        ),
    }

    torch.testing.assert_close(mean[0, 0, 0, 0], x[0, 0, :2, :2].mean())
    for kind, y in expected.items():
        assert y.shape == (2, 8, half, half)
        torch.testing.assert_close(blocks[kind](x), y)
    assert type(build("resnet20", width=4, shortcut="B")[3].shortcut) is nn.Identity


@pytest.mark.parametrize(
    ("params", "kinds"),
    [
        ({}, "Conv2d ReLU BatchNorm2d BinaryConv2d ReLU BatchNorm2d MaxPool2d"),
        (
            {"order": "bn_hardtanh"},
            "Conv2d BatchNorm2d Hardtanh BinaryConv2d MaxPool2d BatchNorm2d Hardtanh",
        ),
        ({"binary": False}, "Conv2d BatchNorm2d ReLU Conv2d BatchNorm2d ReLU MaxPool2d"),
        (
            {"binary": False, "real_block": "same"},
            "Conv2d ReLU BatchNorm2d Conv2d ReLU BatchNorm2d MaxPool2d",
        ),
    ],
)
def test_layers_of_vgg(params: dict[str, Any], kinds: str) -> None:
    """What follows VGG's first two convolutions, in order; its head is one linear map."""
    net = build("vgg_small", width=2, **params)
    found = [type(m).__name__ for m in net]

    assert found[:7] == kinds.split()
    assert found[-2:] == ["Flatten", "Linear"]
    assert found.count("MaxPool2d") == 3
    assert net[-1].in_features == 8 * 4 * 4


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("resnet20", ["Conv2d", "ReLU", "BatchNorm2d", "Block"]),
        ("resnet18_imagenet", ["Conv2d", "ReLU", "BatchNorm2d", "MaxPool2d", "Block"]),
    ],
)
def test_stem_and_head(name: str, kinds: list[str]) -> None:
    """The stem's order follows the net's, and BatchNorm1d stands before the linear map."""
    found = [type(m).__name__ for m in build(name, width=2)]
    bare = [type(m).__name__ for m in build(name, width=2, head_bn=False)]

    assert found[: len(kinds)] == kinds
    assert found[-3:] == ["Flatten", "BatchNorm1d", "Linear"]
    assert bare[-2:] == ["Flatten", "Linear"]


def test_vit_is_what_is_drawn() -> None:
    """A real ViT against one written out with explicit softmax, in float64."""
    size = {"image": 8, "patch": 4, "dim": 6, "depth": 2, "heads": 2, "mlp_ratio": 3}
    net = build("vit_tiny", binary=False, **size).double()
    for p in net.parameters():  # far from the small initial weights, or errors would not show
        nn.init.normal_(p, 0, 0.5)
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64)

    def layer_norm(y: Tensor, m: Any) -> Tensor:
        mean, var = y.mean(-1, keepdim=True), y.var(-1, unbiased=False, keepdim=True)
        return (y - mean) / (var + 1e-6).sqrt() * m.weight + m.bias

    stem, *blocks = list(net)[:3]
    patches = x.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 1, 4, 5).reshape(3, 4, 48)
    y = patches @ stem.patch.weight.view(6, 48).T + stem.patch.bias
    y = torch.cat([stem.token.expand(3, 1, 6), y], 1) + stem.position
    for block in blocks:
        qkv = layer_norm(y, block.norm1) @ block.qkv.weight.T + block.qkv.bias
        heads: list[Tensor] = []
        for head in range(2):
            q, k, v = (qkv[..., i * 6 + head * 3 : i * 6 + head * 3 + 3] for i in range(3))
            heads.append((q @ k.transpose(1, 2) / 3**0.5).softmax(-1) @ v)
        y = y + torch.cat(heads, -1) @ block.proj.weight.T + block.proj.bias
        hidden = F.gelu(layer_norm(y, block.norm2) @ block.fc1.weight.T + block.fc1.bias)
        y = y + hidden @ block.fc2.weight.T + block.fc2.bias
    logits = layer_norm(y[:, 0], net[4]) @ net[5].weight.T + net[5].bias

    torch.testing.assert_close(net(x), logits)


def test_first_weights() -> None:
    """The initializations, each by its bound or deviation."""
    nets = {name: build(name, **p) for name, p in (("resnet18", {"width": 16}), ("vgg_small", {}))}
    nets["imagenet"] = build("resnet18_imagenet", width=16, task=(1000, 3))
    nets["vit"] = build("vit_tiny", depth=1)
    nets["rbnn"] = build("resnet20", bn_init=1e-8)
    deep = nets["imagenet"][9].conv2.weight
    conv = [m for m in nets["vgg_small"] if isinstance(m, nn.Conv2d)][3]

    for layer in (nets["resnet18"][8].conv2, nets["resnet18"][-1], nets["imagenet"][-1]):
        bound = layer.weight[0].numel() ** -0.5
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert deep.std().item() == pytest.approx((2 / deep[0].numel()) ** 0.5, rel=0.02)
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)
    assert nets["vgg_small"][-1].weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not nets["vgg_small"][-1].bias.any()
    assert nets["vit"][1].fc1.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not nets["vit"][1].fc1.bias.any()
    norms = [m.weight for m in nets["rbnn"].modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 19
    assert {w.item() for norm in norms for w in norm} == {torch.tensor(1e-8).item()}


def test_indicators_of_a_vit_are_recorded() -> None:
    """n, mean and variance of |g| of binary linear maps, W and A (N, T, C), as by autograd."""
    size = {"image": 8, "patch": 4, "dim": 6, "depth": 1, "heads": 2}
    net, twin = (build("vit_tiny", **size) for _ in range(2))
    x, labels = torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])
    inputs: dict[str, Tensor] = {}
    layers = {k: m for k, m in twin.named_modules() if isinstance(m, BinaryLinear)}
    for name, layer in layers.items():

        def keep(_: object, args: tuple[Tensor], name: str = name) -> tuple[Tensor]:
            inputs[name] = args[0].clone()
            inputs[name].retain_grad()
            return (inputs[name],)

        layer.register_forward_pre_hook(keep)
    recorder = IndicatorRecorder(net, [0])
    for watched in (net, twin):
        F.cross_entropy(watched(x), labels).backward()
    recorder.record_step()
    recorder.finish_epoch(0, net, x, 4)
    rows = {(row.layer, row.role): row for row in recorder.result()}

    assert [n for n, _ in rows][:4] == ["1.qkv", "1.proj", "1.fc1", "1.fc2"]
    assert len(rows) == 8
    for (name, role), row in rows.items():
        z = layers[name].weight if role == "W" else inputs[name]
        assert z.grad is not None
        assert row.n_grad == row.n[0] == z.numel()
        assert row.grad_mean[0] == pytest.approx(z.grad.abs().mean().item(), rel=1e-4)
        assert row.grad_var[0] == pytest.approx(z.grad.abs().var().item(), rel=1e-3)
        error = (z.sign() - z.clamp(-1, 1)).norm().item()
        assert row.error_now_used[0] == pytest.approx(error, rel=1e-4)
        assert row.histograms


def test_a_vit_trains() -> None:
    """The one trainer trains a binary ViT on images of 8x8, indicators and all."""
    torch.manual_seed(0)
    clock, reste = Clock(), ESTIMATORS.build("reste", {})
    layers = Layers(lambda r, s: reste.binarizer(r, s, clock, 0), Binarization())
    size = {"image": 8, "patch": 2, "dim": 12, "depth": 1, "heads": 2}
    net = BACKBONES.build("vit_tiny", size).build(10, 1, layers)
    data = Digits(train=64, test=50).load(Path("nowhere"))
    recipe = Recipe(epochs=2, batch_size=32, lr=1e-3, optimizer="adamw")
    outcome = train(net, clock, data, recipe, seed=0)

    assert outcome.diverged == ""
    assert len(outcome.indicators) == 8


def test_a_local_resnet_is_a_backbone(tmp_path: Path) -> None:
    """A file that subclasses ResNet is a network, and the ResNet that it imports is none."""
    (tmp_path / "resnet8.py").write_text(
        "from bench.plugin import ResNet\n\n\nclass ResNet8(ResNet):\n    blocks = (1, 1, 1)\n"
    )
    nets: Registry[ResNet] = Registry("backbones", "Backbone")
    others: Registry[Any] = Registry("estimators", "Estimator")
    for registry in (nets, others):
        registry.add_folder(tmp_path)

    assert nets.load("resnet8").__name__ == "ResNet8"
    assert nets.build("resnet8", {"width": 4}).blocks == (1, 1, 1)
    assert "resnet8" not in others.names()


def test_a_new_backbone_is_a_network(tmp_path: Path) -> None:
    """What `bench new backbone` writes is found by its name, and gives logits and gradients."""
    path = write_plugin("mine", tmp_path, TEMPLATE, BACKBONES)
    nets: Registry[ResNet] = Registry("backbones", "Backbone")
    nets.add_folder(path.parent)
    net = nets.build("mine", {"width": 4, "depth": 2}).build(3, 1, Layers(None, Binarization()))
    logits = net(torch.randn(2, 1, 8, 8))
    logits.sum().backward()

    assert logits.shape == (2, 3)
    assert not [n for n, p in net.named_parameters() if p.grad is None]
