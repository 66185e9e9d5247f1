"""
Residual networks, with every option in which published binary ones differ.

    stem      small         conv3x3(channels → w), norm and activation
              imagenet      conv7x7 of stride 2, norm and activation, MaxPool 3x3 of stride 2
    block     relu_bn       [binary conv, ReLU, BN] x 2, + shortcut
              bn_hardtanh   binary conv, BN, Hardtanh, binary conv, BN, + shortcut, Hardtanh
              bn_prelu      the same with PReLU, one slope per channel
              a real net    conv, BN, ReLU, conv, BN, + shortcut, ReLU   (real_block: classic)
    bireal    one shortcut for each convolution instead of one for two
    shortcut  where the shape changes; elsewhere it is the identity
              A             every second row and column, new channels zero; no weights
              B             real conv1x1 of the same stride, BN
              B_binary      binary conv1x1 of the same stride, BN
              avgpool_pad   mean of 2x2, new channels zero; no weights
              avgpool_conv  mean of 2x2, real conv1x1, BN
    head      average pool, BatchNorm1d (head_bn), linear
    init      kaiming       normal, fan-in, gain √2: convolutions and the linear map's weight
              kaiming_conv  the same, convolutions alone
              fan_out       N(0, 2/(k² C_out)), the linear map N(0, 0.01²) with bias 0
              torch         as torch makes them

The first convolution and the head are always real. `bn_init` is the first weight of every
BatchNorm2d; RBNN's release has 1e-8.
"""

import math
from typing import Annotated, ClassVar, Literal, TypeAlias

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bench.nn.backbone import Backbone, Network
from bench.nn.layers import Layers

Order: TypeAlias = Literal["relu_bn", "bn_hardtanh", "bn_prelu"]
BlockOrder: TypeAlias = Literal["relu_bn", "bn_hardtanh", "bn_prelu", "bn_relu"]
Shortcut: TypeAlias = Literal["A", "B", "B_binary", "avgpool_pad", "avgpool_conv"]
Stem: TypeAlias = Literal["small", "imagenet"]
RealBlock: TypeAlias = Literal["classic", "same"]
Init: TypeAlias = Literal["kaiming", "kaiming_conv", "fan_out", "torch"]


class ResNet(Backbone):
    """Stages of blocks of two convolutions; stage i has width w·2^i and halves the image."""

    blocks: ClassVar[tuple[int, ...]] = (2, 2, 2, 2)  # of each stage
    pool: ClassVar[int | None] = None  # side of what the head averages; None: whatever is there

    width: Annotated[int, Field(ge=2, multiple_of=2)] = 64
    order: Order = "relu_bn"
    bireal: bool = False
    real_block: RealBlock = "classic"  # the block of a full-precision net
    shortcut: Shortcut = "A"
    stem: Stem = "small"
    head_bn: bool = True
    init: Init = "kaiming"
    bn_init: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0

    @property
    def only_image(self) -> int | None:
        smaller = 2 ** (len(self.blocks) - 1) * (4 if self.stem == "imagenet" else 1)
        return None if self.pool is None else self.pool * smaller

    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        body: list[nn.Module] = []
        c_in = self.width
        for stage, count in enumerate(self.blocks):
            c_out = self.width * 2**stage
            for index in range(count):
                stride = 2 if index == 0 and stage > 0 else 1
                body.append(Block(c_in, c_out, stride, self, layers))
                c_in = c_out
        net = Network(
            *self._stem(channels),
            *body,
            nn.AdaptiveAvgPool2d(1) if self.pool is None else nn.AvgPool2d(self.pool),
            nn.Flatten(),
            *([nn.BatchNorm1d(c_in)] if self.head_bn else []),
            nn.Linear(c_in, num_classes),
            image=self.only_image,
        )
        initialize(net, self.init, self.bn_init)
        return net

    def _stem(self, channels: int) -> list[nn.Module]:
        w, norm = self.width, nn.BatchNorm2d(self.width)
        after = activation(self.order, w)
        after = [after, norm] if self.order == "relu_bn" else [norm, after]
        if self.stem == "small":
            return [nn.Conv2d(channels, w, 3, padding=1, bias=False), *after]
        conv = nn.Conv2d(channels, w, 7, stride=2, padding=3, bias=False)
        return [conv, *after, nn.MaxPool2d(3, stride=2, padding=1)]


