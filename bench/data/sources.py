"""
What data sets there are: their names, their parameters, and the files that they lie in.

What is absent is known without torch, which `bench.data.reading` imports to read what is there.
Nothing is downloaded here: `bench.data.download` fetches what a source says it may.
"""

from __future__ import annotations

import math
import os
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from bench.base.file_states import file_state
from bench.base.text import suggest
from bench.data import presence
from bench.errors import DataError, UsageError

if TYPE_CHECKING:  # naming data sets needs no torch
    from bench.data.dataset import Dataset, Tensors
    from bench.data.image_folder import Folder

CIFAR10_TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
FASHION_MNIST = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def data_folder() -> Path:
    """`$BENCH_DATA`, else `./data`."""
    return Path(os.environ.get("BENCH_DATA") or "data")


class Source(BaseModel, ABC):
    """
    A data set by name; its fields are the parameters that a suite may set.

    They apply in this order: `train`, `held_out`, `test`, and at last `resize` where there is
    one. With `held_out` the test split is never touched: the part of the training split that
    `data.dataset.held_out` chooses, the same for every seed, stands in for it.
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

    @classmethod
    def files(cls, folder: Path) -> list[Path] | None:
        """Every file that may be read, there or not; None: they are too many to look at."""
        return []

    @abstractmethod
    def find(self, folder: Path) -> Dataset:
        """
        Load the whole data set.

        Raises:
            DataError: not there, or not what it should be.
        """

    def load(self, folder: Path) -> Dataset:
        """Load the data set as its fields say; raises as `find` does."""
        found = self.find(folder)
        from bench.data.reading import cut

        return cut(found, self.train, self.test, self.held_out)


class InMemory(Source):
    """A data set that is small enough to be kept as one tensor."""

    resize: Annotated[
        PositiveInt | None,
        Field(le=512, description="make every image N x N, bilinear with antialias"),
    ] = None

    @abstractmethod
    def find(self, folder: Path) -> Tensors: ...

    def load(self, folder: Path) -> Tensors:
        found = self.find(folder)
        from bench.data.reading import cut

        found = cut(found, self.train, self.test, self.held_out)
        return found if self.resize is None else found.resized(self.resize)


class Digits(InMemory):
    """
    scikit-learn's handwritten digits: 1,797 images, 8x8, values 0 to 16.

    They are the test part of Optical Recognition of Handwritten Digits (E. Alpaydin and C. Kaynak,
    1998, UCI Machine Learning Repository, CC BY 4.0). Every fifth image of each class, in the order
    of the file, is a test image here. Never flipped.
    """

    channels = 1

    def find(self, folder: Path) -> Tensors:
        from bench.data import reading

        return reading.digits()


class Cifar10(InMemory):
    """CIFAR-10 in torchvision's layout, `cifar-10-batches-py/`, official checksums."""

    home: ClassVar[str] = "cifar-10-batches-py"
    norm: Literal["imagenet", "cifar"] = "imagenet"  # imagenet: as the reference normalizes

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return [folder / cls.home / name for name in (*CIFAR10_TRAIN, "test_batch")]

    def find(self, folder: Path) -> Tensors:
        presence.need_file("cifar10", self.files(folder)[0])
        from bench.data import reading

        return reading.cifar10(folder, self.norm)


class Cifar10Partial(Cifar10):
    """An incomplete copy of CIFAR-10, `cifar-10-partial-py/`; never called the official set."""

    home = "cifar-10-partial-py"

    def find(self, folder: Path) -> Tensors:
        *train, test = self.files(folder)
        there = [path for path in train if path.is_file()]
        if not there or not test.is_file():
            raise DataError(presence.missing("cifar10-partial", train[0]))
        from bench.data import reading

        return reading.cifar10_partial(there, [test], self.norm)


class Cifar100(InMemory):
    """CIFAR-100 in torchvision's layout, `cifar-100-python/`, official checksums, fine labels."""

    norm: Literal["imagenet", "cifar"] = "imagenet"  # cifar: this set's own mean and std

    @property
    def num_classes(self) -> int:
        return 100

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return [folder / "cifar-100-python" / name for name in ("train", "test")]

    def find(self, folder: Path) -> Tensors:
        presence.need_file("cifar100", self.files(folder)[0])
        from bench.data import reading

        return reading.cifar100(folder, self.norm)


class FashionMnist(InMemory):
    """Fashion-MNIST: 70,000 images, 28x28, as IDX files, gzipped or not."""

    channels = 1

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        homes = _fashion_mnist_homes(folder)
        return [path for name in FASHION_MNIST for path in presence.idx_files(homes, name)]

    def find(self, folder: Path) -> Tensors:
        homes = _fashion_mnist_homes(folder)
        paths = [presence.idx_file(homes, name) for name in FASHION_MNIST]
        from bench.data import reading

        return reading.fashion_mnist(paths)


class ImageNet(Source):
    """
    ImageNet in torchvision's layout, `imagenet/{train,val}/<class>/*.JPEG`, decoded on the way.

    A part of it, or any other folder of that layout, has its own `classes`, and a `name`.
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
    name: Annotated[
        str | None,
        Field(
            pattern=r"^\S(.{0,58}\S)?$", description="what tables call it, where it is not ImageNet"
        ),
    ] = None
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

    @classmethod
    def files(cls, folder: Path) -> None:
        return None

    def find(self, folder: Path) -> Folder:
        home = folder / "imagenet"
        for split in ("train", "val"):
            presence.need_split(home, split)
        from bench.data import reading
        from bench.data.dataset import Transform
        from bench.data.image_folder import Folder

        names, train, test = reading.imagenet(home, self.classes)
        label = self.name or _imagenet_label(names)
        label += "" if self.image == 224 else f", {self.image}x{self.image}"
        transform = Transform(*reading.IMAGENET, flip=True)
        return Folder(
            label, train, test, self.classes, transform, self.image, self.crop_area, self.damaged
        )


def _imagenet_label(names: list[str]) -> str:
    """How tables call a folder of these classes, which is ImageNet's if WordNet's ids name them."""
    if len(names) == 1000:
        return "ImageNet"
    part = all(re.fullmatch(r"n\d{8}", name) for name in names)
    return f"ImageNet ({len(names)} classes)" if part else f"images of {len(names)} classes"


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


def file_states(name: str, folder: Path) -> tuple[str, ...] | None:
    """
    State of every file of a data set, which stand for its contents.

    None: they are too many to look at each time, or one was written just now.

    Raises:
        UsageError: no such data set.
    """
    files = named(name).files(folder)
    states = None if files is None else [file_state(path) for path in files]
    return None if states is None or None in states else tuple(filter(None, states))


def _fashion_mnist_homes(folder: Path) -> list[Path]:
    return [folder / "fashion-mnist", folder, Path("/usr/share/datasets/fashion-mnist")]
