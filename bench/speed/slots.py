"""Slots: how many cells run at once, on which devices, as the options of a command say it."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bench.base.machine import cores
from bench.errors import EnvironmentProblem, UsageError
from bench.execution.job import Slot

PerGpu: TypeAlias = int | Literal["auto"] | None


@dataclass(frozen=True)
class SlotOptions:
    """
    Where cells are to run.

    Args:
        device: auto, cpu, cuda, cuda:N or mps, which auto never takes.
        gpus: GPU numbers; None for those that `device` says.
        jobs: cells at a time; None for `per_gpu`, or one per `threads` cores on the CPU.
        threads: CPU threads per cell. Results depend on it in the last bits.
        per_gpu: cells at a time on each GPU; None for one, auto for what `packing` measures.
        ranks: processes that train one cell together, a GPU each where there are GPUs.
    """

    device: str = "auto"
    gpus: list[int] | None = None
    jobs: int | None = None
    threads: int = 1
    per_gpu: PerGpu = None
    ranks: int = 1

    def __post_init__(self) -> None:
        """
        Refuse options that contradict each other.

        Raises:
            UsageError: they do, or no device is called so.
        """
        if self.jobs and self.per_gpu:
            message = (
                "-j counts all cells at a time, --slots-per-gpu those of a GPU; give one of them"
            )
            raise UsageError(message)
        if self.per_gpu and self.ranks > 1:
            message = "--slots-per-gpu has cells share a GPU, --ranks a cell several; give one"
            raise UsageError(message)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", self.device):
            message = f"--device `{self.device}`: expected auto, cpu, cuda, cuda:N or mps"
            raise UsageError(message)
        if self.gpus is not None and self.device not in {"auto", "cuda"}:
            message = f"--gpus goes with --device auto or cuda, not {self.device}"
            raise UsageError(message)


def lay_out_slots(options: SlotOptions) -> tuple[Slot, ...]:
    """
    Lay out the slots; where `per_gpu` is auto, with one cell at a time on each GPU.

    Raises:
        EnvironmentProblem: a GPU is asked for that is not there, or fewer are than a cell has.
        UsageError: `per_gpu` is given where cells run on the CPU.
    """
    device, jobs, threads = options.device, options.jobs, options.threads
    if device == "mps":
        return _slots_of_metal(options)
    per_gpu = 1 if options.per_gpu == "auto" else options.per_gpu
    on_gpus = options.gpus is not None or device.startswith("cuda")
    if on_gpus or (device == "auto" and _count_gpus()):
        numbers = _gpu_numbers(device, options.gpus)
        if options.ranks > 1:
            return _slots_of_several(options, numbers)
        many = jobs or len(numbers) * (per_gpu or 1)
        return tuple(Slot(f"cuda:{numbers[i % len(numbers)]}", threads) for i in range(many))
    if per_gpu:
        message = "--slots-per-gpu: cells run on the CPU here, where -j says how many at a time"
        raise UsageError(message)
    beside = ("cpu",) * (options.ranks - 1)
    many = jobs or max(1, cores() // (threads * options.ranks))
    return (Slot("cpu", threads, beside),) * many


def _slots_of_metal(options: SlotOptions) -> tuple[Slot, ...]:
    """Slots of a Mac's own GPU, one if nobody says how many."""
    import torch

    if not torch.backends.mps.is_available():
        message = "--device mps: torch sees no GPU by Metal here; use --device cpu"
        raise EnvironmentProblem(message)
    if options.ranks > 1 or options.per_gpu:
        message = "--device mps: it is one GPU, which cells share as -j says; leave other options"
        raise UsageError(message)
    return (Slot("mps", options.threads),) * (options.jobs or 1)


def _slots_of_several(options: SlotOptions, numbers: list[int]) -> tuple[Slot, ...]:
    """Slots of several GPUs each, a GPU in one of them alone."""
    size, many = options.ranks, options.jobs or len(numbers) // options.ranks
    if many < 1 or many * size > len(numbers):
        cells = f"{options.jobs} cells at a time" if options.jobs else "a cell"
        message = (
            f"--ranks {size}: {cells} would take {max(many, 1) * size} GPUs, of {len(numbers)}"
        )
        raise EnvironmentProblem(message)
    devices = [f"cuda:{number}" for number in numbers]
    groups = [devices[size * i : size * (i + 1)] for i in range(many)]
    return tuple(Slot(first, options.threads, tuple(rest)) for first, *rest in groups)


def _gpu_numbers(device: str, asked: list[int] | None) -> list[int]:
    """
    The numbers of the GPUs that are meant.

    Raises:
        EnvironmentProblem: one of them is not there.
    """
    count = _count_gpus()
    number = device.partition(":")[2]
    if asked is not None:
        numbers = asked
    elif number:
        numbers = [int(number)]
    else:
        numbers = [*range(count)]
    missing = [n for n in numbers if not 0 <= n < count]
    if missing or not numbers:
        gpu = f"GPU {missing[0]}" if missing else "a GPU"
        message = f"{gpu} asked for, {count} here; use --device cpu, or none of these options"
        raise EnvironmentProblem(message)
    return numbers


def _count_gpus() -> int:
    import torch  # not above: a run whose cells are all recorded asks for no slot, and starts soon

    return torch.cuda.device_count()
