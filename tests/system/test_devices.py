"""
What must hold on a GPU as on a CPU. Each test runs on the CPU, and again on a GPU where one is.

    python -m pytest -m gpu      the GPU's part of this and of other files
"""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from bench.data.sources import Digits
from bench.nn import integer_conv
from bench.nn.clock import Clock
from bench.nn.layers import Layers
from bench.plugin import Surrogate
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization, Recipe
from bench.train.model import Model
from bench.train.outcome import Outcome
from bench.train.snapshot import Snapshot
from bench.train.trainer import train
from bench.train.weights import digest

GPU = pytest.param("cuda", marks=pytest.mark.gpu)
DEVICES = pytest.mark.parametrize("device", ["cpu", GPU])
SIX = ("ste", "dsq", "ede", "fda", "rbnn", "reste")


def surrogate(name: str) -> Surrogate:
    found = ESTIMATORS.build(name, {})
    assert isinstance(found, Surrogate)
    return found


def network(name: str, device: str, width: int = 4) -> Model:
    torch.manual_seed(0)
    torch.backends.cudnn.deterministic = True
    clock, plugin = Clock(), surrogate(name)
    layers = Layers(lambda role, shape: plugin.binarizer(role, shape, clock, 0), Binarization())
    net = BACKBONES.build("resnet20", {"width": width}).build(10, 1, layers)
    return Model(net.to(device), clock)


class Unhurried:
    """Keeps nothing, and from the second step of an epoch to its last forbids to wait."""

    def __init__(self, steps: int) -> None:
        self.steps, self.step = steps, -1

    def due(self) -> bool:
        self.step += 1
        place = self.step % self.steps
        if torch.cuda.is_available():
            free = self.step < self.steps or place in {0, self.steps - 1}
            torch.cuda.set_sync_debug_mode("default" if free else "error")
        return False

    def stopping(self) -> bool:
        return False

    def keep(self, snapshot: Snapshot) -> None:
        """Never asked to."""


def trained(name: str, device: str, *, compiled: bool = False) -> Outcome:
    """Three epochs of three steps, waiting for the device between epochs alone."""
    data = Digits(train=96, test=40).load(Path("nowhere")).to(torch.device(device))
    built = network(name, device)
    recipe = Recipe(epochs=3, batch_size=32, lr=0.05)
    try:
        return train(
            built.net, built.clock, data, recipe, 3, compiled=compiled, checkpointer=Unhurried(3)
        )
    finally:
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("default")


@DEVICES
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", SIX)
def test_slopes_are_float64_s(name: str, dtype: torch.dtype, device: str) -> None:
    """f' in a device's small format is f' in float64 of the same z, to that format's rounding."""
    plugin = surrogate(name)
    z = torch.cat([torch.linspace(-2, 2, 401), torch.zeros(1)]).to(dtype)
    step = 2.0**-7 if dtype == torch.bfloat16 else 1e-5
    for p in (0.0, 0.5, 0.99):
        knob = torch.tensor(plugin.path(p, "A"), dtype=torch.float64)
        exact = plugin.df(z.double(), knob)
        found = plugin.df(z.to(device), knob.to(device))
        scale = float(exact.abs().max())

        assert found.dtype == dtype
        wrong = (found.double().cpu() - exact).abs() > 4 * step * scale
        # where a slope jumps, the edge itself may fall on either side of it once rounded
        assert int(wrong.sum()) <= 4, name


@DEVICES
@pytest.mark.parametrize("channels", [16, 256])
def test_products_of_signs_are_exact(channels: int, device: str) -> None:
    """The device's own way of convolving signs gives float64's numbers, forward."""
    rng = torch.Generator().manual_seed(0)
    a = torch.sign(torch.randn(8, channels, 8, 8, generator=rng))
    w = torch.sign(torch.randn(32, channels, 3, 3, generator=rng))
    a[0] = 1
    w[0] = 1
    y = integer_conv.conv2d(a.to(device), w.to(device), None, 1, 1)

    assert torch.equal(y.double().cpu(), F.conv2d(a.double(), w.double(), None, 1, 1))


@DEVICES
@pytest.mark.parametrize("name", ["dsq", "reste"])
def test_an_epoch_waits_for_nothing_and_repeats(name: str, device: str) -> None:
    """Steps never wait for the device; the same training twice gives the same bits."""
    first, second = (trained(name, device) for _ in range(2))

    assert digest(first.last) == digest(second.last)
    assert first.curves == second.curves
    assert all(map(math.isfinite, first.curves["train_loss"]))


@pytest.mark.gpu
@pytest.mark.parametrize("name", SIX)
def test_replayed_graphs_are_the_training(name: str) -> None:
    """Captured as CUDA graphs, training waits for nothing, repeats, and learns as uncaptured."""
    eager = trained(name, "cuda")
    first, second = (trained(name, "cuda", compiled=True) for _ in range(2))

    assert digest(first.last) == digest(second.last)
    assert first.curves["train_loss"][0] == pytest.approx(eager.curves["train_loss"][0], rel=0.2)
