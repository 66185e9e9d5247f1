"""
Where data sets come from: found in a package or under the data folder, checked, split.

Nothing is downloaded here: `bench.download` fetches what a source says it may.
"""

import gzip
import hashlib
import os
import pickle
import struct
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor

from bench.data import Dataset, Split, Transform
from bench.document import suggest
from bench.errors import DataError, UsageError

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


def data_folder() -> Path:
    """`$BENCH_DATA`, else `./data`."""
    return Path(os.environ.get("BENCH_DATA") or "data")


class Source(BaseModel, ABC):
    """A data set by name; its fields are the parameters that a suite may set."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    num_classes: ClassVar[int] = 10
    channels: ClassVar[int] = 3

    train: Annotated[PositiveInt | None, Field(description="use the first N training images")] = (
        None
    )
    test: Annotated[PositiveInt | None, Field(description="use the first N test images")] = None

    @abstractmethod
    def find(self, folder: Path) -> Dataset:
        """
        Load the whole data set.

        Raises:
            DataError: not there, or not what it should be.
        """

    def load(self, folder: Path) -> Dataset:
        """Load the data set, cut to the sizes asked for."""
        found = self.find(folder)
        if self.train is None and self.test is None:
            return found
        train, test = _head(found.train, self.train), _head(found.test, self.test)
        label = f"{found.label}, first {len(train[0])} + {len(test[0])}"
        return Dataset(label, train, test, found.num_classes, found.transform)


class Digits(Source):
    """
    scikit-learn's handwritten digits: 1,797 images, 8x8, values 0 to 16.

    Every fifth image of each class, in the order of the file, is a test image. Never flipped.
    """

    channels = 1

    def find(self, folder: Path) -> Dataset:
        from sklearn.datasets import load_digits

        digits: Any = load_digits()  # pyright: ignore[reportUnknownVariableType]
        images = torch.tensor(digits.images).to(torch.uint8).unsqueeze(1)
        targets = torch.tensor(digits.target, dtype=torch.int64)
        held_out = torch.zeros(len(targets), dtype=torch.bool)
        for digit in range(10):
            held_out[torch.nonzero(targets == digit).flatten()[4::5]] = True
        transform = Transform(mean=(0.305,), std=(0.376,), scale=1 / 16, pad=1)
        train, test = _where(images, targets, ~held_out), _where(images, targets, held_out)
        return Dataset("digits (8x8)", train, test, 10, transform)


class Cifar10(Source):
    """CIFAR-10 in torchvision's layout, `cifar-10-batches-py/`, official checksums."""

    norm: Literal["imagenet", "cifar"] = "imagenet"  # imagenet: as the reference normalizes

    def find(self, folder: Path) -> Dataset:
        from torchvision.datasets import CIFAR10

        home = folder / CIFAR10.base_folder
        parts: list[list[tuple[Pixels, list[int]]]] = [[], []]
        for part, files in zip(parts, (CIFAR10.train_list, CIFAR10.test_list), strict=True):
            for name, md5 in files:
                part.append(_batch(_checked(home / name, md5, "cifar10")))
        return _cifar("CIFAR-10", parts, self.norm)


class Cifar10Partial(Cifar10):
    """An incomplete copy of CIFAR-10, `cifar-10-partial-py/`; never called the official set."""

    def find(self, folder: Path) -> Dataset:
        home = folder / "cifar-10-partial-py"
        names = [[f"data_batch_{i}" for i in range(1, 6)], ["test_batch"]]
        found = [[home / n for n in group if (home / n).is_file()] for group in names]
        if not all(found):
            raise DataError(_missing("cifar10-partial", home / "data_batch_1"))
        parts = [[_batch(_read(path), path) for path in group] for group in found]
        n = sum(len(images) for group in parts for images, _ in group)
        return _cifar(f"CIFAR-10 ({n:,}-image copy)", parts, self.norm)


class FashionMnist(Source):
    """Fashion-MNIST: 70,000 images, 28x28, as IDX files, gzipped or not."""

    channels = 1

    def find(self, folder: Path) -> Dataset:
        homes = [folder / "fashion-mnist", folder, Path("/usr/share/datasets/fashion-mnist")]
        splits: list[Split] = []
        for kind, n in (("train", 60_000), ("t10k", 10_000)):
            images = _idx(homes, f"{kind}-images-idx3-ubyte", (n, 28, 28))
            labels = _idx(homes, f"{kind}-labels-idx1-ubyte", (n,))
            splits.append((images.unsqueeze(1), labels.long()))
        transform = Transform(mean=(0.286,), std=(0.353,), pad=2, flip=True)
        return Dataset("Fashion-MNIST", splits[0], splits[1], 10, transform)


