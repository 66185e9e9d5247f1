"""A trained network as whoever deploys it sees it: from images as they are stored to logits."""

import torch
from torch import Tensor, nn

from bench.data.dataset import Transform
from bench.nn.layers import binary_layers


class Deployed(nn.Module):
    """
    Images (N, C, H, W) uint8 to logits (N, classes): normalization, then the network.

    The normalization is `data.dataset.normalize`, to the bit. Binary layers multiply in float32,
    which holds sums of signs exactly, and not in the smaller formats that depend on the machine.
    """

    factor: Tensor  # (C, 1, 1)
    offset: Tensor  # (C, 1, 1)

    def __init__(self, net: nn.Module, transform: Transform) -> None:
        super().__init__()
        self.net = net
        mean, std = (torch.tensor(x).view(-1, 1, 1) for x in (transform.mean, transform.std))
        self.register_buffer("factor", transform.scale / std)
        self.register_buffer("offset", mean / std)
        for _, layer in binary_layers(net):
            layer.whole = False
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images.float() * self.factor - self.offset)
