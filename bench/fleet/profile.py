"""
Where and how jobs run: one profile of `machines.yaml`, or `slurm:partition=gpu,time=12h`.

No suite mentions a profile, and nothing in it is part of a cell: the same cells have the same
records wherever they ran.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from bench.base.duration import parse_duration
from bench.base.validation import Frozen

EngineName: TypeAlias = Literal["local", "slurm", "ray"]
ENGINES: tuple[str, ...] = get_args(EngineName)

CELLS = {  # keys of every engine: what a cell takes
    "gpus_per_cell", "ranks_per_cell", "cpus_per_cell", "slots_per_gpu", "jobs",
}  # fmt: skip
KEYS: dict[str, set[str]] = {
    "local": CELLS,
    "slurm": {
        "partition", "account", "qos", "constraint", "time", "grace", "mem", "nodes_per_cell",
        "cells_per_job", "setup", "sbatch", "results", "data", "exclude",
    } | CELLS,
    "ray": {
        "address", "shared", "mem", "cells_per_job", "setup", "results", "data", "exclude",
    } | CELLS,
}  # fmt: skip
OWN_KEYS = {  # options of sbatch that keys of a profile say
    "account": "account", "constraint": "constraint", "cpus-per-task": "cpus_per_cell",
    "exclude": "exclude", "gpus-per-node": "gpus_per_cell", "mem": "mem",
    "nodes": "nodes_per_cell", "partition": "partition", "qos": "qos", "signal": "grace",
    "time": "time",
}  # fmt: skip
OURS = {  # on which following a job rests, and its going on after a stop
    "array", "dependency", "error", "job-name", "no-requeue", "ntasks", "ntasks-per-node",
    "open-mode", "output", "parsable", "requeue", "wait", "wrap",
}  # fmt: skip


def _seconds(value: Any, info: ValidationInfo) -> Any:
    """Read a time as a person writes it; a number is seconds, where a program says it."""
    written = bool(info.context and info.context.get("written"))
    seconds = parse_duration(value) if isinstance(value, str) else None
    if seconds is None and (written or isinstance(value, str)):
        message = f"expected a time with its unit, as in 90s, 30m, 12h or 2d, got `{value}`"
        raise ValueError(message)
    return value if seconds is None else seconds


def _listed(value: Any) -> Any:
    """One line where a list is meant."""
    return (value,) if isinstance(value, str) else value


def _folder(path: Path) -> Path:
    """Refuse a folder that depends on where one stands; `~` is the home folder."""
    if not path.expanduser().is_absolute():
        message = f"expected a path from the root, as nodes see it, got `{path}`"
        raise ValueError(message)
    return path.expanduser()


def _options(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse options of sbatch that a profile has a key for, or that the harness sets."""
    for option in value:
        name = option.lstrip("-").replace("_", "-")
        if name in OWN_KEYS:
            message = f"`{option}`: the key {OWN_KEYS[name]} of the profile says it"
            raise ValueError(message)
        if name in OURS:
            message = f"`{option}`: signbench sets it itself"
            raise ValueError(message)
    return value


Positive: TypeAlias = Annotated[int, Field(ge=1, le=100_000, strict=True)]
Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
Word: TypeAlias = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]+$")]
Words: TypeAlias = Annotated[tuple[Word, ...], BeforeValidator(_listed)]
Line: TypeAlias = Annotated[str, Field(pattern=r"^[^\n\x00]+$")]
Lines: TypeAlias = Annotated[tuple[Line, ...], BeforeValidator(_listed)]
Folder: TypeAlias = Annotated[Path, AfterValidator(_folder)]
Options: TypeAlias = Annotated[
    dict[Word, str | int | float | bool | None], AfterValidator(_options)
]
Memory: TypeAlias = Annotated[str, Field(pattern=r"^[1-9]\d*[KMGT]B?$")]


class Profile(Frozen):
    """
    A kind of machines, and how jobs are asked of them.

    Args:
        name: as `--on` gives it.
        partition, account, qos, constraint: Slurm's.
        time_s: the most that one job may take, seconds; `time: 12h` in a file.
        grace_s: how long before its end a job is told, seconds; `grace: 2m` in a file.
        mem: memory of a job on each of its nodes, as Slurm reads it: 32GB.
        gpus_per_cell: on all its nodes; 0 trains on the CPU; of 2 or more, each has a process of
            its own.
        nodes_per_cell: over which those processes are spread evenly.
        ranks_per_cell: the same on CPUs, for machines that have no GPU.
        cpus_per_cell: cores of a cell, or of each of its processes.
        slots_per_gpu: cells at a time on a GPU; auto: as measured on that kind of machine. No cell
            shares its GPUs that has several.
        cells_per_job: auto: as many as fill four fifths of `time` by what was measured, else one.
        jobs: in the queue at a time; on this machine cells at a time.
        setup: lines of shell before a job's command.
        sbatch: further options of sbatch, by their long names.
        results, data: these folders as nodes see them; None: as here.
        shared: do nodes see the results folder?
        address: of a running Ray cluster; None: one is started here.
        exclude: nodes that are left alone.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: str
    engine: EngineName
    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    constraint: Word | None = None
    time_s: Seconds | None = Field(default=None, validation_alias="time")
    grace_s: Seconds = Field(default=120.0, validation_alias="grace")
    mem: Memory | None = None
    gpus_per_cell: Annotated[int, Field(ge=0, le=100_000, strict=True)] = 0
    nodes_per_cell: Positive = 1
    ranks_per_cell: Positive | None = None
    cpus_per_cell: Positive = 1
    slots_per_gpu: Positive | Literal["auto"] = 1
    cells_per_job: Positive | Literal["auto"] = "auto"
    jobs: Positive = 256
    setup: Lines = ()
    sbatch: Options = {}
    results: Folder | None = None
    data: Folder | None = None
    shared: Annotated[bool, Field(strict=True)] = True
    address: Word | None = None
    exclude: Words = ()

    @property
    def ranks(self) -> int:
        """Processes that train one cell together."""
        return self.ranks_per_cell or max(1, self.gpus_per_cell)

    @property
    def machines(self) -> str:
        """The kind of machines, for what is measured on them; other keys make no other kind."""
        words = [self.engine]
        for key in ("partition", "constraint", "address"):
            words += [f"{key} {value}"] if (value := getattr(self, key)) else []
        words += [f"{key} {value}" for key, value in sorted(self.sbatch.items())]
        return ", ".join(words)

    @model_validator(mode="after")
    def _fits_together(self) -> "Profile":
        """Refuse keys that contradict each other."""
        if self.time_s is not None and self.grace_s >= self.time_s:
            message = "grace: a job is told before its time ends, so it is shorter than time"
            raise ValueError(message)
        if self.ranks_per_cell and self.gpus_per_cell:
            message = "ranks_per_cell is for CPUs; on GPUs gpus_per_cell says how many processes"
            raise ValueError(message)
        if self.ranks % self.nodes_per_cell:
            message = (
                f"nodes_per_cell: {self.ranks} processes are not spread evenly over "
                f"{self.nodes_per_cell} nodes"
            )
            raise ValueError(message)
        if self.slots_per_gpu != 1 and not self.gpus_per_cell:
            message = "slots_per_gpu shares a GPU: say gpus_per_cell: 1, too"
            raise ValueError(message)
        return self