class Block(nn.Module):
    """Two convolutions with one shortcut around both, or (bireal) one around each."""

    def __init__(self, c_in: int, c_out: int, stride: int, net: ResNet, layers: Layers) -> None:
        super().__init__()
        classic = layers.real and net.real_block == "classic"
        self.order: BlockOrder = "bn_relu" if classic else net.order
        self.bireal = net.bireal
        self.conv1 = layers.conv(c_in, c_out, 3, stride=stride)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.act1 = activation(self.order, c_out)
        self.conv2 = layers.conv(c_out, c_out, 3)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.act2 = activation(self.order, c_out)
        changes = stride > 1 or c_in != c_out
        kind = net.shortcut
        self.shortcut = shortcut(kind, c_in, c_out, stride, layers) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        if self.order == "relu_bn":  # nothing follows a sum
            skip = self.shortcut(x)
            u = self.bn1(self.act1(self.conv1(x)))
            if self.bireal:
                u = skip = u + skip
            return self.bn2(self.act2(self.conv2(u))) + skip
        skip = self.shortcut(x)
        u = self.bn1(self.conv1(x))
        u = self.act1(u + skip if self.bireal else u)
        return self.act2(self.bn2(self.conv2(u)) + (u if self.bireal else skip))


class Subsample(nn.Module):
    """Every `stride`-th row and column, then `pad` zero channels on both sides: option A."""

    def __init__(self, stride: int, pad: int) -> None:
        super().__init__()
        self.stride, self.pad = stride, pad

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.pad, self.pad)) if self.pad else x


def shortcut(kind: Shortcut, c_in: int, c_out: int, stride: int, layers: Layers) -> nn.Module:
    """What carries (N, c_in, H, W) to (N, c_out, H/stride, W/stride), rounded up."""
    pad = (c_out - c_in) // 2
    # as the strided convolution beside it: rounded up, and a mean of what is there
    mean = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
    match kind:
        case "A":
            return Subsample(stride, pad)
        case "avgpool_pad":
            return nn.Sequential(mean, Subsample(1, pad))
        case "avgpool_conv":
            conv = nn.Conv2d(c_in, c_out, 1, bias=False)
            return nn.Sequential(mean, conv, nn.BatchNorm2d(c_out))
        case "B":
            conv = nn.Conv2d(c_in, c_out, 1, bias=False)
        case "B_binary":
            conv = layers.conv(c_in, c_out, 1)
    # As a strided conv1x1, whose gradient crashes in oneDNN 3.13 where channels are few.
    return nn.Sequential(Subsample(stride, 0), conv, nn.BatchNorm2d(c_out))


def activation(order: BlockOrder, c: int) -> nn.Module:
    """The real activation of `order`, for c channels."""
    if order == "bn_prelu":
        return nn.PReLU(c)
    return nn.Hardtanh() if order == "bn_hardtanh" else nn.ReLU()


def initialize(net: nn.Module, init: Init, bn_init: float) -> None:
    """Set the first weights in place, module by module in order."""
    kaiming = {"kaiming": (nn.Conv2d, nn.Linear), "kaiming_conv": (nn.Conv2d,)}.get(init, ())
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, bn_init)
        elif isinstance(module, kaiming):
            nn.init.kaiming_normal_(module.weight)
        elif init == "fan_out":
            _fan_out(module)


def _fan_out(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        fan = module.out_channels * math.prod(module.kernel_size)
        nn.init.normal_(module.weight, 0, math.sqrt(2 / fan))
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
        nn.init.zeros_(module.bias)
