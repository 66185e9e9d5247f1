"""What a batch takes of its node on Ray, as its profile says it."""

import re

from bench.errors import UsageError
from bench.fleet.batch import Batch
from bench.fleet.profile import Profile
from bench.fleet.ray.ray_cluster import Demand

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


def demand_of(profile: Profile, batch: Batch) -> Demand:
    """
    The demand of one batch: as many cells at a time as it has slots for, or those that it has.

    Where cells share a GPU, a batch of one cell takes that part of it; with `auto`, where nobody
    has measured yet how many, all of it.

    Raises:
        UsageError: Ray cannot run such cells, or the memory cannot be read.
    """
    if profile.nodes_per_cell > 1:
        message = f"`{profile.name}`: on Ray a cell runs on one node; nodes_per_cell is Slurm's"
        raise UsageError(message)
    memory = parse_size(profile.mem) if profile.mem else 0
    cpus, cells = profile.cpus_per_cell, len(batch.cells)
    if batch.purpose != "train":  # which cells it has says nothing of what runs at a time
        cells = _most(profile, batch)
    if profile.ranks > 1:
        return Demand(cpus * profile.ranks, profile.gpus_per_cell, memory)
    slots = batch.slots_per_gpu or profile.slots_per_gpu
    if not profile.gpus_per_cell:
        return Demand(cpus * min(cells, batch.jobs or 1), 0, memory)
    if slots == "auto":
        return Demand(cpus * cells, 1, memory)
    at_once = min(cells, slots)
    return Demand(cpus * at_once, at_once / slots, memory)


def _most(profile: Profile, batch: Batch) -> int:
    """Cells that a job of the profile trains at a time, where they have that many."""
    slots = (batch.slots_per_gpu or profile.slots_per_gpu) if profile.gpus_per_cell else batch.jobs
    return slots if isinstance(slots, int) else 1


def parse_size(text: str) -> int:
    """
    Bytes, of a size as Slurm reads it: 32GB, 800M; a number alone counts megabytes.

    Raises:
        UsageError: it is none.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None:
        message = f"mem `{text}`: expected a size such as 32GB"
        raise UsageError(message)
    number, unit = float(match[1]), (match[2] or "M").upper()
    return int(number * 1024 ** ("KMGT".index(unit) + 1))
