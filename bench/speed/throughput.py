"""
Throughput: how fast a graph trains on this machine, measured and kept.

A graph is what cells compute that differ in nothing but the seed, the number of epochs and other
numbers of the recipe: they take equal time and memory. Its throughput holds for one kind of
machine, one environment and one number of copies that train at once. Hosts of one environment are
one kind, so that nodes of a cluster find each other's.

    ROOT/paces/<hash of graph, place, environment, cores and machines>.json
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
from bench.base.machine import cores
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
    host: str  # that measured it
    machines: str = ""  # of a profile, as `Profile.machines` says it; else those without one
    cores: PositiveInt | None = None  # of that host; None: kept by an older version
    compiled: bool | None = None
    copies: PositiveInt
    threads: PositiveInt  # of the CPU, for each process
    ranks: PositiveInt = 1  # processes that train a copy together
    nodes: PositiveInt = 1  # over which they are spread
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
    """`2 x cpu`, `4 x cuda:0 + 4 x cuda:1`; `1 x cpu+cpu` is one copy by two processes."""
    return " + ".join(f"{n} x {device}" for device, n in Counter(devices).items())


def load_throughput(
    root: Path, graph: str, place: str, environment: str, machines: str = ""
) -> Throughput | None:
    """The throughput that `root` keeps, if a machine like this one made one there."""
    names = [_name(graph, place, environment, _cores(place, cores()), machines)]
    if not machines:  # older versions named the host
        names.append(_name(graph, place, environment, platform.node()))
    found = (_read(root / "paces" / name) for name in names)
    return next((throughput for throughput in found if throughput), None)


def list_throughputs(root: Path, machines: str) -> list[Throughput]:
    """All that `root` keeps of such machines, the newest first."""
    read = map(_read, (root / "paces").glob("*.json"))
    kept = (throughput for throughput in read if throughput and throughput.machines == machines)
    return sorted(kept, key=lambda throughput: throughput.made, reverse=True)


def save_throughput(root: Path, throughput: Throughput) -> None:
    """Write it down; where that fails it is measured again next time."""
    name = _name(
        throughput.graph,
        throughput.place,
        throughput.environment,
        _cores(throughput.place, throughput.cores),
        throughput.machines,
    )
    with contextlib.suppress(EnvironmentProblem):
        write_file(store.path_inside(root, "paces", name), throughput.model_dump_json() + "\n")


def _read(path: Path) -> Throughput | None:
    try:
        return Throughput.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _cores(place: str, number: int | None) -> str:
    """What a place on the CPU shares; a GPU is its own."""
    return f"{number} cores" if "cpu" in place else ""


def _name(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16] + ".json"
