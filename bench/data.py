"""
Data sets as uint8 tensors on the training device, augmented there by tensor arithmetic.

A `Dataset` is what was found on disk or in a package; `bench.sources` finds it. Augmentation
belongs to the data set (digits are never flipped). Its random numbers come from one
generator on the CPU, drawn once an epoch, so that they do not depend on the device.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Split: TypeAlias = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Transform:
    """
    x → (scale·x - mean)/std, after the training split's random crop and flip.

    Args:
        mean, std: per channel, for values scaled to [0, 1].
        scale: what brings stored values to [0, 1].
        pad: random crop of the image's own size from the image padded by `pad` zeros a side.
        flip: mirror left to right with probability 1/2.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255
    pad: int = 0
    flip: bool = False


@dataclass(frozen=True)
class Dataset:
    """Images (N, C, H, W) uint8 and labels (N,) int64, in two splits."""

    label: str  # how tables call it
    train: Split
    test: Split
    num_classes: int
    transform: Transform

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of every pixel, label and constant of the transform."""
        digest = hashlib.sha256(repr(self.transform).encode())
        for tensor in (*self.train, *self.test):
            digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()[:16]

    def to(self, device: torch.device) -> "Dataset":
        """The same data on `device`."""
        train, test = ((x.to(device), y.to(device)) for x, y in (self.train, self.test))
        return replace(self, train=train, test=test)


def epoch(data: Dataset, size: int, rng: torch.Generator) -> Iterator[Split]:
    """
    Yield one shuffled, augmented epoch of (images float32 (n, C, H, W), labels (n,)).

    The last batch holds what is left over, as in the reference (no drop_last).
    """
    images, labels = data.train
    n, pad = len(images), data.transform.pad
    order = torch.randperm(n, generator=rng)
    shift = torch.randint(0, 2 * pad + 1, (n, 2), generator=rng)
    flip = torch.rand(n, generator=rng) < (0.5 if data.transform.flip else 0.0)
    order, shift, flip = (t.to(images.device) for t in (order, shift, flip))
    for rows in torch.split(torch.arange(n, device=images.device), size):
        chosen = order[rows]
        x = images[chosen]
        if pad or data.transform.flip:
            x = crop(x, pad, shift[rows], flip[rows])
        yield normalize(x, data.transform), labels[chosen]


def batches(split: Split, transform: Transform, size: int) -> Iterator[Split]:
    """Yield a split in order, normalized and never augmented."""
    for images, labels in zip(
        torch.split(split[0], size), torch.split(split[1], size), strict=True
    ):
        yield normalize(images, transform), labels


def normalize(x: Tensor, transform: Transform) -> Tensor:
    """Images (n, C, H, W) uint8 to float32, (scale·x - mean)/std per channel."""
    mean = torch.tensor(transform.mean, device=x.device).view(-1, 1, 1)
    std = torch.tensor(transform.std, device=x.device).view(-1, 1, 1)
    return x.float().mul_(transform.scale / std).sub_(mean / std)


def crop(x: Tensor, pad: int, shift: Tensor, flip: Tensor) -> Tensor:
    """
    Crop (n, C, H, W) out of itself padded with zeros, then mirror where `flip`.

    Args:
        shift: (n, 2) int64, top and left corner in the padded image, each in [0, 2·pad].
        flip: (n,) bool.
    """
    n, _, height, width = x.shape
    padded = F.pad(x, (pad, pad, pad, pad))
    across = torch.arange(width, device=x.device).expand(n, -1)
    across = torch.where(flip[:, None], width - 1 - across, across) + shift[:, 1:]
    down = torch.arange(height, device=x.device) + shift[:, :1]
    image = torch.arange(n, device=x.device)[:, None, None]
    # Indices around a slice put the channels last.
    return padded[image, :, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)
