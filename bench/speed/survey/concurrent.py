"""
Several trainings at a time on one device.

A layout is a way to put them there, a function of the setting, of how many they are and of how
each one steps (`eager` or `compiled`). It returns the images a second of all of them.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.synchronize import Barrier
from typing import Any, TypeAlias

import torch

from bench.base import machine, signals
from bench.errors import EnvironmentProblem
from bench.speed.survey.cases import Case, Run, Setting, prepare_step

Layout: TypeAlias = Callable[[Setting, int, str], float]
BACKBONE = "resnet20"
MOST_ON_GPU = 16
PATIENCE_S = 600.0  # until the last of them is ready


def train_in_processes(at: Setting, k: int, way: str) -> float:
    """
    A process of one thread for each, as `bench run` has it.

    Raises:
        EnvironmentProblem: one of them died.
    """
    context = multiprocessing.get_context("spawn")
    gate, one = context.Barrier(k), replace(at, threads=1, steps=at.epoch)
    pipes = [context.Pipe(duplex=False) for _ in range(k)]
    started = [
        context.Process(target=_share, args=(one, way, gate, end), daemon=True) for _, end in pipes
    ]
    try:
        for process, (_, end) in zip(started, pipes, strict=True):
            with signals.ignored_by_children():
                process.start()
            end.close()
        return _sum([share for share, _ in pipes])
    except EOFError:
        message = f"one of {k} trainings at a time died; is there memory for {k}?"
        raise EnvironmentProblem(message) from None
    finally:
        for process in started:
            if process.pid:
                process.kill()
                process.join()


def _sum(shares: list[Any]) -> float:
    """The sum of what comes, whichever first, so that nobody's death is waited out."""
    total, missing = 0.0, list(shares)
    while missing:
        ready: list[Any] = wait(missing)
        for share in ready:
            total += share.recv()
            missing.remove(share)
    return total


LAYOUTS: dict[str, Layout] = {"processes": train_in_processes}


def list_counts(device: torch.device, cores: int) -> list[int]:
    """How many are tried: powers of two, the last beyond the cores of a CPU, or up to 16."""
    most = 2 * cores if device.type == "cpu" else MOST_ON_GPU
    return [1 << i for i in range(most.bit_length())]


def list_concurrent_cases(at: Setting) -> Iterator[Case]:
    """Every layout for each of those numbers, against the first layout of one."""
    batch = at.images(BACKBONE)
    for way in at.ways[1:]:
        ways = {
            f"{name}, {k}": partial(_ready, layout, at, k, way)
            for name, layout in LAYOUTS.items()
            for k in list_counts(at.device, machine.cores())
        }
        name = f"{BACKBONE} 1/1, batch {batch}, {way}"
        yield Case("together", name, next(iter(ways)), ways, 1, batch)


def _ready(layout: Layout, at: Setting, k: int, way: str) -> Run:
    """Seconds of a step's images, whichever of the trainings took them."""
    return lambda: at.images(BACKBONE) / layout(at, k, way)


def _share(at: Setting, way: str, gate: Barrier, end: Any) -> None:
    """Send the images a second of one training among others; all begin at once."""
    torch.set_num_threads(at.threads)
    run = prepare_step(at, BACKBONE, "1/1", way)
    if way == "compiled":
        run()
    gate.wait(PATIENCE_S)
    end.send(at.images(BACKBONE) / run())
