"""
What is measured: cases, each of them some work and the ways to do it.

One way is the one that the others' ratios are to; one may be the machine's limit.
"""

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from bench.data.dataset import Split, Tensors, Transform
from bench.nn.clock import Clock
from bench.nn.coach import recipe_loss
from bench.nn.compiler import compile_step
from bench.spec.cell import Recipe
from bench.speed.step_time import time_steps
from bench.speed.survey import memory, networks, oracle, roofline
from bench.speed.survey.timing import time_call, time_in_turn, time_repeatedly
from bench.train import trainer
from bench.train.model import Model

Group: TypeAlias = Literal["estimator", "step", "epoch", "together", "method"]
Run: TypeAlias = Callable[[], float]  # does the work, and returns its seconds
LIMIT = "limit"
COMPILED = ("compiled", "rounded")
ROUNDED = COMPILED[1]  # compiled, with `binarization: {gradients: bfloat16}`
ESTIMATOR = "reste"  # of all that trains
SHARE = {"resnet20": 1, "resnet18": 8, "vgg_small": 8}  # a CPU gets one part of a batch
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Setting:
    """On what, and how much of it; what is not said is full size."""

    device: torch.device
    threads: int
    compiled: bool = False  # measure what is compiled, too
    rounds: int = 4
    shape: tuple[int, ...] = (128, 16, 32, 32)  # of activations
    batch: int = 128
    params: dict[str, Any] = field(default_factory=dict[str, Any])  # of every backbone
    steps: int = 2  # timed in each round
    epoch: int = 12  # steps of an epoch

    @property
    def ways(self) -> tuple[str, ...]:
        return ("oracle", "eager", "compiled") if self.compiled else ("oracle", "eager")

    def images(self, backbone: str) -> int:
        """The batch of that backbone."""
        return self.batch // SHARE[backbone] if self.device.type == "cpu" else self.batch


