"""Images and labels in an npz file, by the names that people give its arrays."""

import hashlib
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from bench.data.album import Album, Picture, Pixels
from bench.errors import DataError

Array: TypeAlias = np.ndarray[Any, Any]
IMAGES = {"x", "image", "images", "img", "imgs", "data"}
LABELS = {"y", "label", "labels", "target", "targets"}
SPLITS = {"train": "train", "training": "train", "test": "test", "val": "val", "valid": "val",
          "validation": "val"}  # fmt: skip
NAMES = {"class_names", "classes", "label_names", "target_names", "names"}


def read_npz(path: Path) -> Album:
    """
    Find the images of an npz file. Nothing in it is run.

    Raises:
        DataError: it is none, or its arrays are not images and labels.
    """
    arrays = _arrays(path)
    names = next((value for key, value in arrays.items() if key.lower() in NAMES), None)
    splits: dict[str, dict[str, Array]] = {}
    for key, value in arrays.items():
        if found := _meaning(key):
            kind, split = found
            if kind in splits.setdefault(split, {}):
                message = f"{path}: two arrays of {kind} for `{split or 'all'}`, `{key}` is one"
                raise DataError(message)
            splits[split][kind] = value
    whole = {split: pair for split, pair in splits.items() if len(pair) == 2}
    first = "train" if "train" in whole else ""
    if first not in whole:
        message = f"{path}: holds {', '.join(arrays) or 'nothing'}; wants `x_train`, `y_train`, "
        raise DataError(f"{message}`x_test`, `y_test`, or `images` and `labels`")
    tested = next((split for split in ("test", "val") if first and split in whole), None)
    notes = ("`val` is not used: `test` is what is tested on",) * (
        tested == "test" and "val" in whole
    )
    labels = {split: _flat(path, whole[split]["labels"]) for split in filter(None, (first, tested))}
    labels |= {"": _flat(path, whole[""]["labels"])} if not first else {}
    classes, numbered = _classes(path, labels, names)
    train = _pictures(path, first, whole[first]["images"], numbered[first])
    test = _pictures(path, tested, whole[tested]["images"], numbered[tested]) if tested else None
    return Album(classes, train, test, notes)


DAMAGED = (EOFError, AttributeError, zipfile.BadZipFile, zlib.error, struct.error)


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except MemoryError:
        raise
    except (OSError, ValueError, LookupError, ArithmeticError, RuntimeError, *DAMAGED) as error:
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or ["damaged"])[0]
        message = f"`{path}` is no npz file of plain arrays: {reason}"
        raise DataError(message) from None


def _meaning(key: str) -> tuple[str, str] | None:
    """Whether an array is images or labels, and of which split; None: of neither."""
    words = {word for word in re.split(r"[^a-z]+", key.lower()) if word}
    if key.lower() in NAMES or len(words) > 2:
        return None
    split = next((SPLITS[word] for word in words if word in SPLITS), "")
    kinds = [kind for kind, known in (("images", IMAGES), ("labels", LABELS)) if words & known]
    return (kinds[0], split) if len(kinds) == 1 else None


def _flat(path: Path, labels: Array) -> Array:
    """Labels (N,), which may stand in a column."""
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1 or flat.dtype.kind not in "iuUS":
        message = f"{path}: labels of shape {labels.shape} and type {labels.dtype}; wants numbers "
        raise DataError(f"{message}from 0, or names, one for each image")
    return flat.astype(str) if flat.dtype.kind == "S" else flat


def _classes(
    path: Path, labels: dict[str, Array], names: Array | None
) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """The names of the classes, and every split's labels as numbers from 0."""
    words = {value.dtype.kind == "U" for value in labels.values()}
    if words == {True}:
        known = sorted({str(x) for value in labels.values() for x in value})
        places = {name: place for place, name in enumerate(known)}
        numbered = {split: [places[str(x)] for x in value] for split, value in labels.items()}
        return tuple(known), numbered
    numbers = {split: [int(x) for x in value] for split, value in labels.items()}
    every = [x for some in numbers.values() for x in some]
    if not every or len(words) > 1 or min(every) < 0:
        message = f"{path}: labels must be numbers from 0, or names, in all splits alike"
        raise DataError(message)
    told = [str(x) for x in names] if names is not None and names.ndim == 1 else []
    most = max(every) + 1
    if most > len(every) or (told and len(told) < most):
        message = f"{path}: label {most - 1}, with {len(told) or len(every)} " + (
            "class names" if told else "images"
        )
        raise DataError(message)
    return tuple(told or map(str, range(most))), numbers


def _pictures(path: Path, split: str, images: Array, labels: list[int]) -> list[Picture]:
    """The images of a split, channels last."""
    if images.ndim == 4 and images.shape[-1] not in {1, 3} and images.shape[1] in {1, 3}:
        images = images.transpose(0, 2, 3, 1)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    fits = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)
    if not fits or 0 in images.shape or len(images) != len(labels):
        message = f"{path}: images of shape {images.shape} and {len(labels)} labels; wants "
        raise DataError(f"{message}(N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3")
    if images.dtype.kind not in "iu" or images.min() < 0 or images.max() > 255:
        message = f"{path}: images are {images.dtype}, from {images.min():g} to {images.max():g}; "
        raise DataError(f"{message}wants whole numbers from 0 to 255")
    pixels: list[Pixels] = [*np.ascontiguousarray(images.astype(np.uint8))]
    return [
        Picture(label, hashlib.sha256(x.tobytes()).digest(), f"{split or 'images'}[{i}]", x)
        for i, (x, label) in enumerate(zip(pixels, labels, strict=True))
    ]
