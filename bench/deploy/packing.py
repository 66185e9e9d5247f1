"""
A graph as one safetensors file: operations as JSON, weights as bits.

A tensor of few values is codes into a table of them, b bits each: signs are 1 bit, three levels 2.
The table is one for all, or one for each filter, as signs times a scale need it, whichever makes
the file smaller. What takes more than 8 bits stays float32.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.deploy.graph import Call, Graph, Value, flatten
from bench.deploy.thresholds import PRODUCTS

MOST_BITS = 8
FORMAT = "signbench bits 1"


@dataclass
class Packed:
    """
    What a file holds.

    Args:
        arrays: by name.
        weights: how many weights of products take so many bits; 32 is float.
        at_once: as of `Graph`.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    steps: list[list[Value]] = field(default_factory=list[list[Value]])
    codes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    weights: dict[int, int] = field(default_factory=dict[int, int])
    at_once: int | None = None

    def to_bytes(self, about: dict[str, Any]) -> bytes:
        """
        The file.

        Args:
            about: what else it says of itself, as JSON has it.
        """
        from safetensors.numpy import save

        program = {"steps": self.steps, "codes": self.codes, "at once": self.at_once}
        texts = {"format": FORMAT, "program": json.dumps(program), "about": json.dumps(about)}
        return save(self.arrays, metadata=texts)


def pack(graph: Graph) -> Packed:
    """The steps of a graph by number, 0 the images, and its constants by name."""
    packed = Packed(at_once=graph.at_once)
    calls = graph.calls
    numbers = {call: number for number, call in enumerate(calls)}
    names: dict[int, str] = {}  # of tensors, by identity
    weights = {id(call.args[1]) for call in calls if call.name in PRODUCTS}
    for call in calls:
        for each in flatten(call.args):
            if isinstance(each, Tensor) and id(each) not in names:
                names[id(each)] = f"c{len(names)}"
                _keep(packed, names[id(each)], each, weight=id(each) in weights)
    for call in calls[1:]:
        args = [_spell(each, numbers, names) for each in call.args]
        packed.steps.append([call.name.partition(".")[0], numbers[call], args])
    return packed


def _spell(value: Value, numbers: dict[Call, int], names: dict[int, str]) -> Value:
    """An argument as JSON: {"v": number of a step}, {"c": name of a constant}, or what it is."""
    if isinstance(value, list | tuple):
        return [_spell(each, numbers, names) for each in value]  # pyright: ignore
    if isinstance(value, Call):
        return {"v": numbers[value]}
    if isinstance(value, Tensor):
        return {"c": names[id(value)]}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, torch.device | torch.layout | torch.memory_format):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _keep(packed: Packed, name: str, tensor: Tensor, *, weight: bool) -> None:
    array = tensor.detach().cpu().contiguous().numpy()
    found = encode(array) if weight else None
    bits = 32
    if found is None:
        packed.arrays[name] = array
    else:
        planes, table = found
        bits = len(planes)
        packed.arrays |= {f"{name}.codes": planes, f"{name}.table": table}
        packed.codes[name] = {"shape": [*array.shape]}
    if weight:
        packed.weights[bits] = packed.weights.get(bits, 0) + array.size


def encode(array: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[Any]] | None:
    """
    Bits and a table of values of weights (C_out, ...), or None where floats take no more.

    Returns:
        planes: (b, bytes), plane i has bit i of every code, in order, the first bit highest.
        table: (1, 2^b) or (C_out, 2^b), of the array's type; a value of row r is table[r, code].
    """
    rows = array.reshape(len(array), -1)
    tables = [np.unique(rows).reshape(1, -1)]
    own = [np.unique(row) for row in rows]
    width = max(map(len, own))
    tables.append(np.stack([np.pad(row, (0, width - len(row)), mode="edge") for row in own]))
    sized = [(_bits(t.shape[1]), t) for t in tables]
    bits, table = min(sized, key=lambda s: s[0] * rows.size / 8 + s[1].shape[0] * 2 ** s[0] * 4)
    if bits > MOST_BITS or bits * rows.size / 8 + len(table) * 2**bits * 4 >= array.nbytes:
        return None
    table = np.pad(table, ((0, 0), (0, 2**bits - table.shape[1])), mode="edge")
    per_row = np.broadcast_to(table, (len(rows), table.shape[1]))
    codes = np.stack([np.searchsorted(t, r) for t, r in zip(per_row, rows, strict=True)])
    planes = [np.packbits((codes.reshape(-1) >> bit & 1).astype(np.uint8)) for bit in range(bits)]
    return np.stack(planes), np.ascontiguousarray(table)


def _bits(values: int) -> int:
    return max(1, math.ceil(math.log2(values)))
