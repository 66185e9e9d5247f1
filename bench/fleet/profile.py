"""
Where and how jobs run: one profile of `machines.yaml`, or `slurm:partition=gpu,time=12h`.

No suite mentions a profile, and nothing in it is part of a cell: the same cells have the same
records wherever they ran.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from bench.base.validation import Frozen

Positive: TypeAlias = Annotated[int, Field(ge=1)]
EngineName: TypeAlias = Literal["local", "slurm", "ray"]


class Profile(Frozen):
    """
    A kind of machines, and how jobs are asked of them.

    Args:
        name: as `--on` gives it.
        partition, account, qos, constraint: Slurm's.
        time_s: the most that one job may take, seconds.
        grace_s: how long before its end a job is told, seconds.
        mem: memory of a job, as Slurm reads it: 32GB.
        gpus_per_cell: 0 trains on the CPU; of 2 or more, each has a process of its own.
        nodes_per_cell: over which those processes are spread evenly.
        ranks_per_cell: the same on CPUs, for machines that have no GPU.
        cpus_per_cell: cores of a cell, or of each of its processes.
        slots_per_gpu: cells at a time on a GPU; auto: as measured on that kind of machine.
        cells_per_job: auto: as many as fill four fifths of `time` by what was measured, else one.
        jobs: in the queue at a time.
        setup: lines of shell before a job's command.
        sbatch: further options of sbatch, by their long names.
        results, data: these folders as nodes see them; None: as here.
        shared: do nodes see the results folder?
        address: of a running Ray cluster; None: one is started here.
        exclude: nodes that are left alone.
    """

    name: str
    engine: EngineName
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time_s: float | None = None
    grace_s: float = 120.0
    mem: str | None = None
    gpus_per_cell: Annotated[int, Field(ge=0)] = 0
    nodes_per_cell: Positive = 1
    ranks_per_cell: Positive | None = None
    cpus_per_cell: Positive = 1
    slots_per_gpu: Positive | Literal["auto"] = 1
    cells_per_job: Positive | Literal["auto"] = "auto"
    jobs: Positive = 256
    setup: tuple[str, ...] = ()
    sbatch: dict[str, Any] = {}
    results: Path | None = None
    data: Path | None = None
    shared: bool = True
    address: str | None = None
    exclude: tuple[str, ...] = ()

    @property
    def ranks(self) -> int:
        """Processes that train one cell together."""
        return self.ranks_per_cell or max(1, self.gpus_per_cell)
