"""Finding data: official, partial, damaged, hostile."""

import gzip
import hashlib
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets
from pydantic import ValidationError

from bench.data.source import data_folder
from bench.data.sources import (
    Cifar10,
    Cifar10Partial,
    Cifar100,
    Digits,
    FashionMnist,
    ImageNet,
)
from bench.errors import DataError
from bench.registry import DATA

KNOWN = ["digits", "cifar10", "cifar10-partial", "cifar100", "fashion_mnist", "imagenet"]


def batch(n: int, seed: int = 0, labels: list[int] | None = None) -> bytes:
    """A pickled CIFAR-10 batch of n random images."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
    return pickle.dumps({"data": pixels, "labels": labels or rng.integers(0, 10, n).tolist()})


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny CIFAR-10 whose checksums torchvision is told to expect."""
    home = tmp_path / "cifar-10-batches-py"
    home.mkdir()
    lists: list[list[list[str]]] = [[], []]
    for i in range(6):
        name, content = ("test_batch" if i == 5 else f"data_batch_{i + 1}"), batch(4, i)
        (home / name).write_bytes(content)
        lists[i == 5].append([name, hashlib.md5(content, usedforsecurity=False).hexdigest()])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "train_list", lists[0])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "test_list", lists[1])
    return tmp_path


def test_cifar10_in_torchvisions_layout(official: Path) -> None:
    """Five batches and a test batch, with torchvision's checksums, are CIFAR-10."""
    data = Cifar10().load(official)

    assert data.label == "CIFAR-10"
    assert data.train[0].shape == (20, 3, 32, 32)
    assert (Cifar10().side, Cifar10(resize=16).side, ImageNet().side) == (32, 16, 224)
    assert data.test[0].shape == (4, 3, 32, 32)


def test_cifar100_in_torchvisions_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files with torchvision's checksums are CIFAR-100; labels are the fine ones of 100."""
    home = tmp_path / "cifar-100-python"
    home.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)
    for name, fine in (("train", [0, 57, 99, 3]), ("test", [99, 98, 2, 1])):
        found = {b"data": pixels, b"coarse_labels": [1, 1, 1, 1], b"fine_labels": fine}
        content = pickle.dumps(found)
        (home / name).write_bytes(content)
        known = [[name, hashlib.md5(content, usedforsecurity=False).hexdigest()]]
        monkeypatch.setattr(torchvision.datasets.CIFAR100, f"{name}_list", known)
    data = Cifar100().load(tmp_path)

    assert (data.label, data.num_classes) == ("CIFAR-100", 100)
    assert data.train[1].tolist() == [0, 57, 99, 3]
    assert data.test[0].flatten(1).tolist() == pixels.tolist()
    (home / "train").unlink()
    with pytest.raises(DataError, match=r"cifar-100-python/train`; run `bench data prepare cifar1"):
        Cifar100().load(tmp_path)


def test_the_number_of_classes_needs_no_data() -> None:
    """A net can be built before its data is read."""
    sources: dict[str, Any] = {name: DATA.load(name)() for name in KNOWN}
    numbers = {name: source.num_classes for name, source in sources.items()}

    assert numbers == dict.fromkeys(KNOWN, 10) | {"cifar100": 100, "imagenet": 1000}
    assert ImageNet(classes=100).num_classes == 100


@pytest.mark.parametrize("area", [[0, 1], [0.5, 0.2], [0.1, float("inf")], [float("nan"), 1]])
def test_a_crop_area_is_two_rising_numbers(area: list[float]) -> None:
    """Anything else is refused."""
    with pytest.raises(ValidationError, match="must be two finite numbers above 0"):
        ImageNet.model_validate({"crop_area": area})


def test_wrong_bytes_are_named(official: Path) -> None:
    """A file with another checksum is refused by name, with what to do."""
    path = official / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(DataError, match=r"data_batch_3: wrong MD5; delete it and run `bench data"):
        Cifar10().load(official)


def test_absence_says_what_to_do(tmp_path: Path) -> None:
    """A missing data set names the file, the command and the variable."""
    for name in ("cifar10", "cifar10-partial"):
        with pytest.raises(DataError, match=f"bench data prepare {name}.*BENCH_DATA"):
            DATA.load(name)().load(tmp_path)