SOURCES: dict[str, type[Source]] = {
    "digits": Digits,
    "cifar10": Cifar10,
    "cifar10-partial": Cifar10Partial,
    "fashion_mnist": FashionMnist,
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


def _head(split: Split, n: int | None) -> Split:
    if n is not None and n > len(split[0]):
        message = f"asked for the first {n} images of a split that has {len(split[0])}"
        raise DataError(message)
    return split[0][:n], split[1][:n]


def _where(images: Tensor, labels: Tensor, chosen: Tensor) -> Split:
    return images[chosen].contiguous(), labels[chosen].contiguous()


def _cifar(label: str, parts: list[list[tuple[Pixels, list[int]]]], norm: str) -> Dataset:
    splits: list[Split] = []
    for part in parts:
        pixels = np.concatenate([images for images, _ in part]).reshape(-1, 3, 32, 32)
        labels = torch.tensor([y for _, labels in part for y in labels], dtype=torch.int64)
        if (
            len(pixels) != len(labels)
            or not len(labels)
            or not 0 <= labels.min() <= labels.max() < 10
        ):
            message = f"{label}: {len(pixels)} images, {len(labels)} labels, or labels beyond 0-9"
            raise DataError(message)
        splits.append((torch.from_numpy(np.ascontiguousarray(pixels)), labels))
    mean, std = IMAGENET if norm == "imagenet" else CIFAR
    return Dataset(label, splits[0], splits[1], 10, Transform(mean, std, pad=4, flip=True))


def _checked(path: Path, md5: str, name: str) -> bytes:
    """The bytes of a file whose MD5 is known."""
    try:
        content = path.read_bytes()
    except OSError:
        raise DataError(_missing(name, path)) from None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        message = f"{path}: wrong MD5; delete it and run `bench data prepare {name}`"
        raise DataError(message)
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read `{path}`: {error.strerror}"
        raise DataError(message) from None


def _missing(name: str, path: Path) -> str:
    return (
        f"no `{path}`; run `bench data prepare {name}`, or point --data or BENCH_DATA at the "
        f"folder that holds `{path.parent.name}/`"
    )


def _batch(content: bytes, path: Path | None = None) -> tuple[Pixels, list[int]]:
    """One pickled batch: (n, 3072) pixels and n labels. Only plain data and arrays are read."""
    try:
        batch = _Plain(content).load()
        pixels = np.asarray(batch[b"data" if b"data" in batch else "data"], dtype=np.uint8)
        labels = batch[b"labels" if b"labels" in batch else "labels"]
        return pixels.reshape(-1, 3072), [int(y) for y in labels]
    except Exception as error:  # a damaged pickle raises nearly anything
        message = f"{path or 'batch'}: not a CIFAR-10 batch: {type(error).__name__}: {error}"
        raise DataError(message) from None


class _Plain(pickle.Unpickler):
    """An unpickler that builds arrays and nothing that could run code."""

    allowed = frozenset({"_reconstruct", "ndarray", "dtype", "encode", "_frombuffer"})

    def __init__(self, content: bytes) -> None:
        import io

        super().__init__(io.BytesIO(content), encoding="bytes")

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        home = module_name.split(".")[0]
        array = home in {"numpy", "_codecs"} and global_name in self.allowed
        if array or (home in {"__builtin__", "builtins"} and global_name == "bytes"):
            return super().find_class(module_name, global_name)
        message = f"it names {module_name}.{global_name}"
        raise pickle.UnpicklingError(message)


def _idx(homes: list[Path], name: str, shape: tuple[int, ...]) -> Tensor:
    """One IDX file of bytes, found gzipped or plain in the first of `homes` that has it."""
    for path in (home / f"{name}{end}" for home in homes for end in ("", ".gz")):
        if not path.is_file():
            continue
        try:
            content = gzip.decompress(path.read_bytes()) if path.suffix else path.read_bytes()
            head = 4 + 4 * len(shape)
            found = struct.unpack(f">{len(shape)}I", content[4:head])
            if found != shape or content[2] != 8 or len(content) - head != np.prod(shape):
                message = f"holds {found}, expected {shape}"
                raise ValueError(message)
        except (OSError, EOFError, ValueError, struct.error, zlib.error, IndexError) as error:
            message = f"{path}: not the IDX file it should be: {error}"
            raise DataError(message) from None
        return torch.frombuffer(bytearray(content[head:]), dtype=torch.uint8).reshape(shape)
    message = (
        f"no `{name}[.gz]`; put Fashion-MNIST's four IDX files into "
        f"`{homes[0]}/`, or on Debian: apt-get install dataset-fashion-mnist"
    )
    raise DataError(message)
