"""Images of one's own, wherever they lie, made one data set: chosen, split, decoded, measured."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from PIL import Image

from bench.base.machine import cores, memory
from bench.base.text import count
from bench.data.dataset import Split, Tensors, Transform
from bench.data.image import decode
from bench.data.reading import CIFAR10, IMAGENET
from bench.errors import DataError, EnvironmentProblem

Pixels: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
VAL = 0.2  # of each class, where nobody says
NAMED = {"imagenet": IMAGENET, "cifar": CIFAR10, "none": ((0.0,) * 3, (1.0,) * 3)}


@dataclass(frozen=True)
class Picture:
    """
    One image: a file, its bytes, or pixels (H, W) or (H, W, 3).

    Args:
        place: how it is called where it lies.
        digest: of what it holds, whatever it is called.
    """

    label: int
    digest: bytes
    place: str
    source: Path | bytes | Pixels

    def decoded(self) -> Image.Image | str:
        """It in RGB, or why it cannot be."""
        if isinstance(self.source, np.ndarray):
            return Image.fromarray(self.source).convert("RGB")
        return decode(self.source)


@dataclass(frozen=True)
class Album:
    """Images with the names of their classes; `test` is None where nothing says how to split."""

    classes: tuple[str, ...]
    train: list[Picture]
    test: list[Picture] | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """
    How an image becomes what a net sees.

    Args:
        image: side of the square; None: images have one size, and keep it.
        augment: of training.
        stop: does an image that cannot be decoded end it, rather than be left out?
    """

    image: int | None
    augment: Literal["none", "crop", "flip", "crop+flip"]
    stop: bool = False


def assemble(
    album: Album, label: str, view: View, classes: int | tuple[str, ...] | None, val: float | None
) -> Tensors:
    """
    Choose classes, split, decode; values are not normalized yet.

    Raises:
        DataError: not these classes, images of several sizes, too few of a class, or none left.
    """
    album = _choose(album, classes)
    if album.test is None:
        train, test = _split(album, VAL if val is None else val)
    elif val is not None:
        message = f"{label}: `val: {val:g}`, and the data say themselves what to test on; drop it"
        raise DataError(message)
    else:
        train, test = album.train, album.test
    notes = [*album.notes, *_doubles(album.classes, train, test)]
    train, test = _in_rounds(train), _in_rounds(test)
    splits = [_decode(pictures, label, view, notes) for pictures in (train, test)]
    side = splits[0][0].shape[-1]
    if splits[1][0].shape[1:] != splits[0][0].shape[1:]:
        message = f"{label}: training images are {side}x{side}, test images are not; say `image: N`"
        raise DataError(message)
    if all(bool((x[:, :1] == x).all()) for x, _ in splits):
        splits = [(x[:, :1].contiguous(), y) for x, y in splits]
    channels = splits[0][0].shape[1]
    augment = view.augment.split("+")
    pad = round(side / 8) if "crop" in augment else 0
    transform = Transform((0.0,) * channels, (1.0,) * channels, pad=pad, flip="flip" in augment)
    return Tensors(
        label, splits[0], splits[1], len(album.classes), transform,
        class_names=album.classes, notes=tuple(notes),
    )  # fmt: skip


def normalized_by(data: Tensors, norm: Literal["own", "imagenet", "cifar", "none"]) -> Tensors:
    """
    The same data, normalized by mean and deviation of its training images, or by constants.

    Sums are of whole numbers, so every machine measures the same; four decimals are kept.

    Raises:
        DataError: constants of three channels, and the images are grey.
    """
    images, channels = data.train[0], data.shape[0]
    if norm == "own":
        n = images[:, 0].numel()
        total, squares = [0] * channels, [0] * channels  # of any size, and exact
        for part in (part.long() for part in torch.split(images, 1024)):
            for channel in range(channels):
                total[channel] += int(part[:, channel].sum())
                squares[channel] += int((part[:, channel] ** 2).sum())
        means = [t / n for t in total]
        stds = [max(q / n - m * m, 0) ** 0.5 for m, q in zip(means, squares, strict=True)]
        constants = (
            tuple(round(m / 255, 4) for m in means),
            tuple(round(s / 255, 4) or 1.0 for s in stds),
        )
    else:
        constants = NAMED[norm]
        if channels == 1 and norm == "none":
            constants = (0.0,), (1.0,)
        elif channels == 1:
            message = f"{data.label}: `norm: {norm}` is of three channels, and its images are grey"
            raise DataError(message)
    return replace(data, transform=replace(data.transform, mean=constants[0], std=constants[1]))


def _choose(album: Album, wanted: int | tuple[str, ...] | None) -> Album:
    """Those of the classes that are wanted, in that order; raises DataError as `assemble` does."""
    there = ", ".join(album.classes[:8]) + ", ..." * (len(album.classes) > 8)
    if isinstance(wanted, tuple):
        if absent := [name for name in wanted if name not in album.classes]:
            message = f"no class `{absent[0]}`; there are {there}"
            raise DataError(message)
        place = {album.classes.index(name): label for label, name in enumerate(wanted)}
        train, test = (
            None if some is None else
            [replace(x, label=place[x.label]) for x in some if x.label in place]
            for some in (album.train, album.test)
        )  # fmt: skip
        album = Album(wanted, train or [], test, album.notes)
    elif wanted is not None and wanted != len(album.classes):
        message = f"`classes: {wanted}`, and there are {len(album.classes)}: {there}"
        raise DataError(message)
    if len(album.classes) < 2:
        message = f"one class, {there}; there is nothing to tell apart"
        raise DataError(message)
    counts = Counter(picture.label for picture in album.train)
    if bare := [name for label, name in enumerate(album.classes) if not counts[label]]:
        message = f"class `{bare[0]}` has no training image"
        raise DataError(message)
    return album


def _split(album: Album, val: float) -> tuple[list[Picture], list[Picture]]:
    """
    Of each class the part `val` of its contents with the smallest digests are tested on.

    Raises:
        DataError: a class has one content alone, which cannot be in both.
    """
    tested: set[tuple[int, bytes]] = set()
    for label, name in enumerate(album.classes):
        contents = sorted({picture.digest for picture in album.train if picture.label == label})
        if len(contents) < 2:
            message = f"class `{name}` has one image; training and testing need one each"
            raise DataError(message)
        most = min(max(round(len(contents) * val), 1), len(contents) - 1)
        tested |= {(label, digest) for digest in contents[:most]}
    inside = [(x.label, x.digest) in tested for x in album.train]
    pairs = [*zip(album.train, inside, strict=True)]
    return [x for x, t in pairs if not t], [x for x, t in pairs if t]


def _doubles(classes: tuple[str, ...], train: list[Picture], test: list[Picture]) -> Iterator[str]:
    """Say which contents are in both splits, or are of two classes."""
    seen: dict[bytes, Picture] = {}
    twice: list[tuple[Picture, Picture]] = []
    for picture in (*train, *test):
        other = seen.setdefault(picture.digest, picture)
        if other.label != picture.label:
            twice.append((other, picture))
    if twice:
        one, two = twice[0]
        names = f"`{classes[one.label]}` and `{classes[two.label]}`"
        yield (
            f"{count(len(twice), 'image')} of two classes (first: {one.place} and {two.place}, "
            f"{names}): one label is wrong"
        )
    trained = {picture.digest for picture in train}
    if both := [picture.place for picture in test if picture.digest in trained]:
        yield f"{count(len(both), 'test image')} in the training split, too (first: {both[0]})"


def _in_rounds(pictures: Iterable[Picture]) -> list[Picture]:
    """One of every class, then a second of every class; within a class by contents."""
    by_class: dict[int, list[Picture]] = {}
    for picture in sorted(pictures, key=lambda x: (x.label, x.digest, x.place)):
        by_class.setdefault(picture.label, []).append(picture)
    return [x for row in zip_longest(*by_class.values()) for x in row if x is not None]


def _decode(pictures: list[Picture], label: str, view: View, notes: list[str]) -> Split:
    """Images (N, 3, S, S) uint8 and labels (N,), less what is damaged, which is noted."""
    side = view.image or _side(pictures, label)
    needed = len(pictures) * side * side * 3
    if needed > memory() / 2:
        message = f"{label}: {needed / 2**30:.1f} GiB of images do not fit into memory"
        raise EnvironmentProblem(f"{message}; say a smaller `image:`")
    pixels = torch.empty(len(pictures), side, side, 3, dtype=torch.uint8)

    def fill(place: int) -> str:
        image = pictures[place].decoded()
        if isinstance(image, str):
            return image
        if view.image is None and image.size != (side, side):
            size = f"{image.width}x{image.height}"
            return f"!{label}: images of {side}x{side} and {size}; say `image: {side}`"
        pixels.numpy()[place] = np.asarray(_square(image, side))
        return ""

    with ThreadPoolExecutor(cores(), "decode") as pool:
        reasons = [*pool.map(fill, range(len(pictures)))]
    if uneven := next((reason for reason in reasons if reason.startswith("!")), ""):
        raise DataError(uneven[1:])
    failed = [place for place, reason in enumerate(reasons) if reason]
    if failed:
        told = f"{pictures[failed[0]].place}: {reasons[failed[0]]}"
        if view.stop or len(failed) == len(pictures):
            raise DataError(told)
        notes.append(f"{count(len(failed), 'image')} left out, damaged (first: {told})")
    good = [place for place, reason in enumerate(reasons) if not reason]
    labels = torch.tensor([pictures[place].label for place in good])
    return pixels[good].permute(0, 3, 1, 2).contiguous(), labels


def _side(pictures: list[Picture], label: str) -> int:
    """The side of the first image that can be decoded, which has to be a square."""
    images = (picture.decoded() for picture in pictures)
    image = next((image for image in images if not isinstance(image, str)), None)
    if image is None:
        message = f"{label}: not one of {count(len(pictures), 'image')} can be decoded"
        raise DataError(message)
    if image.width != image.height:
        side = min(image.size)
        message = f"{label}: images of {image.width}x{image.height}; say `image: {side}`"
        raise DataError(f"{message}, which takes the middle square")
    return image.width


def _square(image: Image.Image, side: int) -> Image.Image:
    """The middle square of the image, resized to `side`, where it has not that size."""
    if image.size == (side, side):
        return image
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    middle = image.crop((left, top, left + short, top + short))  # first: resizing looks around
    return middle.resize((side, side), Image.Resampling.BILINEAR)
