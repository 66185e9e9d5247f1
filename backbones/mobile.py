"""
MobileNet for small images, in binary: depthwise 3x3 and pointwise 1x1 convolutions by turns.

    stem     conv3x3(channels → w), real, BN
    block    depthwise conv3x3 of C groups, BN, + shortcut where its stride is 1;
             conv1x1 (C → C'), BN, + shortcut where C' = C;  after each sum PReLU
    stages   widths w, 2w, 4w, 8w of `depth` blocks each; all but the first begin with stride 2
    head     global average pool, linear, real
    init     torch's own, so that |w| ≤ 1/√fan-in

Both convolutions of a block are binary. A depthwise one sums nine products: the little that it
tells is why binary MobileNets are hard, and what the shortcut around each of them is for. With
`dilation` of 2 the depthwise convolutions see 5x5.

At width 32, depth 2 and 3 channels it has 146,282 parameters, 137,696 of them in 16 binary layers.

Reference: Howard et al., 2017, arXiv:1704.04861, for the two convolutions; a shortcut around each
as in Bi-Real Net (Liu et al., ECCV 2018, arXiv:1808.00278). A small network of our own, no copy of
a published one.
"""

from torch import Tensor, nn

from bench.plugin import Annotated, Backbone, Field, Layers, Network

Size = Annotated[int, Field(ge=1)]


class Mobile(Backbone):
    width: Size = 32
    depth: Size = 2  # blocks of a stage
    dilation: Size = 1  # of depthwise convolutions

    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        w = self.width
        parts: list[nn.Module] = [
            nn.Conv2d(channels, w, 3, padding=1, bias=False),
            nn.BatchNorm2d(w),
        ]
        stages: list[int] = []
        c_in = w
        for stage in range(4):
            for index in range(self.depth):
                stride = 2 if stage and not index else 1
                parts.append(Block(c_in, w * 2**stage, stride, self.dilation, layers))
                c_in = w * 2**stage
            stages.append(len(parts) - 1)
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c_in, num_classes))
        return Network(*parts, *head, stages=stages)


class Block(nn.Module):
    """
    A depthwise and a pointwise convolution, each with a shortcut where shapes allow one.

    Shapes: x (N, c_in, H, W), y (N, c_out, H/stride, W/stride), rounded up.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, dilation: int, layers: Layers) -> None:
        super().__init__()
        self.depthwise = layers.conv(c_in, c_in, 3, stride=stride, dilation=dilation, groups=c_in)
        self.bn1, self.act1 = nn.BatchNorm2d(c_in), nn.PReLU(c_in)
        self.pointwise = layers.conv(c_in, c_out, 1)
        self.bn2, self.act2 = nn.BatchNorm2d(c_out), nn.PReLU(c_out)
        self.skips = stride == 1, c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        u = self.bn1(self.depthwise(x))
        u = self.act1(u + x if self.skips[0] else u)
        y = self.bn2(self.pointwise(u))
        return self.act2(y + u if self.skips[1] else y)
