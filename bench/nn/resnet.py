"""
Residual networks, with every option in which published binary ones differ.

    stem      small         conv3x3(channels → w), norm and activation
              imagenet      conv7x7 of stride 2, norm and activation, MaxPool 3x3 of stride 2
    stem_act  order         the activation of `order`
              relu, none
    block     basic         as `order` and `bireal` say
              preact        [BN, activation, binary conv] x 2, BN, + shortcut; the stem is the
                            convolution and its pool alone, BN and ReLU follow the last block
              a real net    conv, BN, ReLU, conv, BN, + shortcut, ReLU   (real_block: classic)
    order     relu_bn       [binary conv, ReLU, BN] x 2, + shortcut
              prelu_bn      the same with PReLU, one slope per channel
              bn_hardtanh   binary conv, BN, Hardtanh, binary conv, BN, + shortcut, Hardtanh
              bn_relu       the same with ReLU
              bn_prelu      the same with PReLU
              bn_rprelu     the same with PReLU between two learned shifts per channel
              bn_maxout     the same with p relu(x) - q relu(-x), learned per channel
              bn_none       the same without activation; ReLU where convolutions have real input
    bireal    one shortcut for each convolution instead of one for two
    shortcut  where the shape changes; elsewhere it is the identity
              A             every second row and column, new channels zero; no weights
              B             real conv1x1 of the same stride, BN
              B_binary      binary conv1x1 of the same stride, BN
              avgpool_pad   mean of 2x2, new channels zero; no weights
              avgpool_conv  mean of 2x2, real conv1x1, BN
    head      average pool, BatchNorm1d (head_bn), linear
    first_last  real        the first convolution and the linear map
              binary        both as the layers between them, the images as they are
    init      kaiming       normal, fan-in, gain √2: convolutions and the linear map's weight
              kaiming_conv  the same, convolutions alone
              fan_out       N(0, 2/(k² C_out)), the linear map N(0, 0.01²), bias 0
              torch         as torch makes them

In preact blocks of order bn_none a BN before a quantizer has no weight and bias, and a shortcut
with weights takes what the first convolution takes. `bn_init` is the first weight of every other
BatchNorm2d; RBNN's release has 1e-8. Stages end with their last block.
"""

import math
from collections.abc import Iterator
from itertools import accumulate
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator
from torch import nn

from bench.nn.backbone import Backbone, Network, omitted_if
from bench.nn.blocks import BN_LAST, Block, Order, PreactBlock, Shortcut, activation
from bench.nn.layers import Layers, own_modules

BlockKind: TypeAlias = Literal["basic", "preact"]
FirstLast: TypeAlias = Literal["real", "binary"]
Stem: TypeAlias = Literal["small", "imagenet"]
StemAct: TypeAlias = Literal["order", "relu", "none"]
RealBlock: TypeAlias = Literal["classic", "same"]
Init: TypeAlias = Literal["kaiming", "kaiming_conv", "fan_out", "torch"]


