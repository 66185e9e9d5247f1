"""What a machine says of itself: versions, cores, GPUs, and what it sees of two folders."""

import os
import platform
import socket
import time
from pathlib import Path

from bench.base import machine
from bench.base.validation import Frozen
from bench.results import lease, source_digest
from bench.results.provenance import PACKAGES, installed_version


class NodeFacts(Frozen):
    """
    One machine.

    Args:
        place: boot and process namespace; machines of one image may share a host's name.
        versions: of python and of packages; empty for what is not installed.
        numerics: what its cells say that numbers come from.
        cores: that the process may use.
        memory_mib: that it may take; None: nobody says how much.
        gpus: names of those that it sees.
        gpu_problem: why it cannot say which it sees.
        file_system: of the results folder.
        data_there: does it see the folder of data sets?
        at: seconds since the epoch, by its clock.
    """

    host: str
    place: str
    versions: dict[str, str]
    numerics: dict[str, str]
    cores: int
    memory_mib: float | None
    gpus: list[str] = []
    gpu_problem: str = ""
    file_system: str
    data_there: bool
    at: float


def find_facts(results: Path, data: Path) -> NodeFacts:
    """Ask this machine."""
    gpus, problem = _gpus()
    free = machine.memory()
    return NodeFacts(
        host=os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        place=lease.myself().place,
        versions={"python": platform.python_version()}
        | {name: installed_version(name) for name in PACKAGES},
        numerics=source_digest.numerics(),
        cores=machine.cores(),
        memory_mib=None if free == float("inf") else free / 2**20,
        gpus=gpus,
        gpu_problem=problem,
        file_system=machine.file_system(results),
        data_there=data.is_dir(),
        at=time.time(),
    )


def _gpus() -> tuple[list[str], str]:
    """The GPUs that torch sees, or why it cannot tell."""
    try:
        import torch

        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())], ""
    except Exception as error:  # a broken build raises nearly anything
        return [], " ".join(f"{type(error).__name__}: {error}".split())
