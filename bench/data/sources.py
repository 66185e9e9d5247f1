"""
The data sets that the harness itself knows: their parameters, and the files that they lie in.

What is absent is known without torch, which `bench.data.reading` imports to read what is there.
Nothing is downloaded here: `bench.data.download` fetches what a source says it may.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from bench.data import presence
from bench.data.source import DataSource
from bench.errors import DataError

if TYPE_CHECKING:  # naming data sets needs no torch
    from bench.data.dataset import Tensors
    from bench.data.image_folder import Folder

CIFAR10_TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
FASHION_MNIST = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Known(DataSource):
    """A data set of whose images the shape and the classes are known before it is read."""

    channels: ClassVar[int] = 3
    native_side: ClassVar[int] = 32

    @property
    def num_classes(self) -> int:
        return 10

    @property
    def side(self) -> int:
        """How wide and high images are, as they are trained on."""
        return self.native_side

    def files(self, folder: Path) -> list[Path]:
        return []


class InMemory(Known):
    """A data set that is small enough to be kept as one tensor."""

    resize: Annotated[
        PositiveInt | None,
        Field(le=512, description="make every image N x N, bilinear with antialias"),
    ] = None

    @property
    def side(self) -> int:
        return self.resize or self.native_side

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

    channels, native_side = 1, 8

    def find(self, folder: Path) -> Tensors:
        from bench.data import reading

        return reading.digits()


class Cifar10(InMemory):
    """CIFAR-10 in torchvision's layout, `cifar-10-batches-py/`, official checksums."""

    home: ClassVar[str] = "cifar-10-batches-py"
    norm: Literal["imagenet", "cifar"] = "imagenet"  # imagenet: as the reference normalizes

    def files(self, folder: Path) -> list[Path]:
        return [folder / self.home / name for name in (*CIFAR10_TRAIN, "test_batch")]

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

    def files(self, folder: Path) -> list[Path]:
        return [folder / "cifar-100-python" / name for name in ("train", "test")]

    def find(self, folder: Path) -> Tensors:
        presence.need_file("cifar100", self.files(folder)[0])
        from bench.data import reading

        return reading.cifar100(folder, self.norm)


class FashionMnist(InMemory):
    """Fashion-MNIST: 70,000 images, 28x28, as IDX files, gzipped or not."""

    channels, native_side = 1, 28

    def files(self, folder: Path) -> list[Path]:
        homes = _fashion_mnist_homes(folder)
        return [path for name in FASHION_MNIST for path in presence.idx_files(homes, name)]

    def find(self, folder: Path) -> Tensors:
        homes = _fashion_mnist_homes(folder)
        paths = [presence.idx_file(homes, name) for name in FASHION_MNIST]
        from bench.data import reading

        return reading.fashion_mnist(paths)


class ImageNet(Known):
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

    @property
    def side(self) -> int:
        return self.image

    def files(self, folder: Path) -> list[Path]:
        return [folder / "imagenet"]

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


def _fashion_mnist_homes(folder: Path) -> list[Path]:
    return [folder / "fashion-mnist", folder, Path("/usr/share/datasets/fashion-mnist")]