class ResNet(Backbone):
    """Stages of blocks of two convolutions; stage i has width w·2^i and halves the image."""

    blocks: ClassVar[tuple[int, ...]] = (2, 2, 2, 2)  # of each stage
    pool: ClassVar[int | None] = None  # side of what the head averages; None: whatever is there

    width: Annotated[int, Field(ge=2, multiple_of=2)] = 64
    block: Annotated[BlockKind, omitted_if("basic")] = "basic"
    order: Order = "relu_bn"
    bireal: bool = False
    real_block: RealBlock = "classic"  # the block of a full-precision net
    shortcut: Shortcut = "A"
    stem: Stem = "small"
    stem_act: Annotated[StemAct, omitted_if("order")] = "order"
    first_last: Annotated[FirstLast, omitted_if("real")] = "real"
    head_bn: bool = True
    init: Init = "kaiming"
    bn_init: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _goes_together(self) -> "ResNet":
        if self.block == "preact" and self.order in BN_LAST:
            message = f"block: preact begins with BN, order: {self.order} ends with it; say bn_none"
            raise ValueError(message)
        if self.block == "preact" and self.bireal:
            message = "block: preact has one shortcut around two convolutions; drop bireal"
            raise ValueError(message)
        return self

    @property
    def only_image(self) -> int | None:
        smaller = 2 ** (len(self.blocks) - 1) * (4 if self.stem == "imagenet" else 1)
        return None if self.pool is None else self.pool * smaller

    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        body = [*self._body(layers)]
        stem = self._stem(channels, layers)
        c = self.width * 2 ** (len(self.blocks) - 1)
        binary = self.first_last == "binary"
        net = Network(
            *stem,
            *body,
            *([nn.BatchNorm2d(c), nn.ReLU()] if self._preact(layers) else []),
            nn.AdaptiveAvgPool2d(1) if self.pool is None else nn.AvgPool2d(self.pool),
            nn.Flatten(),
            *([nn.BatchNorm1d(c)] if self.head_bn else []),
            layers.linear(c, num_classes) if binary else nn.Linear(c, num_classes),
            image=self.only_image,
            stages=[len(stem) - 1 + count for count in accumulate(self.blocks)],
        )
        initialize(net, self.init, self.bn_init)
        return net

    def _classic(self, layers: Layers) -> bool:
        return layers.real and self.real_block == "classic"

    def _preact(self, layers: Layers) -> bool:
        return self.block == "preact" and not self._classic(layers)

    def _body(self, layers: Layers) -> Iterator[nn.Module]:
        """Yield the blocks of all stages."""
        order = "bn_relu" if self._classic(layers) else self.order
        c_in = self.width
        for stage, count in enumerate(self.blocks):
            c_out = self.width * 2**stage
            for index in range(count):
                stride = 2 if index == 0 and stage > 0 else 1
                shape = (c_in, c_out, stride, layers)
                if self._preact(layers):
                    yield PreactBlock(*shape, order=order, shortcut=self.shortcut)
                else:
                    yield Block(*shape, order=order, shortcut=self.shortcut, bireal=self.bireal)
                c_in = c_out

    def _stem(self, channels: int, layers: Layers) -> list[nn.Module]:
        w = self.width
        after = [] if self._preact(layers) else self._after_stem(layers)
        kernel, stride = (3, 1) if self.stem == "small" else (7, 2)
        if self.first_last == "binary":
            conv = layers.conv(channels, w, kernel, stride=stride, real_input=True)
        else:
            conv = nn.Conv2d(channels, w, kernel, stride=stride, padding=kernel // 2, bias=False)
        pool = [nn.MaxPool2d(3, stride=2, padding=1)] if self.stem == "imagenet" else []
        return [conv, *after, *pool]

    def _after_stem(self, layers: Layers) -> list[nn.Module]:
        norm = nn.BatchNorm2d(self.width)
        if self.stem_act == "order":
            order = "bn_relu" if layers.real and self.order == "bn_none" else self.order
            act = activation(order, self.width)
        else:
            act = nn.ReLU() if self.stem_act == "relu" else nn.Identity()
        if isinstance(act, nn.Identity):
            return [norm]
        return [act, norm] if self.order in BN_LAST else [norm, act]


def initialize(net: nn.Module, init: Init, bn_init: float) -> None:
    """
    Set the first weights in place, module by module in order.

    What the binarizers of binary layers own is left as they made it.
    """
    kaiming = {"kaiming": (nn.Conv2d, nn.Linear), "kaiming_conv": (nn.Conv2d,)}.get(init, ())
    for module in own_modules(net):
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.constant_(module.weight, bn_init)
        elif isinstance(module, kaiming):
            nn.init.kaiming_normal_(module.weight)
        elif init == "fan_out":
            _fan_out(module)


def _fan_out(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        fan = module.out_channels * math.prod(module.kernel_size)
        nn.init.normal_(module.weight, 0, math.sqrt(2 / fan))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
        if module.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
            nn.init.zeros_(module.bias)
