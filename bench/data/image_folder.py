"""
Image files, a folder per class, decoded by threads while the device trains.

Threads and not processes: Pillow gives Python's lock up while it decodes and resizes, and holds
it for 0.13 ms of the 1.6 ms that a 500x375 photograph takes. On 2 cores two threads read 1,170 of
them a second, two processes of torch's DataLoader 1,220, one thread 630. Threads start at once,
share no file handles or /dev/shm with anybody, write into the batch's own pinned memory, and end
with their cell, even when it is killed. While one batch is in use the next is copied to the
device, and the `AHEAD` after it are decoded.

Crops and flips follow from one number per image and epoch, all drawn before the epoch by the one
seeded generator, so that neither the number of threads nor their order changes a pixel.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from bench.base.machine import cores
from bench.data.class_folders import list_classes, same_spelling
from bench.data.dataset import (
    WHOLE,
    Count,
    Name,
    Report,
    Share,
    Split,
    Transform,
    normalize,
    silent,
)
from bench.data.image import Area, decode, evaluation_view, training_view
from bench.data.prefetch import copy_stream, prefetch
from bench.errors import DataError

DEEP = (".png", ".ppm", ".pgm", ".tif", ".tiff")  # may have more than 8 bits
CPU = torch.device("cpu")
AHEAD = 2  # batches that are being decoded while one is in use and the next is copied
Task: TypeAlias = Callable[[int], str]  # by place in the batch; why it failed, or nothing
Spread: TypeAlias = Callable[[Task, Iterable[int]], Iterator[str]]


@dataclass(frozen=True)
class Files:
    """
    One split: paths below `root`, their sizes in bytes (-1 if unknown), and labels (N,) int64.

    In rounds: the first image of every class, then the second of every class, and so on, so
    that the first N images are of all classes.
    """

    root: Path
    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    labels: Tensor

    def select(self, rows: Tensor) -> "Files":
        """Some of them, by row."""
        chosen: list[int] = rows.tolist()  # pyright: ignore[reportUnknownVariableType]
        paths, sizes = (tuple(x[i] for i in chosen) for x in (self.paths, self.sizes))
        return Files(self.root, paths, sizes, self.labels[rows])  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Folder:
    """
    A `Dataset` of files; only lists of them are in memory.

    Args:
        image: side of the square that a batch's images are cut to.
        crop_area: of a training crop, as a fraction of the image's.
        on_damage: what a file that cannot be decoded does: it is left out, or ends the cell.
    """

    label: str
    train: Files
    test: Files
    num_classes: int
    transform: Transform
    image: int = 224
    crop_area: Area = (0.08, 1.0)
    on_damage: Literal["skip", "stop"] = "skip"
    device: torch.device = CPU
    workers: int = 0
    report: Report = silent
    told: dict[str, Name] = field(default_factory=dict[str, Name])  # of which split it is
    share: Share = WHOLE
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    fewest: ClassVar[int] = 2  # BatchNorm needs two

    @property
    def shape(self) -> tuple[int, ...]:
        return (3, self.image, self.image)

    @property
    def sizes(self) -> dict[Name, int]:
        return {"train": len(self.train.paths), "test": len(self.test.paths)}

    @property
    def fingerprint(self) -> str:
        """
        Sixteen hex digits of every path and size, and of how images are cut and normalized.

        Contents are not read: a file replaced by another of its size goes unnoticed.
        """
        how: tuple[object, ...] = (self.transform, self.image, self.crop_area, self.num_classes)
        if any(p.lower().endswith(DEEP) for f in (self.train, self.test) for p in f.paths):
            how = (*how, "of 16 bits the upper 8")
        digest = hashlib.sha256(repr(how).encode())
        for files in (self.train, self.test):
            names = (same_spelling(path) for path in files.paths)
            lines = sorted(f"{p} {n}\n" for p, n in zip(names, files.sizes, strict=True))
            digest.update("".join([f"{len(lines)}\n", *lines]).encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]

    @property
    def left_out(self) -> dict[Name, int]:
        return dict(Counter(self.told.values()))

    def labels(self, split: Name) -> Tensor:
        return self._files(split).labels

    def select(self, label: str, train: Tensor, test: Tensor, source: Name = "test") -> "Folder":
        kept = {"train": self.train.select(train), "test": self._files(source).select(test)}
        return replace(self, label=label, **kept)

    def to(
        self, device: torch.device, workers: int | None = None, report: Report = silent
    ) -> "Folder":
        workers = cores() if workers is None else workers
        return replace(self, device=device, workers=workers, report=report, told={})

    def shared(self, share: Share) -> "Folder":
        return replace(self, share=share)

    def epoch(self, size: int, rng: torch.Generator, start: int = 0) -> Iterator[Split]:
        """
        As every data set's, less what is damaged; a batch left with fewer than 2 is empty.

        A share is what it is: one process does not know what the others have left.
        """
        n = len(self.train.paths)
        order = torch.randperm(n, generator=rng)
        seeds = torch.randint(2**62, (n,), generator=rng)
        batches = [rows[self.share.rows(len(rows))] for rows in torch.split(order, size)]
        for images, labels in self._stream(self.train, batches, seeds, start):
            enough = self.share != WHOLE or len(labels) >= self.fewest
            keep = len(labels) if enough else 0
            yield images[:keep], labels[:keep]

    def batches(self, split: Name, size: int) -> Iterator[Split]:
        files = self._files(split)
        batches = torch.split(torch.arange(len(files.paths)), size)
        stream = self._stream(files, batches[self.share.batches(len(batches))], None)
        return (batch for batch in stream if len(batch[1]))

    def damaged(self, count: Count = silent) -> dict[str, str]:
        wrong: dict[str, str] = {}
        paths = [f.root / path for f in (self.train, self.test) for path in f.paths]
        with _threads(self.workers) as spread:
            for start in range(0, len(paths), 256):
                some = paths[start : start + 256]
                reasons = spread(lambda i, some=some: _failure(some[i]), range(len(some)))
                wrong |= {str(p): r for p, r in zip(some, reasons, strict=True) if r}
                count(start + len(some), len(paths))
        return wrong

    def _files(self, split: Name) -> Files:
        return self.train if split == "train" else self.test

    def _stream(
        self, files: Files, batches: Sequence[Tensor], seeds: Tensor | None, start: int = 0
    ) -> Iterator[Split]:
        """
        Yield the files in `batches` from `start` on, cropped at random where there are `seeds`.

        Raises:
            DataError: a file is damaged and that is to stop the cell, or all of a split are.
        """
        stream, found = copy_stream(self.device), 0
        with _threads(self.workers) as spread:
            begun = (_Batch(self, files, rows, seeds, spread) for rows in batches[start:])
            decoded = (self._sound(batch) for batch in prefetch(begun, AHEAD))
            sent = (stream.start_copy(*batch) for batch in decoded)
            for batch in prefetch(sent, 1):  # the next one is on its way
                pixels, labels = stream.wait_for(batch)
                found += len(labels)
                yield normalize(pixels.permute(0, 3, 1, 2), self.transform), labels
        if not found and not start and self.share == WHOLE:
            message = f"{files.root}: not one of {len(files.paths)} images can be decoded"
            raise DataError(message)

    def _sound(self, batch: "_Batch") -> Split:
        """Pixels and labels of a batch, once decoded, less what is damaged."""
        good: list[int] = []
        for place, reason in enumerate(batch.reasons):
            if not reason:
                good.append(place)
                continue
            message = f"{batch.path(place)}: {reason}"
            if self.on_damage == "stop":
                raise DataError(message)
            if message not in self.told:
                self.told[message] = "train" if batch.files is self.train else "test"
                self.report(f"left out, damaged: {message}")
        pixels, labels = batch.pixels, batch.files.labels[batch.rows]
        if len(good) < len(labels):
            pixels, labels = pixels[good], labels[good]
        return pixels, labels


class _Batch:
    """Images being decoded: `pixels` (n, image, image, 3) uint8 and, as they end, `reasons`."""

    def __init__(
        self, data: Folder, files: Files, rows: Tensor, seeds: Tensor | None, spread: Spread
    ) -> None:
        self.data, self.files, self.rows, self.seeds = data, files, rows, seeds
        shape = (len(rows), data.image, data.image, 3)
        pinned = data.device.type == "cuda"  # or the copy to the device would wait
        self.pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
        self.reasons = spread(self._decode, range(len(rows)))

    def path(self, place: int) -> Path:
        return self.files.root / self.files.paths[int(self.rows[place])]

    def _decode(self, place: int) -> str:
        image = decode(self.path(place))
        if isinstance(image, str):
            return image
        if self.seeds is None:
            view = evaluation_view(image, self.data.image)
        else:
            seed = int(self.seeds[self.rows[place]])
            view = training_view(image, self.data.image, self.data.crop_area, Random(seed).random)
        self.pixels.numpy()[place] = np.asarray(view)
        return ""


def list_files(root: Path, split: str) -> tuple[list[str], Files]:
    """
    The classes and files of `root/split/<class>/`, subfolders included; raises as `list_classes`.

    Raises:
        DataError: no class in the folder, or no image in a class.
    """
    found = list_classes(root, split)
    numbered = ([(*file, label) for file in files] for label, files in enumerate(found.values()))
    rounds = [file for row in zip_longest(*numbered) for file in row if file is not None]
    paths, sizes, labels = zip(*rounds, strict=True)
    return [*found], Files(root, paths, sizes, torch.tensor(labels))


def _failure(path: Path) -> str:
    """Why a file cannot be decoded, or nothing."""
    image = decode(path)
    return image if isinstance(image, str) else ""


@contextmanager
def _threads(workers: int) -> Generator[Spread, None, None]:
    """`map` over that many threads, or in this one if 0; what is not begun ends with it."""
    if not workers:
        yield map
        return
    pool = ThreadPoolExecutor(workers, "decode")
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
