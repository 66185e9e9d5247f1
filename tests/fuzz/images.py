"""Files of data sets."""

import gzip
import io
import pickle
import struct
from random import Random
from typing import Any

import numpy as np
import torchvision.datasets
from PIL import Image

from bench.data import file_formats
from bench.data.image import decode, evaluation_view, training_view
from bench.data.sources import Cifar10Partial
from bench.errors import DataError
from fuzz import mutate
from fuzz.box import Box, Read

IMPORTED = torchvision.datasets  # makes folders of its own when it is first imported


def cifar(box: Box, rng: Random) -> Read:
    """Batches of CIFAR-10 whose pickles are damaged, or name what could run."""
    home = box.inside / "cifar-10-partial-py"
    home.mkdir()
    good = _batch(rng, np.random.default_rng(0))
    bad = mutate.raw(rng, good) if rng.random() < 0.6 else _pickled(rng)
    for name, content in zip(("data_batch_1", "test_batch"), (good, bad), strict=True):
        (home / name).write_bytes(content)

    def read() -> None:
        Cifar10Partial().load(box.inside)

    return read


def _batch(rng: Random, noise: np.random.Generator) -> bytes:
    pixels = noise.integers(0, 256, (4, 3072), dtype=np.uint8)
    return pickle.dumps({b"data": pixels, b"labels": [0, 1, 2, 3]}, rng.randrange(6))


def _pickled(rng: Random) -> bytes:
    """What a pickle should not hold."""
    evil = [
        b"cos\nsystem\n(S'touch evil'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000000\ntS'b'\ntR.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02" + b"]" * 3000 + b"a" * 2999 + b".",
        b"cnumpy\ndtype\n(S'O'\ntR.",
    ]
    odd: list[Any] = [
        *(None, 1, [], {}, {b"data": None, b"labels": []}, {b"data": b"x" * 3072, b"labels": [0]}),
        {b"data": np.zeros((1, 3072)) + np.nan, b"labels": [0]},
        {b"data": np.zeros((2, 3072)), b"labels": np.zeros(10**6)},
        {b"data": np.zeros((1, 3072), np.uint8), b"labels": [mutate.value(rng)]},
        {b"data": mutate.value(rng), b"labels": mutate.value(rng)},
    ]
    return rng.choice(evil) if rng.random() < 0.5 else pickle.dumps(rng.choice(odd))


def idx(box: Box, rng: Random) -> Read:
    """Fashion-MNIST's files, gzipped or not, damaged before or after."""
    content = bytes([0, 0, 8, 3]) + struct.pack(">3I", 3, 4, 4) + bytes(48)
    if rng.random() < 0.5:
        content = gzip.compress(mutate.raw(rng, content) if rng.random() < 0.5 else content)
    name = "x.gz" if content[:2] == b"\x1f\x8b" else "x"
    (box.inside / name).write_bytes(mutate.raw(rng, content))

    def read() -> None:
        file_formats.idx(box.inside / name, (3, 4, 4))

    return read


FORMATS = ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"]
MODES = ["RGB", "L"]


def images(box: Box, rng: Random) -> Read:
    """Image files of many kinds, damaged, or of shapes that no photograph has."""
    size = rng.choice([(8, 8), (40, 30), (1, 1), (1, 4000), (4000, 1), (300, 2)])
    buffer = io.BytesIO()
    kind = rng.choice(FORMATS)
    Image.new(rng.choice(MODES), size).save(buffer, kind)
    content = buffer.getvalue()
    path = box.put("x.img", content if rng.random() < 0.1 else mutate.raw(rng, content))

    def read() -> None:
        image = decode(path)
        if isinstance(image, str):
            raise DataError(image)
        evaluation_view(image, 32)
        training_view(image, 32, (0.08, 1.0), rng.random)

    return read
