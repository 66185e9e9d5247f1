"""
Where data sets come from: found in a package or under the data folder, checked, split.

Nothing is downloaded here: `bench.download` fetches what a source says it may.
"""

import math
import os
from abc import ABC, abstractmethod
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator
from torch import Tensor

from bench.base.text import suggest
from bench.data import file_formats
from bench.data.dataset import Dataset, Split, Tensors, Transform, held_out
from bench.data.image_folder import Folder, listed
from bench.errors import DataError, UsageError

Found = TypeVar("Found", bound=Dataset)
Constants = tuple[tuple[float, ...], tuple[float, ...]]  # mean and std per channel
IMAGENET: Constants = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR: Constants = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
CIFAR100: Constants = ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762))


def data_folder() -> Path:
    """`$BENCH_DATA`, else `./data`."""
    return Path(os.environ.get("BENCH_DATA") or "data")


class Source(BaseModel, ABC):
    """
    A data set by name; its fields are the parameters that a suite may set.

    They apply in this order: `train`, `held_out`, `test`, and at last `resize` where there is
    one. With `held_out` the test split is never touched: the part of the training split that
    `bench.data.held_out` chooses, the same for every seed, stands in for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    channels: ClassVar[int] = 3

    train: Annotated[PositiveInt | None, Field(description="use the first N training images")] = (
        None
    )
    test: Annotated[PositiveInt | None, Field(description="use the first N test images")] = None
    held_out: Annotated[
        float | None,
        Field(gt=0, lt=1, description="test on this part of the training split, for tuning"),
    ] = None

    @property
    def num_classes(self) -> int:
        """Known before the data is read."""
        return 10

    @abstractmethod
    def find(self, folder: Path) -> Dataset:
        """
        Load the whole data set.

        Raises:
            DataError: not there, or not what it should be.
        """

    def load(self, folder: Path) -> Dataset:
        """Load the data set as its fields say; raises as `find` does."""
        return self._cut(self.find(folder))

    def _cut(self, found: Found) -> Found:
        """The data set cut to the sizes asked for, its test images held out of training."""
        if (self.train, self.test, self.held_out) == (None, None, None):
            return found
        train = _first(self.train, torch.arange(found.sizes["train"]))
        if self.held_out is None:
            test = _first(self.test, torch.arange(found.sizes["test"]))
            return found.part(f"{found.label}, first {len(train)} + {len(test)}", train, test)
        chosen = held_out(found.labels("train")[train], self.held_out)
        train, test = train[~chosen], train[chosen]
        if not len(train) or not len(test):
            message = f"held_out: {self.held_out} of {len(chosen)} training images by class leaves "
            raise DataError(f"{message}{len(train)} to train on and {len(test)} to test on")
        label = found.label if self.train is None else f"{found.label}, first {self.train} of train"
        label += f", {100 * self.held_out:g} % of train held out for tuning"
        label += "" if self.test is None else f", first {self.test} of them"
        return found.part(label, train, _first(self.test, test), "train")


class InMemory(Source):
    """A data set that is small enough to be kept as one tensor."""

    resize: Annotated[
        PositiveInt | None,
        Field(le=512, description="make every image N x N, bilinear with antialias"),
    ] = None

    @abstractmethod
    def find(self, folder: Path) -> Tensors: ...

    def load(self, folder: Path) -> Tensors:
        found = self._cut(self.find(folder))
        return found if self.resize is None else found.resized(self.resize)


class Digits(InMemory):
    """
    scikit-learn's handwritten digits: 1,797 images, 8x8, values 0 to 16.

    Every fifth image of each class, in the order of the file, is a test image. Never flipped.
    """

    channels = 1

    def find(self, folder: Path) -> Tensors:
        from sklearn.datasets import load_digits

        digits: Any = load_digits()  # pyright: ignore[reportUnknownVariableType]
        images = torch.tensor(digits.images).to(torch.uint8).unsqueeze(1)
        targets = torch.tensor(digits.target, dtype=torch.int64)
        tested = torch.zeros(len(targets), dtype=torch.bool)
        for digit in range(10):
            tested[torch.nonzero(targets == digit).flatten()[4::5]] = True
        transform = Transform(mean=(0.305,), std=(0.376,), scale=1 / 16, pad=1)
        train, test = _where(images, targets, ~tested), _where(images, targets, tested)
        return Tensors("digits (8x8)", train, test, 10, transform)


class Cifar10(InMemory):
    """CIFAR-10 in torchvision's layout, `cifar-10-batches-py/`, official checksums."""

    norm: Literal["imagenet", "cifar"] = "imagenet"  # imagenet: as the reference normalizes

    def find(self, folder: Path) -> Tensors:
        from torchvision.datasets import CIFAR10

        parts = _official(CIFAR10, folder, "cifar10", "labels")
        return _cifar("CIFAR-10", parts, 10, IMAGENET if self.norm == "imagenet" else CIFAR)


