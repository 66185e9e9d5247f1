"""What a cell takes while it trains: memory at its highest, and the energy of its GPU."""

import ctypes
import gc
import re
import resource
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from bench.train.gpu_energy import joules

PROCESS = Path("/proc/self")


class ResourceMeter:
    """
    Counts from when it is made.

    On a CPU, memory is that of the whole process, so of Python, torch and the data, too; not of
    cells before, except where the kernel cannot forget a peak, as Linux can.
    """

    def __init__(self, device: torch.device, *, alone: bool) -> None:
        """
        Args:
            alone: is no other cell on the device? If not, nobody can tell whose energy it is.
        """
        self.device = device
        self._counts = alone and device.type == "cuda"
        self._first = joules(device) if self._counts else None
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            _forget()

    def peak_mib(self) -> float:
        """The most since then: of a GPU what tensors took, of a CPU what the process did."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        with suppress(OSError):
            if found := re.search(r"VmHWM:\s+(\d+) kB", (PROCESS / "status").read_text("utf-8")):
                return int(found[1]) / 2**10
        return resident_mib()

    def energy_j(self) -> float | None:
        """Joules that the GPU has taken since then, if they are counted and this cell's alone."""
        last = joules(self.device) if self._counts else None
        return None if last is None or self._first is None else round(last - self._first, 3)


def _forget() -> None:
    """Give back what cells before have left, and begin a new peak."""
    gc.collect()
    _keep_modules()
    with suppress(AttributeError):  # it is glibc's
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        (PROCESS / "clear_refs").write_text("5", encoding="ascii")


@cache
def _keep_modules() -> None:
    """
    Have what is there before the first cell, modules and what they hold, be no garbage for good.

    Torch's are 400,000 objects: to search them before each cell took longer than a small cell.
    """
    gc.freeze()


def resident_mib() -> float:
    """The most memory that this process ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
