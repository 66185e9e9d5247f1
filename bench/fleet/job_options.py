"""How cells train in a job: what the options of a command say, and what the profile says else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from bench.errors import UsageError
from bench.fleet.packing import pack
from bench.fleet.profile import Profile
from bench.spec.cell import Cell

AtOnce: TypeAlias = int | Literal["auto"]
Measured: TypeAlias = tuple[dict[str, float], int]  # seconds of cells by id, so many at a time


def unmeasured(_: Sequence[Cell]) -> Measured:
    """Nobody measured anything."""
    return {}, 1


@dataclass(frozen=True)
class JobOptions:
    """
    What the options of a command say.

    Args:
        device, slots_per_gpu, jobs, threads: as `bench run` has them.
        measure: how long each of some cells takes on such a machine, by what was measured, and how
            many train at a time there.
    """

    device: str = "auto"
    slots_per_gpu: AtOnce | None = None
    jobs: int | None = None
    threads: int = 1
    measure: Callable[[Sequence[Cell]], Measured] = unmeasured

    def slots(self, profile: Profile) -> dict[str, object]:
        """Where cells run on a node; options of the command go before the profile."""
        device = self.device
        if device == "auto":
            device = "cuda" if profile.gpus_per_cell else "cpu"
        if profile.ranks > 1:  # a cell takes the whole job
            return {"device": device, "jobs": 1}
        if self.jobs or device == "cpu":
            return {"device": device, "jobs": self.jobs or 1}
        return {"device": device, "slots_per_gpu": self.slots_per_gpu or profile.slots_per_gpu}

    def at_once(self, profile: Profile) -> AtOnce:
        """Cells that a job trains at a time; auto: as many as are best on the node."""
        slots = self.slots(profile)
        many = slots.get("jobs") or slots.get("slots_per_gpu")
        return many if isinstance(many, int) else "auto"

    def settle(self, profile: Profile, cells: Sequence[Cell]) -> "JobOptions":
        """
        Say how many train at a time where that is `auto`, and all of these cells were measured.

        So a job takes no more of a node than it needs, and measures nothing anew.
        """
        if self.at_once(profile) != "auto":
            return self
        seconds, best = self.measure(cells)
        known = all(cell.id in seconds for cell in cells)
        return replace(self, slots_per_gpu=best) if known else self

    def pack(self, profile: Profile, cells: Sequence[Cell]) -> list[list[Cell]]:
        """
        The cells of each job, in the order in which they are to be submitted.

        Raises:
            UsageError: a cell has fewer images in a batch than processes.
        """
        few = next((cell for cell in cells if cell.recipe.batch_size < profile.ranks), None)
        if few:
            key = "gpus_per_cell" if profile.gpus_per_cell else "ranks_per_cell"
            message = (
                f"--on {profile.name}: {profile.ranks} processes train a cell, and a batch of "
                f"`{few.slug}` has {few.recipe.batch_size} images: lower {key}"
            )
            raise UsageError(message)
        seconds, measured = self.measure(cells)
        asked = self.at_once(profile)
        return pack(
            cells,
            seconds,
            per_job=None if profile.cells_per_job == "auto" else profile.cells_per_job,
            time_s=profile.time_s,
            slots=measured if asked == "auto" else asked,
        )
