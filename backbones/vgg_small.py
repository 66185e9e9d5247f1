"""
VGG-small: 6 convolutions of widths w, w, 2w, 2w, 4w, 4w and one linear map; the first is real.

    layer    relu_bn       conv3x3, ReLU, BN, pool        (prelu_bn: PReLU, a slope per channel)
             bn_hardtanh   conv3x3, pool, BN, Hardtanh     (bn_relu, bn_prelu, bn_rprelu, bn_maxout,
                           bn_none: what stands there for Hardtanh, as in a ResNet)
             a real net    conv3x3, BN, ReLU, pool         (real_block: classic)
    pool     MaxPool 2x2 after the second, fourth and sixth convolution
    head     linear        flatten, linear; its size follows from `image`
             1024x2        flatten, 2 linear maps of 8w, as the convolutions are, and the last one
             1024x3        the same with 3
    first_last  real       the first convolution and the last linear map
             binary        both as the layers between them, the images as they are
    init     convolutions N(0, 2/(9 C_out)), linear N(0, 0.01²), bias 0

With `conv_bias` convolutions have a real bias, with `logits_bn` a BatchNorm1d without weight and
bias stands behind the last linear map. A stage ends where the next convolution takes over.

At width 128 and 32x32x3 it has 4,660,106 parameters, 4,571,136 of them in 5 binary layers.
BinaryNet's, for CIFAR-10, has `head: 1024x2`, `first_last: binary` and `conv_bias: true`:
14,033,546 parameters, 14,022,016 of them in 9 binary layers.

Reference: Zhang et al., ECCV 2018, arXiv:1807.10029 (LQ-Nets), whose order is bn_relu; relu_bn as
released with ReSTE (Wu et al., ICCV 2023), bn_hardtanh as in RBNN. Heads of linear maps of 1024:
Hubara et al., NeurIPS 2016, arXiv:1602.02830, as in BinaryNet and BinaryConnect.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, TypeAlias

from torch import nn

from bench.plugin import (
    BN_LAST,
    Annotated,
    Backbone,
    Field,
    FirstLast,
    Init,
    Layers,
    Network,
    Order,
    RealBlock,
    activation,
    initialize,
    omitted_if,
)

Head: TypeAlias = Literal["linear", "1024x2", "1024x3"]


class VGGSmall(Backbone):
    image: Annotated[int, Field(ge=8, multiple_of=8)] = 32
    width: Annotated[int, Field(ge=1)] = 128
    order: Order = "relu_bn"
    real_block: RealBlock = "classic"
    head: Annotated[Head, omitted_if("linear")] = "linear"
    first_last: Annotated[FirstLast, omitted_if("real")] = "real"
    conv_bias: Annotated[bool, omitted_if(False)] = False
    logits_bn: Annotated[bool, omitted_if(False)] = False
    init: Init = "fan_out"
    bn_init: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0

    @property
    def only_image(self) -> int:
        return self.image

    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        classic = layers.real and self.real_block == "classic"
        order = "bn_relu" if classic else self.order
        parts: list[nn.Module] = []
        stages: list[int] = []
        convs = self._convs(channels, layers)
        for index, conv in enumerate(convs):
            pool = [nn.MaxPool2d(2)] if index % 2 else []
            after = _after(nn.BatchNorm2d(conv.out_channels), order, convs[1])
            late = classic or order in BN_LAST
            parts += [conv, *after, *pool] if late else [conv, *pool, *after]
            stages += [len(parts) - 1] if pool else []
        parts += [nn.Flatten(), *self._head(num_classes, order, layers)]
        net = Network(*parts, image=self.image, stages=stages)
        initialize(net, self.init, self.bn_init)
        return net

    def _convs(self, channels: int, layers: Layers) -> list[nn.Conv2d]:
        w, bias = self.width, self.conv_bias
        if self.first_last == "binary":
            first = layers.conv(channels, w, 3, bias=bias, real_input=True)
        else:
            first = nn.Conv2d(channels, w, 3, padding=1, bias=bias)
        widths = [w * factor for factor in (1, 1, 2, 2, 4, 4)]
        return [first, *(layers.conv(a, b, 3, bias=bias) for a, b in pairwise(widths))]

    def _head(self, num_classes: int, order: Order, layers: Layers) -> Iterator[nn.Module]:
        c_in = 4 * self.width * (self.image // 8) ** 2
        for _ in range(0 if self.head == "linear" else int(self.head[-1])):
            hidden = layers.linear(c_in, 8 * self.width)
            yield hidden
            c_in = hidden.out_features
            yield from _after(nn.BatchNorm1d(c_in), order, hidden)
        binary = self.first_last == "binary"
        yield layers.linear(c_in, num_classes) if binary else nn.Linear(c_in, num_classes)
        if self.logits_bn:
            yield nn.BatchNorm1d(num_classes, affine=False)


def _after(
    norm: nn.BatchNorm1d | nn.BatchNorm2d, order: Order, layer: nn.Module
) -> list[nn.Module]:
    """What follows a layer, but for the pool; `layer` is one of those that come next."""
    act = activation(order, norm.num_features, layer)
    if isinstance(act, nn.Identity):
        return [norm]
    return [act, norm] if order in BN_LAST else [norm, act]
