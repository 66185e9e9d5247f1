"""Data sets read from their files, checked, split, and cut to what a suite asks for."""

import os
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from bench.data import file_formats
from bench.data.dataset import Dataset, Split, Tensors, Transform, mark_held_out
from bench.data.image_folder import Files, list_files
from bench.errors import DataError

AnyDataset = TypeVar("AnyDataset", bound=Dataset)
Constants = tuple[tuple[float, ...], tuple[float, ...]]  # mean and std per channel
IMAGENET: Constants = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR10: Constants = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
CIFAR100: Constants = ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762))
DIGITS = Path(__file__).parent / "digits.npz"  # images (1797, 8, 8) and labels, uint8


def digits() -> Tensors:
    """The digits; every fifth image of each class, in the order of the file, is for testing."""
    with np.load(DIGITS) as file:
        images = torch.from_numpy(file["images"]).unsqueeze(1)
        targets = torch.from_numpy(file["labels"]).long()
    tested = torch.zeros(len(targets), dtype=torch.bool)
    for digit in range(10):
        tested[torch.nonzero(targets == digit).flatten()[4::5]] = True
    transform = Transform(mean=(0.305,), std=(0.376,), scale=1 / 16, pad=1)
    train, test = _rows(images, targets, ~tested), _rows(images, targets, tested)
    return Tensors("digits (8x8)", train, test, 10, transform)


def cifar10(folder: Path, norm: Literal["imagenet", "cifar"]) -> Tensors:
    """The official CIFAR-10, its checksums compared."""
    from torchvision.datasets import CIFAR10 as PUBLISHED

    parts = _official(PUBLISHED, folder, "cifar10", "labels")
    return _cifar("CIFAR-10", parts, 10, IMAGENET if norm == "imagenet" else CIFAR10)


def cifar10_partial(
    train: list[Path], test: list[Path], norm: Literal["imagenet", "cifar"]
) -> Tensors:
    """The batches of CIFAR-10 that there are."""
    parts = [
        [file_formats.batch(file_formats.read(path), path, "labels") for path in paths]
        for paths in (train, test)
    ]
    n = sum(len(images) for part in parts for images, _ in part)
    constants = IMAGENET if norm == "imagenet" else CIFAR10
    return _cifar(f"CIFAR-10 ({n:,}-image copy)", parts, 10, constants)


def cifar100(folder: Path, norm: Literal["imagenet", "cifar"]) -> Tensors:
    """The official CIFAR-100 with its fine labels, its checksums compared."""
    from torchvision import datasets

    parts = _official(datasets.CIFAR100, folder, "cifar100", "fine_labels")
    return _cifar("CIFAR-100", parts, 100, IMAGENET if norm == "imagenet" else CIFAR100)


def fashion_mnist(paths: list[Path]) -> Tensors:
    """Fashion-MNIST of its four files: images and labels for training, then for testing."""
    sizes = (60_000, 60_000, 10_000, 10_000)
    shapes = ((n, 28, 28) if i % 2 == 0 else (n,) for i, n in enumerate(sizes))
    tensors = [file_formats.idx(p, shape) for p, shape in zip(paths, shapes, strict=True)]
    train, train_labels, test, test_labels = tensors
    transform = Transform(mean=(0.286,), std=(0.353,), pad=2, flip=True)
    splits = (train.unsqueeze(1), train_labels.long()), (test.unsqueeze(1), test_labels.long())
    return Tensors("Fashion-MNIST", splits[0], splits[1], 10, transform)


def imagenet(home: Path, classes: int) -> tuple[list[str], Files, Files]:
    """
    The classes of a folder as ImageNet's, and the lists of its training and validation images.

    Raises:
        DataError: another number of classes, or others in the one split than in the other.
    """
    (names, train), (others, test) = list_files(home, "train"), list_files(home, "val")
    if len(names) != classes:
        message = f"`{home / 'train'}` holds {len(names)} classes, expected {classes}"
        raise DataError(f"{message}; this folder needs `classes: {len(names)}`")
    for name, other in zip_longest(names, others):
        if name != other:
            first = min(x for x in (name, other) if x is not None)
            here, there = ("train", "val") if first == name else ("val", "train")
            message = f"`{home}`: class `{first}` is in {here}/ and not in {there}/"
            near = (x for x in names + others if x != first and x.casefold() == first.casefold())
            raise DataError(message + "".join(f", which has `{x}`" for x in [*near][:1]))
    if os.path.realpath(home / "train") == os.path.realpath(home / "val"):
        message = (
            f"`{home}`: train/ and val/ are one folder, so that training images would be tested"
        )
        raise DataError(message)
    return names, train, test


def cut(
    data: AnyDataset, train: int | None, test: int | None, fraction: float | None
) -> AnyDataset:
    """
    A data set cut to the sizes asked for, its test images held out of training.

    Args:
        train, test: how many images, the first ones; None: all of them.
        fraction: of the training images, which then are tested on; None: of the test split.

    Raises:
        DataError: there are not so many, or nothing is left.
    """
    if (train, test, fraction) == (None, None, None):
        return data
    rows = _first(train, torch.arange(data.sizes["train"]))
    if fraction is None:
        tested = _first(test, torch.arange(data.sizes["test"]))
        return data.select(f"{data.label}, first {len(rows)} + {len(tested)}", rows, tested)
    chosen = mark_held_out(data.labels("train")[rows], fraction)
    kept, tested = rows[~chosen], rows[chosen]
    if not len(kept) or not len(tested):
        message = f"held_out: {fraction} of {len(chosen)} training images by class leaves "
        raise DataError(f"{message}{len(kept)} to train on and {len(tested)} to test on")
    label = data.label if train is None else f"{data.label}, first {train} of train"
    label += f", {100 * fraction:g} % of train held out for tuning"
    label += "" if test is None else f", first {test} of them"
    return data.select(label, kept, _first(test, tested), "train")


def _first(n: int | None, rows: Tensor) -> Tensor:
    if n is not None and n > len(rows):
        message = f"asked for the first {n} images of a split that has {len(rows)}"
        raise DataError(message)
    return rows[:n]


def _rows(images: Tensor, labels: Tensor, chosen: Tensor) -> Split:
    return images[chosen].contiguous(), labels[chosen].contiguous()


def _official(published: Any, folder: Path, name: str, key: str) -> list[list[file_formats.Batch]]:
    """The batches of both splits of a torchvision data set, their checksums compared."""
    home = folder / published.base_folder
    files = (published.train_list, published.test_list)
    return [
        [
            file_formats.batch(file_formats.checked(home / f, md5, name), home / f, key)
            for f, md5 in group
        ]
        for group in files
    ]


def _cifar(
    label: str, parts: list[list[file_formats.Batch]], classes: int, norm: Constants
) -> Tensors:
    splits: list[Split] = []
    for part in parts:
        pixels = np.concatenate([images for images, _ in part]).reshape(-1, 3, 32, 32)
        labels = [y for _, labels in part for y in labels]
        if (
            len(pixels) != len(labels)
            or not labels
            or not 0 <= min(labels) <= max(labels) < classes
        ):
            counts = f"{len(pixels)} images, {len(labels)} labels"
            message = f"{label}: {counts}, or labels beyond 0-{classes - 1}"
            raise DataError(message)
        images = torch.from_numpy(np.ascontiguousarray(pixels))
        splits.append((images, torch.tensor(labels, dtype=torch.int64)))
    return Tensors(label, splits[0], splits[1], classes, Transform(*norm, pad=4, flip=True))
