"""
What the trainer trains on: a `Dataset` is images and labels in two splits, wherever they are.

`Tensors` holds them as uint8 on the training device and augments them there by tensor
arithmetic; `image_folder` decodes files. `sources` finds either. Augmentation belongs to
the data set (digits are never flipped). Its random numbers come from one generator on the CPU,
drawn once an epoch, so that they do not depend on the device.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import ClassVar, Literal, Protocol, Self, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Split: TypeAlias = tuple[Tensor, Tensor]
Name: TypeAlias = Literal["train", "test"]
Report: TypeAlias = Callable[[str], None]
Count: TypeAlias = Callable[[int, int], None]  # so many of so many


LOOKED_AT = 2  # batches of the test split that the first process always evaluates


def silent(*_: object) -> None:
    """Report nothing."""


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
class Share:
    """
    What one of several processes that train together takes: number `rank` of `size`.

    Of a training batch some rows, as evenly as can be, the first processes one more; of the test
    split whole batches, so that each is evaluated as one process would.
    """

    rank: int = 0
    size: int = 1

    def rows(self, n: int) -> slice:
        """Its rows of a batch of n, possibly none."""
        base, more = divmod(n, self.size)
        start = self.rank * base + min(self.rank, more)
        return slice(start, start + base + (self.rank < more))

    def batches(self, n: int) -> slice:
        """Its batches of n: the first process has the first ones, two at least, to look closer."""
        first = min(n, max(LOOKED_AT, -(-n // self.size)))
        if self.rank == 0:
            return slice(0, n if self.size == 1 else first)
        rest = Share(self.rank - 1, self.size - 1).rows(n - first)
        return slice(first + rest.start, first + rest.stop)


WHOLE = Share()


class Dataset(Protocol):
    """Images and labels in two splits; batches of them are on one device."""

    fewest: ClassVar[int]  # images of a batch below which it is left out of training

    @property
    def label(self) -> str:
        """How tables call it."""
        ...

    @property
    def num_classes(self) -> int: ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the labels; empty where the classes have none."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about its files, a line each."""
        ...

    @property
    def transform(self) -> Transform:
        """How batches are normalized."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of a batch's images."""
        ...

    @property
    def sizes(self) -> dict[Name, int]: ...

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of what training depends on."""
        ...

    @property
    def left_out(self) -> dict[Name, int]:
        """How many images of a split could not be read up to now; a split without any is absent."""
        ...

    def labels(self, split: Name) -> Tensor:
        """The labels (N,) int64 of a split, in its order."""
        ...

    def select(self, label: str, train: Tensor, test: Tensor, source: Name = "test") -> Self:
        """
        The same data cut to rows, int64, of its splits.

        Args:
            test: of split `source`: a part of `train` may stand in for the test split.
        """
        ...

    def to(self, device: torch.device, workers: int | None = None, report: Report = silent) -> Self:
        """
        The same data on `device`.

        Args:
            workers: decoding threads, where there is something to decode; None: one per core.
            report: told, once each, of the files that had to be left out.
        """
        ...

    def shared(self, share: Share) -> Self:
        """The same data, of which `epoch` and `batches` yield a share; random draws are as ever."""
        ...

    def epoch(self, size: int, rng: torch.Generator, start: int = 0) -> Iterator[Split]:
        """
        Yield one shuffled, augmented epoch of (images float32 (n, C, H, W), labels (n,)).

        The last batch holds what is left over, as in the reference (no drop_last). One of which
        nothing can be trained on, for its images cannot be read, is empty. Of data that is shared
        it is every batch's share, which may be empty, too.

        Args:
            start: so many batches are passed over; what follows has the same bits, and nothing of
                them is decoded.
        """
        ...

    def batches(self, split: Name, size: int) -> Iterator[Split]:
        """Yield a split in order, normalized and never augmented."""
        ...

    def damaged(self, count: Count = silent) -> dict[str, str]:
        """Read all that is not in memory; what cannot be read, and why."""
        ...


@dataclass(frozen=True)
class Tensors:
    """A `Dataset` in memory: images (N, C, H, W) uint8 and labels (N,) int64."""

    label: str
    train: Split
    test: Split
    num_classes: int
    transform: Transform
    share: Share = WHOLE
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    fewest: ClassVar[int] = 1

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.train[0].shape[1:])

    @property
    def sizes(self) -> dict[Name, int]:
        return {"train": len(self.train[0]), "test": len(self.test[0])}

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of every pixel, label and constant of the transform."""
        digest = hashlib.sha256(repr(self.transform).encode())
        for tensor in (*self.train, *self.test):
            digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()[:16]

    @property
    def left_out(self) -> dict[Name, int]:
        return {}

    def labels(self, split: Name) -> Tensor:
        return self._split(split)[1]

    def select(self, label: str, train: Tensor, test: Tensor, source: Name = "test") -> "Tensors":
        whole = self._split(source)
        kept = {
            "train": (self.train[0][train], self.train[1][train]),
            "test": (whole[0][test], whole[1][test]),
        }
        return replace(self, label=label, **kept)

    def resized(self, size: int) -> "Tensors":
        """
        Every image as (C, size, size), the random crop's padding scaled and rounded likewise.

        Bilinear with antialias, in double precision so that machines agree, rounded to uint8.
        """
        pad = round(self.transform.pad * size / self.shape[-1])
        return replace(
            self,
            label=f"{self.label}, resized to {size}x{size}",
            train=(_resize(self.train[0], size), self.train[1]),
            test=(_resize(self.test[0], size), self.test[1]),
            transform=replace(self.transform, pad=pad),
        )

    def to(
        self, device: torch.device, workers: int | None = None, report: Report = silent
    ) -> "Tensors":
        train, test = ((x.to(device), y.to(device)) for x, y in (self.train, self.test))
        return replace(self, train=train, test=test)

    def shared(self, share: Share) -> "Tensors":
        return replace(self, share=share)

    def epoch(self, size: int, rng: torch.Generator, start: int = 0) -> Iterator[Split]:
        images, labels = self.train
        n, pad = len(images), self.transform.pad
        order = torch.randperm(n, generator=rng)
        shift = torch.randint(0, 2 * pad + 1, (n, 2), generator=rng)
        flip = torch.rand(n, generator=rng) < (0.5 if self.transform.flip else 0.0)
        order, shift, flip = (t.to(images.device) for t in (order, shift, flip))
        for rows in torch.split(torch.arange(n, device=images.device), size)[start:]:
            rows = rows[self.share.rows(len(rows))]
            chosen = order[rows]
            x = images[chosen]
            if pad or self.transform.flip:
                x = crop(x, pad, shift[rows], flip[rows])
            yield normalize(x, self.transform), labels[chosen]

    def batches(self, split: Name, size: int) -> Iterator[Split]:
        whole = self._split(split)
        parts = (torch.split(part, size) for part in whole)
        batches = [*zip(*parts, strict=True)]
        for images, labels in batches[self.share.batches(len(batches))]:
            yield normalize(images, self.transform), labels

    def damaged(self, count: Count = silent) -> dict[str, str]:
        """Nothing: what is in memory was read."""
        return {}

    def _split(self, split: Name) -> Split:
        return self.train if split == "train" else self.test


