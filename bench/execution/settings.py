"""Where and how the cells of one run are run; nothing here is part of a cell's identity."""

import math
from dataclasses import dataclass
from pathlib import Path

from bench.base.machine import cores
from bench.execution.job import Job, Slot
from bench.registry import ESTIMATORS
from bench.results.record import EngineJob
from bench.spec.cell import Cell

CHECKPOINT_S = 300.0


@dataclass(frozen=True)
class RetryPolicy:
    """
    What a run does about cells that fail.

    Args:
        retries: further tries at a cell that failed; never at one that diverged.
        max_failures: of cells, after which the run stops; None: it goes on.
    """

    retries: int = 0
    max_failures: int | None = None

    @property
    def tries(self) -> int:
        """At a cell, at most."""
        return self.retries + 1

    def stops_after(self, failures: int) -> bool:
        """Are so many failed cells enough to stop the run?"""
        return failures >= (self.max_failures or math.inf)


@dataclass(frozen=True)
class Settings:
    """What all cells of one run have in common, beside what they are."""

    root: Path
    data: Path
    slots: tuple[Slot, ...]
    compiled: bool | None = None  # None: as `bench.train.compile_policy` decides for each cell
    workers: int | None = None  # decoding threads of a cell; None: all slots share the cores
    argv: tuple[str, ...] = ()
    checkpoint_s: float = CHECKPOINT_S  # between checkpoints of a cell
    timeout_s: float | None = None  # of one try at a cell, from when a worker is given it
    retry: RetryPolicy = RetryPolicy()
    engine_job: EngineJob | None = None  # that the run is
    earlier_jobs: tuple[EngineJob, ...] = ()  # of which it is known how they ended

    def job(self, cell: Cell, slot: Slot) -> Job:
        """What a worker needs to know to train a cell in one of the slots."""
        fair = max(1, cores() // sum(1 + len(other.beside) for other in self.slots))
        return Job(
            cell=cell,
            root=self.root,
            device=slot.device,
            threads=slot.threads,
            workers=fair if self.workers is None else self.workers,
            compiled=self.compiled,
            data=self.data,
            plugins=tuple(ESTIMATORS.folders),
            argv=self.argv,
            checkpoint_s=self.checkpoint_s,
            engine_job=self.engine_job,
            earlier_jobs=self.earlier_jobs,
            cells_at_once=sum(other.device == slot.device for other in self.slots),
            beside=slot.beside,
            others=slot.others,
        )
