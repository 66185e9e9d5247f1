"""`bench machines init`: a machines.yaml with what is found here, every common key explained."""

import shutil
from pathlib import Path

from bench.base.files import write_file
from bench.errors import EnvironmentProblem, UsageError
from bench.fleet.machines_file import FILE
from bench.fleet.slurm.slurm_partitions import Partition, list_partitions

HEAD = """\
# yaml-language-server: $schema=machines.schema.json
# Where suites run: `bench run SUITE --on {name}`. Nothing here is part of a cell.
#
# `bench machines check {name}` tries this profile by two short jobs. Of several files the nearest
# to the suite wins: beside it, in the working folder, in the user's configuration folder. The
# editor's line at the top works once `bench schema --machines -o machines.schema.json` has run.
"""
SLURM = """\

cluster:
  engine: slurm
{partition}\
  time: {time}                # of a job at most; a cell that is not done goes on in the next one
  grace: 2m                # a job is told so long before its end, and checkpoints
  gpus_per_cell: {gpus}         # 0 trains on the CPU; of 2 or more each has a process of its own
  cpus_per_cell: {cpus}
  # slots_per_gpu: auto    # cells at a time on a GPU, as measured there
  # mem: 32GB              # of a job
  # cells_per_job: auto    # as many as fill four fifths of `time` by what was measured, else one
  # jobs: 64               # in the queue at a time
  # account: me
  # qos: normal
  # constraint: a100
  # setup: [module load cuda]        # lines of shell before a job's command
  # sbatch: {{reservation: mine}}      # further options of sbatch, by their long names
  # results: /shared/results         # where nodes see the results folder, if not as here
  # data: /shared/data               # and the data sets
  # exclude: [n7]

# A profile may take the rest from another one:
# short: {{extends: cluster, time: 1h}}
"""
RAY = """\

lab:
  engine: ray
  address: auto            # the cluster that runs here; without it one is started on this machine
  gpus_per_cell: 1         # 0 trains on the CPU
  cpus_per_cell: 1
  # slots_per_gpu: auto    # cells at a time on a GPU, as measured there
  # mem: 8GB               # of a job
  # jobs: 64               # at a time
  # shared: false          # nodes see no results folder: results come home as bytes
  # setup: [source ~/venv/bin/activate]

# A profile may take the rest from another one:
# four: {extends: lab, gpus_per_cell: 4}
"""
DAY_S = 86400.0


def write_machines(engine: str | None) -> tuple[Path, str]:
    """
    Write a machines.yaml into the working folder; returns it and the profile's name.

    Args:
        engine: slurm or ray; None: the one that is here, Slurm if neither is.

    Raises:
        UsageError: there is one.
        EnvironmentProblem: it cannot be written.
    """
    path = Path(FILE)
    engine = engine or ("ray" if shutil.which("ray") and not shutil.which("sbatch") else "slurm")
    name = "lab" if engine == "ray" else "cluster"
    text = HEAD.format(name=name) + (RAY if engine == "ray" else _slurm())
    if path.exists() or path.is_symlink():
        message = f"`{path}` is there already; add profiles to it, or move it away"
        raise UsageError(message)
    return write_file(path, text), name


def _slurm() -> str:
    """The profile of a Slurm, with its default partition if it is here."""
    try:
        found = list_partitions() if shutil.which("sinfo") else []
    except EnvironmentProblem:
        found = []
    if not found:
        partition = (
            "  # partition: gpu         # `sinfo` lists them; Slurm's default if not given\n"
        )
        return SLURM.format(partition=partition, time="12h", gpus=1, cpus=4)
    first, *others = found
    seen = "".join(f"  # partition: {other.name:11} # {other}\n" for other in others)
    gpus = min(1, first.gpus)
    cpus = min(4, max(1, first.cores // max(1, first.gpus)))
    return SLURM.format(
        partition=f"  partition: {first.name:13} # {first}\n{seen}",
        time=_time(first),
        gpus=gpus,
        cpus=cpus,
    )


def _time(partition: Partition) -> str:
    """Half a day, or what the partition allows."""
    if partition.limit_s is None or partition.limit_s >= DAY_S / 2:
        return "12h"
    return f"{int(partition.limit_s // 60)}m"
