"""One's own images: npz files, parquet and arrow files."""

import io
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from PIL import Image

from bench.data.own_images import NpzImages, OwnImages, ParquetImages
from fuzz import mutate
from fuzz.box import Box, Read, misplace

DTYPES = ("u1", "u2", "i8", "f4", "f8", "?", "U3", "S4", "c8")
SHAPES = ((8, 4, 4), (8, 4, 4, 3), (8, 3, 4, 4), (8,), (0, 4, 4), (8, 1), (4, 4), (8, 4, 4, 7))


def npz(box: Box, rng: Random) -> Read:
    """An npz file that is damaged, or whose arrays are of odd names, types and sizes."""
    arrays: dict[str, Any] = {"images": np.zeros((8, 4, 4), "u1"), "labels": np.arange(8) % 2}
    arrays["images"][:] = np.arange(8)[:, None, None]
    for _ in range(rng.randrange(3)):
        name = rng.choice(["images", "labels", "x_test", "y_test", "class_names", "val", ""])
        arrays[name or "x"] = np.ones(rng.choice(SHAPES)).astype(rng.choice(DTYPES))
    held = io.BytesIO()
    np.savez_compressed(held, **arrays)
    content = held.getvalue() if rng.random() < 0.5 else mutate.raw(rng, held.getvalue())
    path = box.put("own.npz", content)
    if rng.random() < 0.05:
        misplace(box, rng, path)
    source = NpzImages(path="own.npz", image=rng.choice([None, 8]))
    return lambda: _read(source, box)


def parquet(box: Box, rng: Random) -> Read:
    """A table that is damaged, or whose columns are of odd names and types."""
    images = [_image(rng, i) for i in range(8)]
    labels: list[object] = [i % 2 for i in range(8)]
    if rng.random() < 0.4:
        odd = rng.choice([None, -1, 10**12, 0.5, float("nan"), "a", "\x1b[31m"])
        alike = str if isinstance(odd, str) else type(odd) if odd is not None else int
        labels = [odd if i == 3 else alike(i % 2) for i in range(8)]
    column = images if rng.random() < 0.5 else [{"bytes": each, "path": None} for each in images]
    names = [rng.choice(["image", "img", "x", "label"]), rng.choice(["label", "y", "z"])]
    held = io.BytesIO()
    pyarrow.parquet.write_table(pa.table([pa.array(column), pa.array(labels)], names), held)
    content = held.getvalue() if rng.random() < 0.5 else mutate.raw(rng, held.getvalue())
    path = box.put("own.parquet", content)
    if rng.random() < 0.05:
        misplace(box, rng, path)
    source = ParquetImages(path="own.parquet", image=8)
    return lambda: _read(source, box)


def _read(source: OwnImages, box: Box) -> None:
    str(source.load(box.inside).label)


def _image(rng: Random, shade: int) -> bytes:
    held = io.BytesIO()
    Image.new(rng.choice(["L", "RGB", "P"]), (8, 8), shade).save(held, "png")
    content = held.getvalue()
    return content if rng.random() < 0.8 else mutate.raw(rng, content)