def mark_held_out(labels: Tensor, fraction: float) -> Tensor:
    """
    Which rows to hold out: (N,) bool, the same for ever.

    Of each class, in order, as near to evenly as whole rows allow: row i = 0, 1, ... of a class
    where ⌊(i + 1)·fraction⌋ > ⌊i·fraction⌋, so every fifth from the fifth on for 0.2. Exact:
    `fraction` is the decimal number that it prints as.
    """
    exact = Fraction(repr(fraction)).limit_denominator(10**6)
    order = torch.argsort(labels, stable=True)
    counts = torch.bincount(labels)
    first = torch.cumsum(counts, 0) - counts
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(labels)) - first[labels[order]]
    p, q = exact.numerator, exact.denominator
    return (rank + 1) * p // q > rank * p // q


def normalize(x: Tensor, transform: Transform) -> Tensor:
    """Images (n, C, H, W) uint8 to float32, (scale·x - mean)/std per channel."""
    t = transform
    factor, offset = _constants(tuple(t.mean), tuple(t.std), t.scale, x.device)
    return x.float().mul_(factor).sub_(offset)


@cache
def _constants(
    mean: tuple[float, ...], std: tuple[float, ...], scale: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """scale/std and mean/std, (C, 1, 1): copied to a GPU once, for each copy would wait for it."""
    m, s = (torch.tensor(x, device=device).view(-1, 1, 1) for x in (mean, std))
    return scale / s, m / s


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


def _resize(images: Tensor, size: int) -> Tensor:
    """Images (N, C, H, W) uint8 to (N, C, size, size) uint8, a few at a time: doubles are large."""
    resized = torch.empty(*images.shape[:2], size, size, dtype=torch.uint8)
    for start in range(0, len(images), 64):
        part, rows = images[start : start + 64], resized[start : start + 64]
        x = F.interpolate(part.double(), (size, size), mode="bilinear", antialias=True)
        rows.copy_(x.round().clamp(0, 255))
    return resized
