"""
K trainings of one network on one device, in every way to put them there.

    separate    K networks in one process, a step of each after the other: the others' measure
    grouped     one stack, its convolutions of K groups
    patches     one stack, its convolutions K matrix products of unfolded images
    processes   a process for each, as many at a time as `bench run` has of them
    streams     K networks in one process, each launched into its own stream of a GPU
    graphs      their steps, or a stack's, captured once and replayed side by side

The trainings are seeds of ResNet-20 at W/A 1/1 with ReSTE. A step is the trainer's: loss, backward
and update, of a full batch that is on the device. Networks lie in memory as the trainer has them,
channels last, and where a name says NCHW, channels first.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.synchronize import Barrier
from typing import TypeAlias

import torch
import torch.nn.functional as F
from stacked_networks import Product, Stack
from torch import Tensor, nn

from bench.base import machine
from bench.spec.cell import Recipe
from bench.speed.survey.networks import CLASSES, IMAGE, build_network
from bench.train.optimizer import make_optimizer

Step: TypeAlias = Callable[[], None]
Run: TypeAlias = Callable[[int], float]  # does so many steps of all K; returns its seconds
FORMATS = {"": torch.channels_last, " NCHW": torch.contiguous_format}
WARM_UP = 3  # steps, after which optimizers have their state and a graph can be captured
PATIENCE_S = 600.0  # until the last process is ready
_gate: Barrier  # of a worker process, as is
_train: Run


@dataclass(frozen=True)
class Setting:
    """On what, and how much of it."""

    device: torch.device
    threads: int
    batch: int = 32
    rounds: int = 5
    steps: int = 16  # of a round, of all trainings together; one of each at least
    width: int = 16
    image: int = 32  # side
    compiled: bool = False


@dataclass(frozen=True)
class Row:
    """What one way makes of K trainings, all of them together."""

    way: str
    k: int
    images_per_s: float


Way: TypeAlias = Callable[[Setting, int, ExitStack], Run]
Steps: TypeAlias = Callable[[Setting, int], list[Step]]  # of K networks, or of one stack


def rows(at: Setting, k: int) -> Iterator[Row]:
    """
    Every way for K trainings.

    On a CPU they take turns, for such machines are noisy; a GPU's memory is one way's at a time.
    """
    found = ways(at.device)
    turns = [found] if at.device.type == "cpu" else [{name: way} for name, way in found.items()]
    for turn in turns:
        yield from _measured(at, k, turn)


def _measured(at: Setting, k: int, turn: dict[str, Way]) -> Iterator[Row]:
    if at.compiled:
        torch.compiler.reset()  # so that no way meets the limit on graphs of one function
    count = max(1, at.steps // k)
    with ExitStack() as held:
        runs = {name: way(at, k, held) for name, way in turn.items()}
        found = [{name: run(count) for name, run in runs.items()} for _ in range(at.rounds)]
    for name in turn:
        seconds = statistics.median(times[name] for times in found)
        yield Row(name, k, k * count * at.batch / seconds)


def ways(device: torch.device) -> dict[str, Way]:
    """What can be done there; streams and graphs are a GPU's."""
    steps: dict[str, Steps] = {}
    for name, layout in FORMATS.items():
        steps[f"separate{name}"] = partial(separate, layout)
        steps[f"grouped{name}"] = partial(stacked, "grouped", layout)
        steps[f"patches{name}"] = partial(stacked, "patches", layout)
    found: dict[str, Way] = {name: partial(_launched, of, _as_it_is) for name, of in steps.items()}
    if device.type == "cuda":
        found["separate, streams"] = partial(_launched, steps["separate"], streamed)
        found |= {f"{name}, graphs": partial(_launched, of, captured) for name, of in steps.items()}
    return found | {"processes": processes}


def separate(layout: torch.memory_format, at: Setting, k: int) -> list[Step]:
    """The step of each network alone."""
    return [step_of(at, network(at, seed), layout) for seed in range(k)]


def stacked(product: Product, layout: torch.memory_format, at: Setting, k: int) -> list[Step]:
    """The one step of all."""
    stack = Stack([network(at, seed) for seed in range(k)], product)
    return [step_of(at, stack, layout)]


def processes(at: Setting, k: int, held: ExitStack) -> Run:
    """K networks queued for as many processes as there are cores; on a GPU for K."""
    slots = k if at.device.type == "cuda" else min(k, machine.cores())
    context = multiprocessing.get_context("spawn")
    share = replace(at, threads=max(1, at.threads // slots))
    pool = held.enter_context(
        ProcessPoolExecutor(slots, context, _enter, (share, context.Barrier(slots)))
    )
    list(pool.map(_meet, range(slots)))

    def run(count: int) -> float:
        began = time.perf_counter()
        list(pool.map(_share, [count] * k))
        return time.perf_counter() - began

    return run


def network(at: Setting, seed: int) -> nn.Module:
    """One training's network, halfway through its schedule."""
    return build_network("resnet20", {"width": at.width}, "reste", at.device, seed=seed).net


def step_of(at: Setting, net: nn.Module, layout: torch.memory_format) -> Step:
    """A training step of a network or stack, warmed up."""
    net.to(at.device, memory_format=layout)  # pyright: ignore[reportCallIssue]
    optimizer = make_optimizer(net, Recipe(epochs=1, lr=0.01))
    k = net.k if isinstance(net, Stack) else 1
    images = torch.randn(k, at.batch, IMAGE[0], at.image, at.image, device=at.device)
    labels = torch.randint(CLASSES, (k, at.batch), device=at.device)
    if not isinstance(net, Stack):
        images, labels = images[0].contiguous(memory_format=layout), labels[0]

    def loss_of() -> Tensor:
        if isinstance(net, Stack):
            return net.losses(images, labels).sum()
        return F.cross_entropy(net(images), labels)

    loss = torch.compile(loss_of, dynamic=False) if at.compiled else loss_of

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)  # last, so that a capture begins without gradients

    for _ in range(WARM_UP):
        step()
    return step


def _launched(steps: Steps, launch: Callable[[Step], Step], at: Setting, k: int, _: object) -> Run:
    calls = [launch(step) for step in steps(at, k)]
    return partial(_seconds, calls, at.device)


def _seconds(calls: list[Step], device: torch.device, count: int) -> float:
    """How long the device takes for so many of each."""
    _wait(device)
    began = time.perf_counter()
    for _ in range(count):
        for call in calls:
            call()
    _wait(device)
    return time.perf_counter() - began


def _as_it_is(step: Step) -> Step:
    return step


def streamed(step: Step) -> Step:
    """The step in a stream of its own."""
    stream = torch.cuda.Stream()

    def launch() -> None:
        with torch.cuda.stream(stream):
            step()

    return launch


def captured(step: Step) -> Step:
    """The step as one graph, replayed in a stream of its own; a few are taken before."""
    warm_up, graph = streamed(step), torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    for _ in range(WARM_UP):
        warm_up()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        step()
    return streamed(graph.replay)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _enter(at: Setting, gate: Barrier) -> None:
    global _gate, _train
    torch.set_num_threads(at.threads)
    _gate = gate
    _train = partial(_seconds, separate(torch.channels_last, at, 1), at.device)


def _meet(_: int) -> None:
    _gate.wait(PATIENCE_S)


def _share(count: int) -> float:
    """One training's steps, in a process of its own or after another's."""
    return _train(count)
