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
from torch import Tensor, nn

from bench import machine, trainer
from bench.binary import Clock
from bench.cell import Binarization, Recipe
from bench.layers import Layers
from bench.registry import BACKBONES, ESTIMATORS
from bench.stack import Product, Stack

Step: TypeAlias = Callable[[], None]
Run: TypeAlias = Callable[[], float]  # does some steps of all K; returns its seconds
FORMATS = {"": torch.channels_last, " NCHW": torch.contiguous_format}
CHANNELS, CLASSES = 3, 10
LEAST = 16  # steps of a round, of all trainings together
WARM_UP = 3  # steps, after which optimizers have their state and a graph can be captured
PATIENCE_S = 600.0  # until the last process is ready
_step: Step  # of a worker process
_gate: Barrier


@dataclass(frozen=True)
class Setting:
    """On what, and how much of it."""

    device: torch.device
    threads: int
    batch: int = 32
    rounds: int = 5
    width: int = 16
    image: int = 32  # side
    compiled: bool = False

    def steps(self, k: int) -> int:
        """Of each of K trainings, in one round."""
        return max(1, LEAST // k)


@dataclass(frozen=True)
class Row:
    """What one way makes of K trainings, all of them together."""

    way: str
    k: int
    images_per_s: float


Way: TypeAlias = Callable[[Setting, int, ExitStack], Run]
Steps: TypeAlias = Callable[[Setting, int], list[Step]]  # of K networks, or of one stack


def rows(at: Setting, k: int) -> Iterator[Row]:
    """Every way for K trainings; they take turns, for machines are noisy."""
    with ExitStack() as held:
        runs = {name: way(at, k, held) for name, way in ways(at.device).items()}
        found = [{name: run() for name, run in runs.items()} for _ in range(at.rounds)]
    images = k * at.steps(k) * at.batch
    for name in runs:
        yield Row(name, k, images / statistics.median(seconds[name] for seconds in found))


def ways(device: torch.device) -> dict[str, Way]:
    """What can be done there; streams and graphs are a GPU's."""
    steps: dict[str, Steps] = {}
    for name, layout in FORMATS.items():
        steps[f"separate{name}"] = partial(separate, layout)
        steps[f"grouped{name}"] = partial(stacked, "grouped", layout)
        steps[f"patches{name}"] = partial(stacked, "patches", layout)
    found: dict[str, Way] = {name: partial(_launched, of, _as_it_is) for name, of in steps.items()}
    if device.type == "cuda":
        found["separate, streams"] = partial(_launched, steps["separate"], _in_stream)
        found |= {f"{name}, graphs": partial(_launched, of, _graph) for name, of in steps.items()}
    return found | {"processes": processes}


def separate(layout: torch.memory_format, at: Setting, k: int) -> list[Step]:
    """The step of each network alone."""
    return [_trained(at, network(at, seed), layout) for seed in range(k)]


def stacked(product: Product, layout: torch.memory_format, at: Setting, k: int) -> list[Step]:
    """The one step of all."""
    stack = Stack([network(at, seed) for seed in range(k)], product)
    return [_trained(at, stack, layout)]


def processes(at: Setting, k: int, held: ExitStack) -> Run:
    """K networks queued for as many processes as there are cores; on a GPU for K."""
    slots = k if at.device.type == "cuda" else min(k, machine.cores())
    context = multiprocessing.get_context("spawn")
    share = replace(at, threads=max(1, at.threads // slots))
    pool = held.enter_context(
        ProcessPoolExecutor(slots, context, _enter, (share, context.Barrier(slots)))
    )
    list(pool.map(_meet, range(slots)))

    def run() -> float:
        began = time.perf_counter()
        list(pool.map(_share, [at.steps(k)] * k))
        return time.perf_counter() - began

    return run


def network(at: Setting, seed: int) -> nn.Module:
    """One training's network, halfway through its schedule."""
    torch.manual_seed(seed)
    clock = Clock()
    binarizer = partial(ESTIMATORS.build("reste", {}).binarizer, clock=clock, zero=0)
    layers = Layers(binarizer, Binarization())
    net = BACKBONES.build("resnet20", {"width": at.width}).build(CLASSES, CHANNELS, layers)
    clock.set(0.5)
    return net


def _trained(at: Setting, net: nn.Module, layout: torch.memory_format) -> Step:
    """A training step of a network or stack, warmed up."""
    net.to(at.device, memory_format=layout)  # pyright: ignore[reportCallIssue]
    optimizer = trainer.optimizer(net, Recipe(epochs=1, lr=0.01))
    k = net.k if isinstance(net, Stack) else 1
    images = torch.randn(k, at.batch, CHANNELS, at.image, at.image, device=at.device)
    labels = torch.randint(CLASSES, (k, at.batch), device=at.device)
    if not isinstance(net, Stack):
        images, labels = images[0].contiguous(memory_format=layout), labels[0]

    def loss_of() -> Tensor:
        if isinstance(net, Stack):
            return net.losses(images, labels).sum()
        return F.cross_entropy(net(images), labels)

    loss = torch.compile(loss_of, dynamic=False) if at.compiled else loss_of

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    for _ in range(WARM_UP):
        step()
    return step


def _launched(steps: Steps, launch: Callable[[Step], Step], at: Setting, k: int, _: object) -> Run:
    calls = [launch(step) for step in steps(at, k)]

    def run() -> float:
        _wait(at.device)
        began = time.perf_counter()
        for _ in range(at.steps(k)):
            for call in calls:
                call()
        _wait(at.device)
        return time.perf_counter() - began

    return run


def _as_it_is(step: Step) -> Step:
    return step


def _in_stream(step: Step) -> Step:
    stream = torch.cuda.Stream()

    def launch() -> None:
        with torch.cuda.stream(stream):
            step()

    return launch


def _graph(step: Step) -> Step:
    """The step as one graph, captured after a few in another stream than the default one."""
    warm_up, graph = _in_stream(step), torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    for _ in range(WARM_UP):
        warm_up()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        step()
    return _in_stream(graph.replay)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _enter(at: Setting, gate: Barrier) -> None:
    global _step, _gate
    torch.set_num_threads(at.threads)
    _gate = gate
    (_step,) = separate(torch.channels_last, at, 1)


def _meet(_: int) -> None:
    _gate.wait(PATIENCE_S)


def _share(steps: int) -> None:
    """One training's steps, in a process of its own or after another's."""
    for _ in range(steps):
        _step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
