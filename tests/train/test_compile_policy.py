"""Eager or compiled: the law of a cell, and that one graph serves a whole training."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.data.dataset import Tensors, Transform
from bench.data.sources import Digits
from bench.nn.clock import Clock
from bench.nn.compiler import compile_step
from bench.nn.layers import Layers
from bench.registry import ESTIMATORS
from bench.spec.cell import CORE, Binarization, Cell, DataRef, Recipe, Ref
from bench.train import compile_policy, model, trainer
from bench.train.outcome import Progress


def cell(epochs: int, backbone: str = "resnet20") -> Cell:
    return Cell(
        core=CORE,
        weights=Ref(name="ste"),
        activations=Ref(name="ste"),
        backbone=Ref(name=backbone),
        data=DataRef(name="cifar10", fingerprint="f"),
        binarization=Binarization(),
        recipe=Recipe(epochs=epochs),
        seed=0,
    )


def images(n: int) -> Tensors:
    x = torch.zeros(n, 3, 32, 32, dtype=torch.uint8)
    y = torch.zeros(n, dtype=torch.int64)
    return Tensors("fake", (x, y), (x[:10], y[:10]), 10, Transform((0.5,) * 3, (0.5,) * 3))


def test_operations_of_a_training() -> None:
    """ResNet-20 takes 242 MFLOP an image, forward and backward, counted by hand: 40.6 M MACs."""
    one = compile_policy.count_operations(cell(1), images(100)) / 100

    assert one == pytest.approx(6 * 40.6e6, rel=0.01)
    assert compile_policy.count_operations(cell(1, "resnet18"), images(100)) / 100 == pytest.approx(
        3.33e9, 0.01
    )


def test_short_trainings_are_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law looks at the cell, says why, and needs a compiler on a CPU alone."""
    data = images(1000)
    long = int(compile_policy.WORTH / compile_policy.count_operations(cell(1), data)) + 1

    assert compile_policy.choose(None, cell(1), data, "cpu")[0] is False
    assert "earn compilation back" in compile_policy.choose(None, cell(1), data, "cpu")[1]
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")  # pyright: ignore
    assert compile_policy.choose(None, cell(long), data, "cpu")[0] is True
    monkeypatch.setattr("shutil.which", lambda _: None)  # pyright: ignore
    refused, why = compile_policy.choose(None, cell(long), data, "cpu")
    assert not refused
    assert "no C++ compiler" in why
    assert compile_policy.choose(None, cell(long), data, "cuda:0")[0] is True


def test_a_network_that_cannot_be_counted_is_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's backbone may not run on the meta device; it trains nevertheless."""
    monkeypatch.setattr(compile_policy, "_counted", {})
    monkeypatch.setattr(compile_policy.macs, "count_cost", lambda *_, **__: 1 / 0)

    assert compile_policy.choose(None, cell(10**9), images(10), "cpu")[0] is False


def test_what_is_asked_for_is_done() -> None:
    """--compile and --no-compile overrule the law."""
    assert compile_policy.choose(True, cell(1), images(10), "cpu")[0] is True
    assert compile_policy.choose(False, cell(1000), images(10), "cpu")[0] is False


