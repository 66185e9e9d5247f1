"""The kept weights of a cell against the digests in its record, without torch."""

import hashlib
from operator import itemgetter
from pathlib import Path
from typing import Any

import safetensors

from bench.errors import UsageError
from bench.results.cell_folders import CellFolder
from bench.results.record import Record

TYPES = {  # of safetensors, as torch calls them
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


def digest_file(path: Path) -> str:
    """
    What `train.weights.digest` gives for the tensors in a file, from their bytes.

    Raises:
        UsageError: it cannot be read, is damaged, or holds types that no network here has.
    """
    try:
        sha = hashlib.sha256()
        for name, tensor in sorted(_tensors(path.read_bytes()), key=itemgetter(0)):
            shape = tuple(tensor["shape"])
            sha.update(f"{name}torch.{TYPES[tensor['dtype']]}{shape}".encode())
            sha.update(tensor["data"])
    except (OSError, safetensors.SafetensorError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        message = f"{path.name} cannot be read: {reason}"
        raise UsageError(message) from None
    return sha.hexdigest()


def _tensors(content: bytes) -> list[tuple[str, dict[str, Any]]]:
    return safetensors.deserialize(content)  # pyright: ignore[reportUnknownVariableType]


def recorded_digest(record: Record, which: str) -> str:
    """The digest that a record has of its `last` or `best` weights; empty in old records."""
    return record.weights_digest if which == "last" else record.best_digest


def check_weight_files(cell: CellFolder) -> dict[str, str]:
    """The weights files of a cell, and why one is not what its record says; empty if it is."""
    record = cell.record
    paths = {which: cell.home / f"{which}.safetensors" for which in ("last", "best")}
    return {
        path.name: find_problem(path, recorded_digest(record, which) if record else "")
        for which, path in paths.items()
        if path.is_file() and not path.is_symlink()
    }


def find_problem(path: Path, known: str) -> str:
    """Why a file does not hold the tensors of the digest, or of any if none is known; or empty."""
    try:
        now = digest_file(path)
    except UsageError as error:
        return str(error)
    if not known or now == known:
        return ""
    said = f"digest {now[:12]}, the record says {known[:12]}"
    return f"{path.name} is not what was recorded: {said}"