def test_a_partial_copy_is_never_the_official_set(tmp_path: Path) -> None:
    """An incomplete copy has its own name, label and fingerprint."""
    home = tmp_path / "cifar-10-partial-py"
    home.mkdir()
    for i, name in enumerate(("data_batch_1", "test_batch")):
        (home / name).write_bytes(batch(5, i))
    data = Cifar10Partial().load(tmp_path)

    assert data.label == "CIFAR-10 (10-image copy)"
    with pytest.raises(DataError):
        Cifar10().load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"not a pickle",
        b"",
        pickle.dumps({"data": "text", "labels": [1]}),
        pickle.dumps([1, 2]),
        pickle.dumps({"labels": [1]}),
        batch(3, labels=[1, 2, 99]),
        batch(3, labels=[1, 2]),
    ],
)
def test_damaged_batches_are_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in a batch file, the answer is one line that names it or the data set."""
    home = tmp_path / "cifar-10-partial-py"
    home.mkdir()
    (home / "data_batch_1").write_bytes(content)
    (home / "test_batch").write_bytes(batch(2))

    with pytest.raises(DataError, match=r"data_batch_1|CIFAR-10"):
        Cifar10Partial().load(tmp_path)


def test_an_old_pickle_of_no_images_is_read(tmp_path: Path) -> None:
    """Protocol 2 spells empty bytes as a call; a batch without images is still a batch."""
    home = tmp_path / "cifar-10-partial-py"
    home.mkdir()
    empty = {"data": np.zeros((0, 3072), np.uint8), "labels": []}
    (home / "data_batch_1").write_bytes(batch(3))
    (home / "data_batch_2").write_bytes(pickle.dumps(empty, protocol=2))
    (home / "test_batch").write_bytes(batch(2))

    assert len(Cifar10Partial().load(tmp_path).train[0]) == 3


def test_a_pickle_cannot_run_code(tmp_path: Path) -> None:
    """A pickle that calls os.system is refused before it does."""

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return os.mkdir, (f"{tmp_path}/ran",)

    home = tmp_path / "cifar-10-partial-py"
    home.mkdir()
    for name in ("data_batch_1", "test_batch"):
        (home / name).write_bytes(pickle.dumps({"data": Evil(), "labels": [1]}))

    with pytest.raises(DataError, match=r"names posix\.mkdir"):
        Cifar10Partial().load(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("packed", [True, False])
def test_fashion_mnist(tmp_path: Path, packed: bool) -> None:
    """Four IDX files, gzipped or not, are Fashion-MNIST."""
    write_idx(tmp_path / "fashion-mnist", packed)
    data = FashionMnist().load(tmp_path)

    assert data.train[0].shape == (60_000, 1, 28, 28)
    assert data.test[1].shape == (10_000,)


@pytest.mark.parametrize("damage", [b"", b"\x00\x00\x08", b"\x1f\x8b broken"])
def test_a_damaged_idx_file_is_named(tmp_path: Path, damage: bytes) -> None:
    """A truncated or foreign IDX file is refused by name."""
    write_idx(tmp_path, packed=True)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(damage)

    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz: not the IDX file"):
        FashionMnist().load(tmp_path)


def test_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """BENCH_DATA names the data folder; ./data is it where nothing does."""
    monkeypatch.setenv("BENCH_DATA", "/somewhere")
    assert data_folder() == Path("/somewhere")
    monkeypatch.setenv("BENCH_DATA", "")
    assert data_folder() == Path("data")


def test_more_than_there_is() -> None:
    """Asking for more images than a split has is an error."""
    with pytest.raises(DataError, match="asked for the first 5000 images of a split that has"):
        Digits(train=5000).load(Path("nowhere"))


def write_idx(home: Path, packed: bool) -> None:
    """Fashion-MNIST's four files, all zeros."""
    home.mkdir(exist_ok=True)
    for kind, n in (("train", 60_000), ("t10k", 10_000)):
        for name, shape in (("images-idx3", (n, 28, 28)), ("labels-idx1", (n,))):
            head = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
            content = head + bytes(int(np.prod(shape)))
            path = home / f"{kind}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content, 1) if packed else content)