def test_only_compilation_fails_uncompilable() -> None:
    """An error of the step itself is no reason to train without compiling."""
    from torch._dynamo.exc import BackendCompilerFailed

    assert compile_policy.is_compile_error(BackendCompilerFailed(print, ValueError("no"), None))
    assert not compile_policy.is_compile_error(ValueError("no"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dsq", "reste"])
def test_one_graph_serves_a_training(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs, knobs, learning rates, evaluation and a last, smaller batch compile nothing new."""
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()
    compile_: Any = partial(torch.compile, backend=counter)
    monkeypatch.setattr(torch, "compile", lambda f, dynamic, options: compile_(f, dynamic=dynamic))
    clock, plugin = Clock(), ESTIMATORS.build(name, {})
    layers = Layers(lambda role, shape: plugin.binarizer(role, shape, clock, 0), Binarization())
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.BatchNorm2d(4),
        layers.conv(4, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 10),
    )
    data = Digits(train=40, test=20).load(Path("nowhere"))
    built, recipe = model.Model(net, clock), Recipe(epochs=4, batch_size=16, warmup=1)
    seen: list[Progress] = []
    outcome = trainer.train(
        built.net, built.clock, data, recipe, 0, compiled=True, watch=seen.append
    )
    torch._dynamo.reset()  # pyright: ignore

    assert counter.frame_count == 1
    assert len(outcome.curves["test_acc"]) == 4
    assert [p.compiling for p in seen].count(True) == 1
    assert seen[0].compiling
    assert outcome.compile_s is not None


@pytest.mark.slow
def test_every_estimator_compiles() -> None:
    """A compiled binary layer, channels last as trainers have it, has the eager one's gradient."""
    torch.manual_seed(0)
    nets: list[torch.nn.Module] = []
    given: list[torch.Tensor] = []
    names = ("ste", "dsq", "ede", "fda", "rbnn", "reste", "ste_gain", "ramp")
    for n, name in enumerate(names):
        clock, plugin = Clock(), ESTIMATORS.build(name, {})
        layers = Layers(partial(_binarizer, plugin, clock), Binarization())
        net = torch.nn.Sequential(layers.conv(4, 4, 3), torch.nn.BatchNorm2d(4))
        nets.append(net.to(memory_format=torch.channels_last))  # pyright: ignore[reportCallIssue]
        clock.set(0.3)
        x = torch.randn(2, 4, 8, 8 + n)  # of unlike sizes, each in loops of its own
        given.append(x.contiguous(memory_format=torch.channels_last).requires_grad_())
    weights = [torch.randn_like(x) for x in given]  # BatchNorm's sums of squares have no gradient

    def loss(given: list[torch.Tensor]) -> torch.Tensor:
        outs = zip(weights, nets, given, strict=True)
        return torch.stack([(w * net(x)).sum() for w, net, x in outs]).sum()

    compiled = torch.autograd.grad(compile_step(loss, torch.device("cpu"))(given), given)
    eager = torch.autograd.grad(loss(given), given)

    for name, ours, wanted in zip(names, compiled, eager, strict=True):
        assert (ours - wanted).norm() < 1e-5 * wanted.norm(), name


def _binarizer(plugin: Any, clock: Clock, role: str, shape: tuple[int, ...]) -> torch.nn.Module:
    return plugin.binarizer(role, shape, clock, 0)


def test_a_ninth_graph_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that trains many cells compiles each; Dynamo alone would stop at eight."""
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()
    compile_: Any = partial(torch.compile, backend=counter)
    monkeypatch.setattr(torch, "compile", lambda f, dynamic, options: compile_(f, dynamic=dynamic))

    def twice(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    for n in range(1, 11):
        compile_step(twice, torch.device("cpu"))(torch.ones(n))
    torch._dynamo.reset()  # pyright: ignore

    assert counter.frame_count == 10


def test_a_step_that_compiles_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are its images counted: an epoch of one step has no throughput."""
    monkeypatch.setattr(trainer, "compile_step", lambda call, _, **__: call)
    clock, plugin = Clock(), ESTIMATORS.build("ste", {})
    layers = Layers(lambda role, shape: plugin.binarizer(role, shape, clock, 0), Binarization())
    net = torch.nn.Sequential(
        layers.conv(1, 2, 3),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(2, 10),
    )
    data = Digits(train=32, test=20).load(Path("nowhere"))
    one = trainer.train(net, clock, data, Recipe(epochs=1, batch_size=32), 0, compiled=True)
    two = trainer.train(net, clock, data, Recipe(epochs=1, batch_size=16), 0, compiled=True)

    assert one.images_per_s is None
    assert two.images_per_s is not None
