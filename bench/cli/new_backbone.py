"""`bench new backbone NAME`: a file that works as it stands, to be turned into the real one."""

TEMPLATE = '''"""
{name}, one line that says what it is.

    stem    conv3x3(channels → w), real, BN
    body    `depth` times: binary conv3x3, BN, + shortcut, PReLU
    head    global average pool, linear, real

Reference: authors, venue, arXiv id.
"""

from torch import Tensor, nn

from bench.plugin import Annotated, Backbone, Field, Layers, Network


class {cls}(Backbone):
    width: Annotated[int, Field(ge=1, description="channels")] = 16
    depth: Annotated[int, Field(ge=1, description="binary convolutions")] = 4

    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        # Layers that may be binary come from `layers`, all others from torch.
        w = self.width
        stem = (nn.Conv2d(channels, w, 3, padding=1, bias=False), nn.BatchNorm2d(w))
        body = [Block(w, layers) for _ in range(self.depth)]
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(w, num_classes))
        return Network(*stem, *body, *head)


class Block(nn.Module):
    def __init__(self, width: int, layers: Layers) -> None:
        super().__init__()
        self.conv = layers.conv(width, width, 3)
        self.bn, self.act = nn.BatchNorm2d(width), nn.PReLU(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)) + x)
'''
