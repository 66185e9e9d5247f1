"""
ResNet-20 for small images: 3 stages of 3 blocks of 2 convolutions, widths w, 2w, 4w.

    stem     conv3x3(channels → w), real, then ReLU, BN    (bn_hardtanh: BN, Hardtanh)
    block    order relu_bn       [binary conv, ReLU, BN] x 2, + shortcut
             order bn_hardtanh   binary conv, BN, Hardtanh, binary conv, BN, + shortcut, Hardtanh
             a real net          conv, BN, ReLU, conv, BN, + shortcut, ReLU   (real_block: classic)
    bireal   one shortcut for each convolution instead of one for two
    shortcut option A: every second row and column, new channels zero on both sides; no weights
    head     global average pool, BatchNorm1d, linear, real

At width 16 and 3 channels it has 269,850 parameters, 267,264 of them in 18 binary layers.

Reference: He et al., CVPR 2016, arXiv:1512.03385, sec. 4.2; relu_bn as released with ReSTE (Wu
et al., ICCV 2023), bn_hardtanh as in RBNN (plain) and IR-Net (bireal).
"""

from typing import Literal, TypeAlias

import torch.nn.functional as F
from torch import Tensor, nn

from bench.plugin import Annotated, Backbone, Field, Layers

Order: TypeAlias = Literal["relu_bn", "bn_hardtanh", "bn_relu"]


class ResNet20(Backbone):
    width: Annotated[int, Field(ge=2, multiple_of=2)] = 16
    order: Literal["relu_bn", "bn_hardtanh"] = "relu_bn"
    bireal: bool = False
    real_block: Literal["classic", "same"] = "classic"  # the block of a full-precision net

    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        w = self.width
        classic = layers.real and self.real_block == "classic"
        order: Order = "bn_relu" if classic else self.order
        body: list[nn.Module] = []
        c_in = w
        for c_out in (w, 2 * w, 4 * w):
            for index in range(3):
                stride = 2 if index == 0 and c_out > w else 1
                body.append(Block(c_in, c_out, stride, order, self.bireal, layers))
                c_in = c_out
        model = nn.Sequential(
            nn.Conv2d(channels, w, 3, padding=1, bias=False),
            *after(w, self.order),
            *body,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.BatchNorm1d(4 * w),
            nn.Linear(4 * w, num_classes),
        )
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
        return model


def after(c: int, order: Order) -> list[nn.Module]:
    """What follows the stem's convolution."""
    norm = nn.BatchNorm2d(c)
    return [norm, nn.Hardtanh()] if order == "bn_hardtanh" else [nn.ReLU(), norm]


class Block(nn.Module):
    """Two convolutions with one shortcut around both, or (bireal) one around each."""

    def __init__(
        self, c_in: int, c_out: int, stride: int, order: Order, bireal: bool, layers: Layers
    ) -> None:
        super().__init__()
        self.conv1 = layers.conv(c_in, c_out, 3, stride=stride)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = layers.conv(c_out, c_out, 3)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.stride, self.pad = stride, (c_out - c_in) // 2
        self.order, self.bireal = order, bireal

    def forward(self, x: Tensor) -> Tensor:
        skip = self.shortcut(x)
        u = self.inner(self.conv1(x), self.bn1)
        if self.bireal:
            u = skip = self.activate(u + skip)
        elif self.order != "relu_bn":
            u = self.activate(u)
        return self.activate(self.inner(self.conv2(u), self.bn2) + skip)

    def inner(self, y: Tensor, norm: nn.Module) -> Tensor:
        """What stands between a convolution and the sum."""
        return norm(F.relu(y)) if self.order == "relu_bn" else norm(y)

    def activate(self, y: Tensor) -> Tensor:
        """What follows the sum: nothing in relu_bn."""
        if self.order == "relu_bn":
            return y
        return F.hardtanh(y) if self.order == "bn_hardtanh" else F.relu(y)

    def shortcut(self, x: Tensor) -> Tensor:
        """Option A: subsample, then pad the channels with zeros on both sides."""
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.pad, self.pad)) if self.pad else x
