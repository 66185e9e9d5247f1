"""
Who works: a process of some machine, told apart from every other, and whether it lives.

Machines and containers are told apart by the boot and the process namespace that the kernel names,
not by host names, which clusters and containers give twice.
"""

import os
import socket
import uuid
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from bench.base import machine
from bench.base.validation import Frozen


class Owner(Frozen):
    """
    A process of some machine, told apart from a later one that has its number.

    Args:
        place: boot and process namespace; empty where the system does not tell.
        began: in ticks since boot.
        run: tells two runs of one process apart.
        job: of a queue that starts a job again under the same name; empty without one.
        restart: how often it did.
    """

    host: str
    pid: int
    place: str
    began: str
    run: str
    job: Annotated[str, Field(exclude_if=lambda value: not value)] = ""
    restart: Annotated[int, Field(exclude_if=lambda value: not value)] = 0

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"

    def follows(self, other: "Owner") -> bool:
        """Is it the same job, started again? The queue has seen the earlier one end."""
        return bool(self.job) and self.job == other.job and self.restart > other.restart


def myself() -> Owner:
    """This process, under a name for one run."""
    pid = os.getpid()
    job, restart = _job()
    return Owner(
        host=socket.gethostname(),
        pid=pid,
        place=_place(),
        began=_began(pid) or "",
        run=uuid.uuid4().hex[:12],
        job=job,
        restart=restart,
    )


def alive(owner: Owner) -> bool | None:
    """
    Does its process run?

    None: nobody here can tell, for it is of another machine or container, perhaps of this one
    before it was booted again, or /proc hides what is another user's.
    """
    place = _place()
    if owner.place and owner.place == place:
        began = _began(owner.pid)
        return None if began is None else began == owner.began != ""
    if owner.host != socket.gethostname() or owner.place or place:
        return None
    return _there(owner.pid)


def _job() -> tuple[str, int]:
    """The job of Slurm that this process is part of, and how often it was started again."""
    job, restart = os.environ.get("SLURM_JOB_ID", ""), os.environ.get("SLURM_RESTART_COUNT", "0")
    cluster = os.environ.get("SLURM_CLUSTER_NAME", "")
    return (f"slurm {cluster} {job}", int(restart)) if job and restart.isdigit() else ("", 0)


def _there(pid: int) -> bool:
    """Is there a process of that number? All that can be asked without /proc."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        pass
    return True


@cache
def _place() -> str:
    """This boot of this machine, and whose process numbers are ours; empty without /proc."""
    boot = machine.boot()
    try:
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}" if boot else ""
    except OSError:
        return ""


def _began(pid: int) -> str | None:
    """
    When a process began; None if there is one and that is hidden from us.

    Empty if there is none, or only what its parent has yet to bury.
    """
    try:
        if Path("/proc/self").readlink().name != str(os.getpid()):  # of another namespace
            return None if _there(pid) else ""
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except PermissionError:
        return None
    except OSError:
        return None if _there(pid) else ""
    words = stat.rpartition(")")[2].split()  # a process may have any name
    return "" if words[0] in "ZX" else words[19]