class Cifar10Partial(Cifar10):
    """An incomplete copy of CIFAR-10, `cifar-10-partial-py/`; never called the official set."""

    def find(self, folder: Path) -> Tensors:
        home = folder / "cifar-10-partial-py"
        names = [[f"data_batch_{i}" for i in range(1, 6)], ["test_batch"]]
        found = [[home / n for n in group if (home / n).is_file()] for group in names]
        if not all(found):
            raise DataError(file_formats.missing("cifar10-partial", home / "data_batch_1"))
        parts = [
            [file_formats.batch(file_formats.read(p), p, "labels") for p in group]
            for group in found
        ]
        n = sum(len(images) for group in parts for images, _ in group)
        norm = IMAGENET if self.norm == "imagenet" else CIFAR
        return _cifar(f"CIFAR-10 ({n:,}-image copy)", parts, 10, norm)


class Cifar100(InMemory):
    """CIFAR-100 in torchvision's layout, `cifar-100-python/`, official checksums, fine labels."""

    norm: Literal["imagenet", "cifar"] = "imagenet"  # cifar: this set's own mean and std

    @property
    def num_classes(self) -> int:
        return 100

    def find(self, folder: Path) -> Tensors:
        from torchvision import datasets

        parts = _official(datasets.CIFAR100, folder, "cifar100", "fine_labels")
        return _cifar("CIFAR-100", parts, 100, IMAGENET if self.norm == "imagenet" else CIFAR100)


class FashionMnist(InMemory):
    """Fashion-MNIST: 70,000 images, 28x28, as IDX files, gzipped or not."""

    channels = 1

    def find(self, folder: Path) -> Tensors:
        homes = [folder / "fashion-mnist", folder, Path("/usr/share/datasets/fashion-mnist")]
        splits: list[Split] = []
        for kind, n in (("train", 60_000), ("t10k", 10_000)):
            images = file_formats.idx(homes, f"{kind}-images-idx3-ubyte", (n, 28, 28))
            labels = file_formats.idx(homes, f"{kind}-labels-idx1-ubyte", (n,))
            splits.append((images.unsqueeze(1), labels.long()))
        transform = Transform(mean=(0.286,), std=(0.353,), pad=2, flip=True)
        return Tensors("Fashion-MNIST", splits[0], splits[1], 10, transform)


class ImageNet(Source):
    """
    ImageNet in torchvision's layout, `imagenet/{train,val}/<class>/*.JPEG`, decoded on the way.

    Training sees RandomResizedCrop(image) and a flip, evaluation the middle of the image with its
    shorter side at image·256/224. The first N images are the first of every class, then the
    second. The fingerprint is of names and sizes, not of contents.
    """

    image: Annotated[PositiveInt, Field(description="side of the squares that a net sees")] = 224
    crop_area: Annotated[
        tuple[float, float],
        Field(description="of RandomResizedCrop; ReSTE's released code has [0.08, 1.25]"),
    ] = (0.08, 1.0)
    classes: Annotated[int, Field(ge=2, description="how many class folders there are")] = 1000
    damaged: Annotated[
        Literal["skip", "stop"],
        Field(description="leave a file that cannot be decoded out, or end the cell"),
    ] = "skip"

    @field_validator("crop_area")
    @classmethod
    def _rises(cls, area: tuple[float, float]) -> tuple[float, float]:
        if not 0 < area[0] <= area[1] < math.inf:
            message = f"must be two finite numbers above 0, the smaller first, got {list(area)}"
            raise ValueError(message)
        return area

    @property
    def num_classes(self) -> int:
        return self.classes

    def find(self, folder: Path) -> Folder:
        home = folder / "imagenet"
        (names, train), (others, test) = listed(home, "train"), listed(home, "val")
        if len(names) != self.classes:
            message = f"`{home / 'train'}` holds {len(names)} classes, expected {self.classes}"
            raise DataError(f"{message}; a part of ImageNet needs `classes: {len(names)}`")
        for name, other in zip_longest(names, others):
            if name != other:
                first = min(x for x in (name, other) if x is not None)
                here, there = ("train", "val") if first == name else ("val", "train")
                message = f"`{home}`: class `{first}` is in {here}/ and not in {there}/"
                raise DataError(message)
        label = "ImageNet" if self.classes == 1000 else f"ImageNet ({self.classes} classes)"
        label += "" if self.image == 224 else f", {self.image}x{self.image}"
        transform = Transform(*IMAGENET, flip=True)
        return Folder(
            label, train, test, self.classes, transform, self.image, self.crop_area, self.damaged
        )


SOURCES: dict[str, type[Source]] = {
    "digits": Digits,
    "cifar10": Cifar10,
    "cifar10-partial": Cifar10Partial,
    "cifar100": Cifar100,
    "fashion_mnist": FashionMnist,
    "imagenet": ImageNet,
}


def named(name: str) -> type[Source]:
    """
    The source of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in SOURCES:
        message = f"no data set `{name}`{suggest(name, SOURCES)}"
        raise UsageError(message)
    return SOURCES[name]


def _first(n: int | None, rows: Tensor) -> Tensor:
    if n is not None and n > len(rows):
        message = f"asked for the first {n} images of a split that has {len(rows)}"
        raise DataError(message)
    return rows[:n]


def _where(images: Tensor, labels: Tensor, chosen: Tensor) -> Split:
    return images[chosen].contiguous(), labels[chosen].contiguous()


def _official(published: Any, folder: Path, name: str, key: str) -> list[list[file_formats.Batch]]:
    """The batches of both splits of a torchvision data set, their checksums checked."""
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
