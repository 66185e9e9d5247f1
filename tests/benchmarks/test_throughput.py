"""What a training step costs: `make bench`. No test asserts a time; compare ratios in one run."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.binary import Clock
from bench.cell import Binarization, Role
from bench.layers import Layers
from bench.registry import BACKBONES, ESTIMATORS

Benchmark = Callable[[Callable[[], Any]], Any]
NAMES = ("ste", "dsq", "ede", "fda", "rbnn", "reste")


@pytest.mark.benchmark(group="estimator, forward + backward, 128x16x32x32")
@pytest.mark.parametrize("name", ["copy", *NAMES])
def test_estimator(benchmark: Benchmark, name: str) -> None:
    """One crossing in float32; `copy` reads and writes the same bytes and does nothing else."""
    z = torch.randn(128, 16, 32, 32, requires_grad=True)
    dy = torch.randn_like(z)
    clock = Clock()
    module = nn.Identity() if name == "copy" else ESTIMATORS.build(name, {}).binarizer(
        "A", (16,), clock, 0
    )  # fmt: skip
    clock.set(0.5)

    def step() -> None:
        z.grad = None
        if name == "copy":
            torch.stack([z.detach(), dy])
        else:
            module(z).backward(dy)

    benchmark(step)


@pytest.mark.benchmark(group="training step, ResNet-20, batch 64, 32x32")
@pytest.mark.parametrize("name", ["real", *NAMES])
def test_step(benchmark: Benchmark, name: str) -> None:
    """Forward, loss, backward and update of the whole net, eager, W/A 1/1 or real."""
    torch.manual_seed(0)
    clock = Clock()

    def binarizer(role: Role, shape: tuple[int, ...]) -> nn.Module:
        return ESTIMATORS.build(name, {}).binarizer(role, shape, clock, 0)

    layers = Layers(None if name == "real" else binarizer, Binarization())
    net = BACKBONES.build("resnet20", {}).build(10, 3, layers)
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    clock.set(0.5)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, 0.9, fused=True)
    images: Tensor = torch.randn(64, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (64,))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()

    benchmark(step)