def choose_setting(device: torch.device, threads: int, *, compiled: bool, quick: bool) -> Setting:
    """Full size, or in fewer rounds; of a GPU's steps, which are short, there are more."""
    at = Setting(device, threads, compiled)
    if device.type == "cuda":
        at = replace(at, steps=20, epoch=100)
    return replace(at, rounds=2, steps=at.steps // 2, epoch=at.epoch // 2) if quick else at


@dataclass(frozen=True)
class Case:
    """Some work, and the ways to do it, each of which has to make ready first."""

    group: Group
    name: str
    baseline: str
    ways: dict[str, Callable[[], Run]]
    rounds: int
    images: int = 0  # that the work trains on, if any
    memory: Callable[[str], int] | None = None  # bytes that a way holds, where that is known
    hidden: tuple[str, ...] = (LIMIT,)  # ways that no row is of

    def measure(self, until: float = math.inf) -> dict[str, list[float]]:
        """The seconds of each way, round by round; in fewer rounds where it is late."""
        ways = {name: ready() for name, ready in self.ways.items()}
        return time_in_turn(ways, self.rounds, until)


def list_solo_cases(at: Setting) -> Iterator[Case]:
    """Every case of one training alone."""
    for dtype in DTYPES:
        yield from (estimator_case(at, name, dtype) for name in oracle.CROSSINGS)
    for backbone in SHARE:
        yield from (step_case(at, backbone, wa) for wa in ("1/1", "1/32"))
    yield from (epoch_case(at, way) for way in at.ways if way != "oracle")


def estimator_case(at: Setting, name: str, dtype: str) -> Case:
    """Forward and backward of an estimator on activations."""
    ways = {way: partial(_crossing, at, name, dtype, way) for way in at.ways}
    limit = {LIMIT: lambda: roofline.time_traffic(_latent(at, dtype))}
    return Case("estimator", f"{name}, {dtype}", "oracle", ways | limit, 3 * at.rounds)


def step_case(at: Setting, backbone: str, wa: str) -> Case:
    """A step of training, on images that need no augmentation."""
    batch = at.images(backbone)
    rounds = at.compiled and wa == "1/1" and networks.has_bfloat16_units(at.device)
    ways: dict[str, Callable[[], Run]] = {
        way: lambda way=way: prepare_step(at, backbone, wa, way)
        for way in (*at.ways, *[ROUNDED] * rounds)
    }
    limit = {LIMIT: lambda: _products(at, backbone)}
    held = partial(_held, at, backbone, wa)
    name = f"{backbone} {wa}, batch {batch}"
    return Case("step", name, "oracle", ways | limit, at.rounds, batch, held)


def _products(at: Setting, backbone: str) -> Run:
    """The multiplications of a step, at the rate of large matrices."""
    image = roofline.count_flops(
        lambda: networks.build_skeleton(backbone, at.params), networks.IMAGE
    )
    return roofline.time_products(at.images(backbone) * image, at.device, torch.float32)


def epoch_case(at: Setting, way: str) -> Case:
    """A whole epoch with its shuffling, crops and flips, against as many steps alone."""
    backbone = next(iter(SHARE))
    batch = at.images(backbone)
    ways: dict[str, Callable[[], Run]] = {
        "step alone": lambda: prepare_step(at, backbone, "1/1", way),
        "epoch": lambda: _epoch(at, backbone, compiled=way == "compiled"),
    }
    name = f"{backbone} 1/1, batch {batch}, {way}"
    return Case("epoch", name, "step alone", ways, max(1, at.rounds // 2), batch)


def prepare_step(at: Setting, backbone: str, wa: str, way: str) -> Run:
    """Seconds of a step: of the oracle's loop, or of the product's own."""
    model, batch = _model(at, backbone, wa, way), at.images(backbone)
    recipe = make_recipe(batch)
    if way == "oracle":
        loop, (images, labels) = oracle.OracleLoop(model.net, recipe), _batch(at, batch)
        one = partial(time_call, lambda: loop.step(images, labels), at.device)
        one()
        return lambda: statistics.median(one() for _ in range(at.steps))
    data = make_noise(at, (at.steps + 2) * batch, Transform((0.5,) * 3, (0.25,) * 3))
    timed = partial(time_steps, steps=at.steps, compiled=way in COMPILED)
    return lambda: timed(model, data, recipe).step_s


def _epoch(at: Setting, backbone: str, *, compiled: bool) -> Run:
    model, batch = _model(at, backbone, "1/1"), at.images(backbone)
    data = make_noise(at, at.epoch * batch, Transform((0.5,) * 3, (0.25,) * 3, pad=4, flip=True))
    recipe = make_recipe(batch).model_copy(update={"epochs": 2})  # of which the second counts

    def run() -> float:
        found = trainer.train(model.net, model.clock, data, recipe, 0, compiled=compiled)
        return batch / (found.images_per_s or math.nan)

    return run


def _held(at: Setting, backbone: str, wa: str, way: str) -> int:
    """Bytes at the peak of a step on a GPU; on a CPU those that are kept for its backward."""
    if at.device.type == "cuda":
        return memory.measure_peak_bytes(prepare_step(at, backbone, wa, way), at.device)
    model, (images, labels) = _model(at, backbone, wa, way), _batch(at, at.images(backbone))
    if way != "oracle":
        model.net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    recipe = make_recipe(len(images))

    def loss() -> Tensor:
        return recipe_loss(model.net(images), labels, recipe)

    call = compile_step(loss, at.device) if way in COMPILED else loss
    return memory.count_bytes_kept(model.net.train(), call)


def _model(at: Setting, backbone: str, wa: str, way: str = "eager") -> Model:
    return networks.build_network(
        backbone,
        at.params,
        ESTIMATOR,
        at.device,
        plain=way == "oracle",
        real_input=wa == "1/32",
        rounded=way == ROUNDED,
    )


def make_recipe(batch: int) -> Recipe:
    return Recipe(epochs=1, batch_size=batch, lr=0.01, indicators="off")


def _batch(at: Setting, n: int) -> Split:
    images = torch.randn(n, *networks.IMAGE, device=at.device)
    return images, torch.randint(networks.CLASSES, (n,), device=at.device)


def make_noise(at: Setting, n: int, transform: Transform) -> Tensors:
    """Noise in the shape of CIFAR-10."""
    images = torch.randint(256, (n, *networks.IMAGE), dtype=torch.uint8)
    labels = torch.randint(networks.CLASSES, (n,))
    tested = images[:2], labels[:2]
    return Tensors("noise", (images, labels), tested, networks.CLASSES, transform).to(at.device)


def _latent(at: Setting, dtype: str) -> Tensor:
    return torch.randn(at.shape, device=at.device).to(DTYPES[dtype]).requires_grad_()


def _crossing(at: Setting, name: str, dtype: str, way: str) -> Run:
    clock = Clock()
    module = networks.choose_binarizer(name, clock, plain=way == "oracle")("A", at.shape[1:2]).to(
        at.device
    )
    clock.set(networks.HALFWAY)
    z = _latent(at, dtype)
    dy, asked = torch.randn_like(z), [z, *module.parameters()]
    cross = compile_step(module, at.device) if way == "compiled" else module
    return time_repeatedly(lambda: torch.autograd.grad(cross(z), asked, dy), at.device)
