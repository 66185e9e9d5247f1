"""What residual networks are made of: activations, shortcuts, and blocks of two convolutions."""

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nn.layers import Layers, takes_real_input
from bench.nn.parts import of_channels

Order: TypeAlias = Literal[
    "relu_bn",
    "prelu_bn",
    "bn_hardtanh",
    "bn_relu",
    "bn_prelu",
    "bn_rprelu",
    "bn_maxout",
    "bn_none",
]
Shortcut: TypeAlias = Literal["A", "B", "B_binary", "avgpool_pad", "avgpool_conv"]
BN_LAST = ("relu_bn", "prelu_bn")  # nothing follows a sum


class Block(nn.Module):
    """
    Two convolutions with one shortcut around both, or (bireal) one around each.

    Shapes: x (N, c_in, H, W), y (N, c_out, H/stride, W/stride), rounded up.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        layers: Layers,
        *,
        order: Order,
        shortcut: Shortcut,
        bireal: bool,
    ) -> None:
        super().__init__()
        self.bireal = bireal
        self.bn_last = order in BN_LAST
        self.conv1 = layers.conv(c_in, c_out, 3, stride=stride)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.act1 = activation(order, c_out, self.conv1)
        self.conv2 = layers.conv(c_out, c_out, 3)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.act2 = activation(order, c_out, self.conv2)
        changes = stride > 1 or c_in != c_out
        self.shortcut = (
            make_shortcut(shortcut, c_in, c_out, stride, layers) if changes else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.bn_last:
            skip = self.shortcut(x)
            u = self.bn1(self.act1(self.conv1(x)))
            if self.bireal:
                u = skip = u + skip
            return self.bn2(self.act2(self.conv2(u))) + skip
        skip = self.shortcut(x)
        u = self.bn1(self.conv1(x))
        u = self.act1(u + skip if self.bireal else u)
        return self.act2(self.bn2(self.conv2(u)) + (u if self.bireal else skip))


class PreactBlock(nn.Module):
    """
    BN, activation, conv, BN, activation, conv, BN, + shortcut; the sum is the output.

    A shortcut with weights takes what the first convolution takes. With order bn_none the quantizer
    of the convolution's input is the activation, and the BN before it has no weight and bias, so
    that the quantizer's input has variance 1 (HWGQ).

    Shapes: as of `Block`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        layers: Layers,
        *,
        order: Order,
        shortcut: Shortcut,
    ) -> None:
        super().__init__()
        affine = order != "bn_none"
        self.conv1 = layers.conv(c_in, c_out, 3, stride=stride)
        self.bn1 = nn.BatchNorm2d(c_in, affine=affine)
        self.act1 = activation(order, c_in, self.conv1)
        self.conv2 = layers.conv(c_out, c_out, 3)
        self.bn2 = nn.BatchNorm2d(c_out, affine=affine)
        self.act2 = activation(order, c_out, self.conv2)
        self.bn3 = nn.BatchNorm2d(c_out)
        changes = stride > 1 or c_in != c_out
        self.shortcut = (
            make_shortcut(shortcut, c_in, c_out, stride, layers) if changes else nn.Identity()
        )
        self.inner = changes and shortcut in {"B", "B_binary", "avgpool_conv"}

    def forward(self, x: Tensor) -> Tensor:
        u = self.act1(self.bn1(x))
        skip = self.shortcut(u if self.inner else x)
        return self.bn3(self.conv2(self.act2(self.bn2(self.conv1(u))))) + skip


class Subsample(nn.Module):
    """Every `stride`-th row and column, then `pad` zero channels on both sides: option A."""

    def __init__(self, stride: int, pad: int) -> None:
        super().__init__()
        self.stride, self.pad = stride, pad

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.pad, self.pad)) if self.pad else x


class Maxout(nn.Module):
    """p relu(x) - q relu(-x), p and q learned for each channel, from 1 and 0.25 (AdaBin)."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.ones(c))
        self.q = nn.Parameter(torch.full((c,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        return of_channels(self.p, x) * x.relu() - of_channels(self.q, x) * (-x).relu()


class RPReLU(nn.Module):
    """PReLU between two shifts, all learned for each channel: prelu(x + a) + b (ReActNet)."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(c))
        self.prelu = nn.PReLU(c)
        self.b = nn.Parameter(torch.zeros(c))

    def forward(self, x: Tensor) -> Tensor:
        return self.prelu(x + of_channels(self.a, x)) + of_channels(self.b, x)


def make_shortcut(kind: Shortcut, c_in: int, c_out: int, stride: int, layers: Layers) -> nn.Module:
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


def activation(order: Order, c: int, layer: nn.Module | None = None) -> nn.Module:
    """
    The real activation of `order`, for c channels.

    Args:
        layer: the layer beside it, that binarizes its input or does not. In bn_none it is the only
            non-linearity; one with real input has a ReLU in its place.
    """
    match order:
        case "bn_prelu" | "prelu_bn":
            return nn.PReLU(c)
        case "bn_hardtanh":
            return nn.Hardtanh()
        case "bn_maxout":
            return Maxout(c)
        case "bn_rprelu":
            return RPReLU(c)
        case "bn_none" if layer is None or not takes_real_input(layer):
            return nn.Identity()
        case _:
            return nn.ReLU()
