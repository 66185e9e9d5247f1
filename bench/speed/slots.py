"""Slots: how many cells run at once, on which devices, as the options of a command say it."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bench.base.machine import cores
from bench.errors import EnvironmentProblem, UsageError
from bench.run.job import Slot

PerGpu: TypeAlias = int | Literal["auto"] | None


@dataclass(frozen=True)
class SlotOptions:
    """
    Where cells are to run.

    Args:
        device: auto, cpu, cuda, or cuda:N.
        gpus: GPU numbers; None for those that `device` says.
        jobs: cells at a time; None for `per_gpu`, or one per `threads` cores on the CPU.
        threads: CPU threads per cell. Results depend on it in the last bits.
        per_gpu: cells at a time on each GPU; None for one, auto for what `packing` measures.
    """

    device: str = "auto"
    gpus: list[int] | None = None
    jobs: int | None = None
    threads: int = 1
    per_gpu: PerGpu = None

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
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            message = f"--device `{self.device}`: expected auto, cpu, cuda or cuda:N"
            raise UsageError(message)
        if self.gpus is not None and self.device not in {"auto", "cuda"}:
            message = f"--gpus goes with --device auto or cuda, not {self.device}"
            raise UsageError(message)


def lay_out_slots(options: SlotOptions) -> tuple[Slot, ...]:
    """
    Lay out the slots; where `per_gpu` is auto, with one cell at a time on each GPU.

    Raises:
        EnvironmentProblem: a GPU is asked for that is not there.
        UsageError: `per_gpu` is given where cells run on the CPU.
    """
    device, jobs, threads = options.device, options.jobs, options.threads
    per_gpu = 1 if options.per_gpu == "auto" else options.per_gpu
    on_gpus = options.gpus is not None or device.startswith("cuda")
    if on_gpus or (device == "auto" and _count_gpus()):
        numbers = _gpu_numbers(device, options.gpus)
        many = jobs or len(numbers) * (per_gpu or 1)
        return tuple(Slot(f"cuda:{numbers[i % len(numbers)]}", threads) for i in range(many))
    if per_gpu:
        message = "--slots-per-gpu: cells run on the CPU here, where -j says how many at a time"
        raise UsageError(message)
    return (Slot("cpu", threads),) * (jobs or max(1, cores() // threads))


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
