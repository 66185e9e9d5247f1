"""
ViT-tiny: 12 pre-norm transformer blocks on patches of 16x16, dimension 192, 3 heads.

    stem     conv of size and stride `patch` (channels → dim), real; class token; learned positions
    block    x + proj(attention(qkv(LN x))), then x + fc2(GELU(fc1(LN x)))
    binary   qkv, proj, fc1, fc2, each with a real bias; softmax and products of attention are real
    head     LN of the class token, linear, real
    init     every weight, the token and the positions: normal, deviation 0.02, cut at ±2; bias 0

LN has ε = 1e-6. At 224x224x3 and 1000 classes it has 5,717,416 parameters, 5,308,416 of them in
48 binary layers. ReSTE's appendix binarizes the weights alone (W/A 1/32). The three stages that a
method may look at are thirds of the blocks.

Reference: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929; the sizes of Touvron et al., ICML
2021, arXiv:2012.12877, table 1; what is binary: Wu et al., ICCV 2023, appendix.
"""

import math

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

from bench.plugin import Annotated, Backbone, Field, Layers, Native, Network, own_modules

Size = Annotated[int, Field(ge=1)]


class ViTTiny(Backbone):
    native = Native(224, 1000)

    image: Size = 224
    patch: Size = 16
    dim: Size = 192
    depth: Size = 12
    heads: Size = 3
    mlp_ratio: Size = 4

    @model_validator(mode="after")
    def _divides(self) -> "ViTTiny":
        for whole, part in (("image", "patch"), ("dim", "heads")):
            a, b = getattr(self, whole), getattr(self, part)
            if a % b:
                message = f"{whole} (={a}) must be a multiple of {part} (={b})"
                raise ValueError(message)
        return self

    @property
    def only_image(self) -> int:
        return self.image

    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        embedding = Embedding(channels, self.dim, self.patch, (self.image // self.patch) ** 2)
        blocks = (Block(self.dim, self.heads, self.mlp_ratio, layers) for _ in range(self.depth))
        norm = nn.LayerNorm(self.dim, eps=1e-6)
        head = nn.Linear(self.dim, num_classes)
        thirds = [math.ceil(self.depth * third / 3) for third in (1, 2, 3)]  # the embedding is 0
        parts = (embedding, *blocks, First(), norm, head)
        net = Network(*parts, image=self.image, stages=dict.fromkeys(thirds))
        for module in own_modules(net):
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.02)
                assert module.bias is not None  # of every one of them
                nn.init.zeros_(module.bias)
        return net


class Embedding(nn.Module):
    """Images (N, channels, H, W) to tokens (N, 1 + patches, dim), the class token first."""

    def __init__(self, channels: int, dim: int, patch: int, patches: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(channels, dim, patch, stride=patch)
        self.token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dim), std=0.02))
        self.position = nn.Parameter(
            nn.init.trunc_normal_(torch.empty(1, 1 + patches, dim), std=0.02)
        )

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        return torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.position


class Block(nn.Module):
    """Self-attention, then two linear maps, each after a LayerNorm and around a shortcut."""

    def __init__(self, dim: int, heads: int, mlp_ratio: int, layers: Layers) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.qkv = layers.linear(dim, 3 * dim)
        self.proj = layers.linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.fc1 = layers.linear(dim, mlp_ratio * dim)
        self.fc2 = layers.linear(mlp_ratio * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.proj(self.attention(self.norm1(x)))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))

    def attention(self, x: Tensor) -> Tensor:
        """softmax(q kᵀ/√d) v of every head, d = dim/heads; (N, T, dim) to (N, T, dim)."""
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (N, heads, T, d)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class First(nn.Module):
    """The class token: (N, T, dim) to (N, dim)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]
