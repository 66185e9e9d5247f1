"""
VGG-small: 6 convolutions of widths w, w, 2w, 2w, 4w, 4w and one linear map; the first is real.

    layer    relu_bn       conv3x3, ReLU, BN, pool
             bn_hardtanh   conv3x3, pool, BN, Hardtanh     (bn_prelu: PReLU, a slope per channel)
             a real net    conv3x3, BN, ReLU, pool         (real_block: classic)
    pool     MaxPool 2x2 after the second, fourth and sixth convolution
    head     flatten, linear, real; its size follows from `image`
    init     convolutions N(0, 2/(9 C_out)), linear N(0, 0.01²), bias 0

At width 128 and 32x32x3 it has 4,660,106 parameters, 4,571,136 of them in 5 binary layers.

Reference: Zhang et al., ECCV 2018, arXiv:1807.10029 (LQ-Nets); relu_bn as released with ReSTE
(Wu et al., ICCV 2023), bn_hardtanh as in RBNN.
"""

from itertools import pairwise

from torch import nn

from bench.plugin import (
    Annotated,
    Backbone,
    Field,
    Init,
    Layers,
    Network,
    Order,
    RealBlock,
    activation,
    initialize,
)


class VGGSmall(Backbone):
    image: Annotated[int, Field(ge=8, multiple_of=8)] = 32
    width: Annotated[int, Field(ge=1)] = 128
    order: Order = "relu_bn"
    real_block: RealBlock = "classic"
    init: Init = "fan_out"
    bn_init: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0

    @property
    def only_image(self) -> int:
        return self.image

    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        classic = layers.real and self.real_block == "classic"
        order = "bn_relu" if classic else self.order
        widths = [self.width * factor for factor in (1, 1, 2, 2, 4, 4)]
        first = nn.Conv2d(channels, self.width, 3, padding=1, bias=False)
        convs = [first, *(layers.conv(a, b, 3) for a, b in pairwise(widths))]
        parts: list[nn.Module] = []
        for index, conv in enumerate(convs):
            c = conv.out_channels
            norm, act = nn.BatchNorm2d(c), activation(order, c)
            after = [act, norm] if order == "relu_bn" else [norm, act]
            pool = [nn.MaxPool2d(2)] if index % 2 else []
            early = order in {"bn_hardtanh", "bn_prelu"}
            parts += [conv, *pool, *after] if early else [conv, *after, *pool]
        flat = widths[-1] * (self.image // 8) ** 2
        net = Network(*parts, nn.Flatten(), nn.Linear(flat, num_classes), image=self.image)
        initialize(net, self.init, self.bn_init)
        return net
