"""Slots: how many cells run at once, on which devices, as the options of a command say it."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

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


def lay_out_slots(options: SlotOptions, per_gpu: int | None = None) -> tuple[Slot, ...]:
    """
    Lay out the slots, with `per_gpu` cells at a time on each GPU.

    Raises:
        EnvironmentProblem: a GPU is asked for that is not there.
        UsageError: the options contradict each other.
    """
    device, jobs, threads = options.device, options.jobs, options.threads
    if jobs and per_gpu:
        message = "-j counts all cells at a time, --slots-per-gpu those of a GPU; give one of them"
        raise UsageError(message)
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        message = f"--device `{device}`: expected auto, cpu, cuda or cuda:N"
        raise UsageError(message)
    on_gpus = options.gpus is not None or device.startswith("cuda")
    if on_gpus or (device == "auto" and torch.cuda.device_count()):
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
        UsageError: the device is another.
    """
    if asked is not None and device not in {"auto", "cuda"}:
        message = f"--gpus goes with --device auto or cuda, not {device}"
        raise UsageError(message)
    count = torch.cuda.device_count()
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
