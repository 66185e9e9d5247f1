"""
What every data set owes the harness, checked on one that nobody wrote tests for.

`bench check NAME` prints it. All images are read, several times.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from bench.base.text import count
from bench.data.dataset import Dataset, Name
from bench.data.source import DataSource, load, named
from bench.properties.checked_kind import take_apart
from bench.properties.claim import Check, Claim, check_claim, list_checks
from bench.spec.parameters import build

SPLITS: tuple[Name, ...] = ("train", "test")
BATCH = 256


def render_reports(words: list[str], folder: Path) -> Iterator[tuple[str, bool]]:
    """
    The text of `bench check` and whether all holds, for data sets.

    Args:
        words: names; or one, and `KEY=VALUE` for each parameter to be set.
        folder: where data sets lie.

    Raises:
        UsageError: parameters without one name that they belong to, or not this data set's.
        PluginError: the file of one cannot be imported.
        DataError: one is not there, or not what it should be.
    """
    names, values = take_apart(words, "data set")
    for name in names:
        source = build(named(name), name, values)
        checks, label = check_data(name, source, folder)
        lines = [f"{name}: {label}"]
        yield "\n".join([*lines, *list_checks(checks)]), all(check.ok for check in checks)


def check_data(name: str, source: DataSource, folder: Path) -> tuple[list[Check], str]:
    """
    Check every claim of a configured data set; also return how tables call it.

    Raises:
        DataError: it is not there, or not what it should be.
    """
    cpu = torch.device("cpu")
    data = load(name, source, folder).to(cpu)

    def read_again(first: Dataset) -> tuple[str, str]:
        again = load(name, source, folder).to(cpu)
        if again.fingerprint != first.fingerprint:
            return f"fingerprints {first.fingerprint} and {again.fingerprint}", ""
        same = all(_digests(again, split) == _digests(first, split) for split in SPLITS)
        return ("" if same else "equal fingerprints, other images"), first.fingerprint

    claims: dict[str, Claim] = {
        "images are of one shape": _images,
        "labels are classes": _labels,
        "no image is in both splits": _apart,
        "read again it is the same": read_again,
        "an epoch follows from its seed": _epoch,
        "test images are not augmented": _plain,
    }
    return [check_claim(text, claim, data) for text, claim in claims.items()], data.label


def _images(data: Dataset) -> tuple[str, str]:
    for split in SPLITS:
        seen = 0
        for images, labels in data.batches(split, BATCH):
            wanted = (len(labels), *data.shape)
            if images.shape != wanted or images.dtype != torch.float32:
                return f"{split}: {tuple(images.shape)} {images.dtype} for {wanted} float32", ""
            if not bool(images.isfinite().all()):
                return f"{split}: a value that is no number", ""
            seen += len(labels)
        if seen != data.sizes[split]:
            return f"{split}: {seen} images of {data.sizes[split]}", ""
    sizes = ", ".join(f"{data.sizes[split]:,} {split}" for split in SPLITS)
    return "", f"{'x'.join(map(str, data.shape))}; {sizes}"


def _labels(data: Dataset) -> tuple[str, str]:
    if data.class_names and len(data.class_names) != data.num_classes:
        return f"{len(data.class_names)} names for {data.num_classes} classes", ""
    for split in SPLITS:
        labels = data.labels(split)
        if labels.dtype != torch.int64 or labels.ndim != 1:
            return f"{split}: {labels.ndim}-dimensional {labels.dtype}, must be (N,) int64", ""
        here: set[int] = set(labels.tolist())  # pyright: ignore[reportUnknownArgumentType]
        if beyond := sorted(here - {*range(data.num_classes)}):
            return f"{split}: label {beyond[0]}, there are {data.num_classes} classes", ""
        if absent := sorted({*range(data.num_classes)} - here):
            names = data.class_names or tuple(map(str, range(data.num_classes)))
            return f"{split}: no image of class {names[absent[0]]}", ""
    return "", f"{data.num_classes:,} classes, each in both splits"


def _apart(data: Dataset) -> tuple[str, str]:
    train, test = (_digests(data, split) for split in SPLITS)
    both = [place for place, digest in enumerate(test) if digest in {*train}]
    if both:
        images = count(len(both), "test image")
        return f"{images} of {len(test):,} train, too; the first is number {both[0]}", ""
    return "", "by what they hold, not by their names"


def _epoch(data: Dataset) -> tuple[str, str]:
    first, again = (_one_epoch(data, seed=7) for _ in range(2))
    if first[0] != again[0]:
        return "two epochs of one seed differ", ""
    there: list[int] = data.labels("train").tolist()  # pyright: ignore[reportUnknownVariableType]
    if Counter(first[1]) != Counter(there):
        return f"{len(first[1])} images in an epoch of {data.sizes['train']}", ""
    if _one_epoch(data, seed=8)[0] == first[0]:
        return "two seeds give one order", ""
    return "", "each training image once"


def _plain(data: Dataset) -> tuple[str, str]:
    torch.manual_seed(0)
    first = _digests(data, "test")
    torch.manual_seed(1)
    if _digests(data, "test") != first:
        return "evaluated twice they differ", ""
    return "", "evaluated twice, equal to the bit"


def _one_epoch(data: Dataset, seed: int) -> tuple[str, list[int]]:
    """A digest of all that an epoch gives, and its labels."""
    sha, seen = hashlib.sha256(), list[int]()
    for images, labels in data.epoch(BATCH, torch.Generator().manual_seed(seed)):
        sha.update(images.contiguous().numpy().data)
        seen += labels.tolist()
    return sha.hexdigest(), seen


def _digests(data: Dataset, split: Name) -> list[bytes]:
    """A digest of each image of a split as evaluation sees it, in order."""
    return [_digest(image) for images, _ in data.batches(split, BATCH) for image in images]


def _digest(image: Tensor) -> bytes:
    return hashlib.sha256(image.contiguous().numpy().tobytes()).digest()
