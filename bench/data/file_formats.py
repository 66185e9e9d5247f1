"""Files as they are published, read into arrays: CIFAR's pickled batches and IDX files."""

import gzip
import hashlib
import io
import operator
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from bench.data.presence import missing
from bench.errors import DataError

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Batch: TypeAlias = tuple[Pixels, list[int]]  # (n, 3072) pixels and n labels


def checked(path: Path, md5: str, name: str) -> bytes:
    """The bytes of a file whose MD5 is known."""
    if not path.exists():
        raise DataError(missing(name, path))
    content = read(path)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        message = f"{path}: wrong MD5; delete it and run `bench data prepare {name}`"
        raise DataError(message)
    return content


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read `{path}`: {error.strerror}"
        raise DataError(message) from None


def batch(content: bytes, path: Path, key: str) -> Batch:
    """
    One pickled batch of CIFAR, its labels under `key`. Only plain data and arrays are read.

    Raises:
        DataError: it is none.
    """
    try:
        found = _Plain(content).load()
        pixels = np.asarray(found[b"data" if b"data" in found else "data"])
        if pixels.dtype != np.uint8:
            message = f"its pixels are {pixels.dtype}, not bytes"
            raise ValueError(message)
        labels = found[key.encode() if key.encode() in found else key]
        if pixels.nbytes > len(content) or len(labels) > len(content):
            message = "it claims to hold more than it does"
            raise ValueError(message)
        return pixels.reshape(-1, 3072), [operator.index(y) for y in labels]
    except Exception as error:  # a damaged pickle raises nearly anything
        message = f"{path}: not a CIFAR batch: {type(error).__name__}: {error}"
        raise DataError(message) from None


class _Plain(pickle.Unpickler):
    """An unpickler that builds arrays and nothing that could run code."""

    allowed = frozenset({"_reconstruct", "ndarray", "dtype", "encode", "_frombuffer"})

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        home = module_name.split(".")[0]
        array = home in {"numpy", "_codecs"} and global_name in self.allowed
        if array or (home in {"__builtin__", "builtins"} and global_name == "bytes"):
            return super().find_class(module_name, global_name)
        message = f"it names {module_name}.{global_name}"
        raise pickle.UnpicklingError(message)


def idx(path: Path, shape: tuple[int, ...]) -> Tensor:
    """
    One IDX file of bytes, gzipped or plain.

    Raises:
        DataError: it is none, or is of another shape.
    """
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
