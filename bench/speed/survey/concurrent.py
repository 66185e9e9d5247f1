"""Several trainings at a time on one device, each in a process of its own, as in `bench run`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch

from bench.base import machine
from bench.errors import EnvironmentProblem
from bench.speed.processes import ProcessFailed, run_at_once
from bench.speed.survey.cases import Case, Run, Setting, prepare_step

BACKBONE = "resnet20"
MOST_ON_GPU = 16


def list_concurrent_cases(at: Setting) -> Iterator[Case]:
    """Each of those numbers of trainings, against one."""
    batch = at.images(BACKBONE)
    for way in at.ways[1:]:
        ways = {
            f"processes, {k}": partial(_prepare, at, k, way)
            for k in list_counts(at.device, machine.cores())
        }
        name = f"{BACKBONE} 1/1, batch {batch}, {way}"
        yield Case("together", name, next(iter(ways)), ways, 1, batch)


def list_counts(device: torch.device, cores: int) -> list[int]:
    """How many are tried: powers of two, the last beyond the cores of a CPU, or up to 16."""
    most = 2 * cores if device.type == "cpu" else MOST_ON_GPU
    return [1 << i for i in range(most.bit_length())]


def _prepare(at: Setting, k: int, way: str) -> Run:
    """Seconds of a step's images, whichever of the trainings took them."""
    return lambda: at.images(BACKBONE) / train_in_processes(at, k, way)


def train_in_processes(at: Setting, k: int, way: str) -> float:
    """
    Images a second of `k` trainings together, a process of one thread for each.

    Raises:
        EnvironmentProblem: one of them died.
    """
    one = replace(at, threads=1, steps=at.epoch)
    try:
        return sum(run_at_once(partial(_train, one), [way] * k))
    except ProcessFailed:
        message = f"one of {k} trainings at a time died; is there memory for {k}?"
        raise EnvironmentProblem(message) from None


def _train(at: Setting, way: str, ready: Callable[[], object]) -> float:
    """Images a second of one training among others; all begin at once."""
    torch.set_num_threads(at.threads)
    run = prepare_step(at, BACKBONE, "1/1", way)
    if way == "compiled":
        run()
    ready()
    return at.images(BACKBONE) / run()
