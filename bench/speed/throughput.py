"""
Throughput: how fast a graph trains on this machine, measured and kept.

A graph is what cells compute that differ in nothing but the seed, the number of epochs and other
numbers of the recipe: they take equal time and memory. Its throughput holds for one machine, one
environment and one number of copies that train at once.

    ROOT/paces/<hash of graph, place, environment and host>.json
"""

import contextlib
import hashlib
import platform
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from bench.base.files import write_file
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem
from bench.results import store
from bench.spec.cell import Cell, Recipe

SAME_STEP = {name for name, cost in Recipe.costs().items() if not cost.step}


class Throughput(Frozen):
    """Means over the copies that trained at once, memory of the one that took most. MiB."""

    schema_version: Literal[1] = 1
    graph: str
    place: str  # as `describe_devices` says it
    environment: str
    host: str
    copies: PositiveInt
    threads: PositiveInt  # of the CPU, for each copy
    images_per_s: PositiveFloat  # of one copy, while all train
    epoch_s: PositiveFloat  # of one copy, indicators and evaluation included
    start_s: NonNegativeFloat  # until training began: process, imports, data
    first_s: NonNegativeFloat  # of the first step: compilation, warm-up
    mib: PositiveFloat  # of the device on a GPU, of the process on a CPU
    host_mib: PositiveFloat  # of the process
    reserved_mib: NonNegativeFloat = 0.0  # of a GPU, by torch
    free_mib: float | None = None  # of a GPU, while all copies were there
    operations: NonNegativeFloat = 0.0  # of an epoch, which decide on compiling
    made: str  # UTC

    @property
    def total(self) -> float:
        """Images a second, of all copies together."""
        return self.copies * self.images_per_s


def graph_key(cell: Cell) -> str:
    """The digest of what a step of the cell's training computes."""
    left_out = {"seed": True, "recipe": SAME_STEP, "start": True, "teacher": True}
    text = cell.model_dump_json(exclude=left_out)
    if cell.teacher:  # its forward pass is part of a step, whatever it has learned
        text += cell.teacher.cell.backbone.model_dump_json()
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def group_by_graph(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """The cells of each graph."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(graph_key(cell), []).append(cell)
    return groups


def describe_devices(devices: Iterable[str]) -> str:
    """`2 x cpu`, `4 x cuda:0 + 4 x cuda:1`."""
    return " + ".join(f"{n} x {device}" for device, n in Counter(devices).items())


def load_throughput(root: Path, graph: str, place: str, environment: str) -> Throughput | None:
    """The throughput that `root` keeps, if this machine made one there."""
    name = _name(graph, place, environment, platform.node())
    try:
        return Throughput.model_validate_json((root / "paces" / name).read_bytes())
    except (OSError, ValidationError):
        return None


def save_throughput(root: Path, throughput: Throughput) -> None:
    """Write it down; where that fails it is measured again next time."""
    name = _name(throughput.graph, throughput.place, throughput.environment, throughput.host)
    with contextlib.suppress(EnvironmentProblem):
        write_file(store.path_inside(root, "paces", name), throughput.model_dump_json() + "\n")


def _name(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16] + ".json"
