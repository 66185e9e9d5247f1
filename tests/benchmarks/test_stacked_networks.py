"""K networks as one: equal to the K alone, layer by layer and step by step."""

from collections.abc import Iterator
from functools import partial
from statistics import fmean
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from samples import cell
from stacked_networks import Product, Stack
from torch import Tensor, nn

from bench.data.dataset import Name, Split, Tensors
from bench.data.source import data_folder
from bench.data.sources import Digits
from bench.errors import UsageError
from bench.nn.clock import Clock
from bench.nn.layers import Layers
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization, Recipe, Ref
from bench.train import model, trainer
from bench.train.learning_rate import epoch_progress, learning_rate
from bench.train.model import Model
from bench.train.optimizer import Optimizer, make_optimizer

RECIPE = Recipe(epochs=10, batch_size=8, lr=0.05)
SIDE = 8
VIT = {"width": None, "image": 8, "patch": 4, "dim": 6, "depth": 1}
CASES: dict[str, dict[str, Any]] = {
    "resnet20": {},
    "every other choice": {
        "params": {"order": "bn_prelu", "bireal": True, "shortcut": "avgpool_pad"},
        "options": {
            "scale": "channel", "scale_at": "pre", "scale_act": "layer", "padding": -1,
            "standardize": "on", "sign0": 1,
        },
    },
    "binary shortcuts": {"params": {"shortcut": "B_binary", "order": "bn_hardtanh"}},
    "vgg_small": {"backbone": "vgg_small", "params": {"image": SIDE}},
    "a learned knob": {"estimators": ("dsq", "dsq")},
    "three estimators": {"estimators": ("ste", "reste", "reste", "dsq")},
    "input real": {"wa": "1/32", "options": {"scale_act": "layer", "padding": 1}},
    "all real": {"wa": "32/32"},
}  # fmt: skip


def build(
    seed: int,
    estimator: str = "reste",
    backbone: str = "resnet20",
    wa: str = "1/1",
    **choice: Any,
) -> nn.Module:
    """A narrow network halfway through its schedule."""
    torch.manual_seed(seed)
    clock, options = Clock(), Binarization(**choice.get("options", {}))
    make = partial(ESTIMATORS.build(estimator, {}).binarizer, clock=clock, zero=options.sign0)

    def binarizer(role: Any, shape: tuple[int, ...]) -> nn.Module:
        return nn.Identity() if (role, wa) == ("A", "1/32") else make(role, shape)

    layers = Layers(None if wa == "32/32" else binarizer, options)
    params = {"width": 4} | choice.get("params", {})
    params = {name: value for name, value in params.items() if value is not None}
    net = BACKBONES.build(backbone, params).build(3, 2, layers)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.1)  # nothing is 0 but for rounding before a sign
    clock.set(0.5)
    return net


def nets(
    dtype: torch.dtype, estimators: tuple[str, ...] = ("reste", "reste"), **choice: Any
) -> list[nn.Module]:
    """A seed of each estimator; called twice, the same ones twice."""
    return [build(seed, name, **choice).to(dtype) for seed, name in enumerate(estimators)]


def batches(k: int, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
    """Images (K, N, 2, SIDE, SIDE) and labels (K, N) of every model's own generator."""
    generators = [torch.Generator().manual_seed(seed) for seed in range(k)]
    while True:
        images = [torch.randn(8, 2, SIDE, SIDE, generator=one, dtype=dtype) for one in generators]
        labels = [torch.randint(3, (8,), generator=one) for one in generators]
        yield torch.stack(images), torch.stack(labels)


def step(net: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def error(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest value, or to 0.01 where all are smaller."""
    return ((one - other).abs().max() / other.abs().max().clamp(min=0.01)).item()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "product"),
    [(name, "grouped") for name in CASES] + [(name, "patches") for name in list(CASES)[1:4]],
)
def test_stacked_equals_separate(name: str, product: Product) -> None:
    """In float64, three steps lead every parameter and statistic where it comes to alone."""
    case = CASES[name]
    alone, stack = nets(torch.float64, **case), Stack(nets(torch.float64, **case), product)
    optimizers = [make_optimizer(net, RECIPE) for net in alone]
    together = make_optimizer(stack, RECIPE)
    before = stack.unstack()
    data = batches(len(alone), torch.float64)
    for _, (images, labels) in zip(range(3), data, strict=False):
        losses = stack.losses(images, labels)
        for k, net in enumerate(alone):
            loss = F.cross_entropy(net(images[k]), labels[k])
            assert error(losses[k], loss) < 1e-12
            step(net, optimizers[k], loss)
        step(stack, together, losses.sum())
    for first, net, state in zip(before, alone, stack.unstack(), strict=True):
        expected = net.state_dict()
        assert set(expected) == set(state)
        for key, value in expected.items():
            assert error(state[key].double(), value.double()) < 1e-12, key
            assert not torch.equal(value, first[key]), f"{key} was not trained"


@pytest.mark.parametrize(
    ("name", "product"), [("three estimators", "grouped"), ("every other choice", "patches")]
)
def test_layer_by_layer(name: str, product: Product) -> None:
    """In float32, each layer and its gradients are those alone, given the same inputs."""
    alone = nets(torch.float32, **CASES[name])
    stack = Stack(nets(torch.float32, **CASES[name]), product)
    images, _ = next(batches(len(alone), torch.float32))
    seen = [inputs(net, images[k]) for k, net in enumerate(alone)]
    for path in seen[0]:
        layers = [net.get_submodule(path) for net in alone]
        xs = [one[path].requires_grad_() for one in seen]
        x = torch.cat([x.detach() for x in xs], 1).requires_grad_()
        ys = [layer(x) for layer, x in zip(layers, xs, strict=True)]
        y = stack.net.get_submodule(path)(x)
        assert error(y, torch.cat(ys, 1)) < 1e-6, path
        dy = torch.randn_like(y)
        torch.autograd.backward([y, *ys], [dy, *dy.chunk(len(ys), 1)])
        assert x.grad is not None
        assert error(x.grad, torch.cat([x.grad for x in xs if x.grad is not None], 1)) < 1e-5, path


def inputs(net: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """What reaches each layer that has parameters, by its name."""
    found: dict[str, Tensor] = {}

    def keep(path: str, _: nn.Module, args: tuple[Tensor, ...]) -> None:
        found[path] = args[0].detach()

    kinds = nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d | nn.Linear | nn.PReLU
    for path, module in net.named_modules():
        if isinstance(module, kinds):
            module.register_forward_pre_hook(partial(keep, path))
    net(images)
    return found


@pytest.mark.parametrize("product", ["grouped", "patches"])
def test_no_model_hears_of_another(product: Product) -> None:
    """Other images for one model, or weights that are not finite, change no bit of the others."""
    states: list[list[dict[str, Tensor]]] = []
    for spoil in (None, "images", "weights"):
        stack = Stack(nets(torch.float32, ("reste", "reste", "dsq")), product)
        optimizer = make_optimizer(stack, RECIPE)
        if spoil == "weights":
            stack.net.get_parameter("3.conv1.weight").data[0] = torch.nan
        for _, (images, labels) in zip(range(2), batches(3, torch.float32), strict=False):
            if spoil == "images":
                images[0] += 1
            step(stack, optimizer, stack.losses(images, labels).sum())
        states.append(stack.unstack())
    for other in states[1:]:
        unchanged = [
            all(torch.equal(one[key], two[key]) for key in one)
            for one, two in zip(states[0], other, strict=True)
        ]
        assert unchanged == [False, True, True]


def test_evaluation() -> None:
    """The models that come out of a stack are judged as the stack judges them."""
    stack = Stack(nets(torch.float64, ("ste", "dsq")))
    images, labels = next(batches(2, torch.float64))
    step(stack, make_optimizer(stack, RECIPE), stack.losses(images, labels).sum())
    logits = stack.eval()(images)
    for k, (net, state) in enumerate(
        zip(nets(torch.float64, ("ste", "dsq")), stack.unstack(), strict=True)
    ):
        net.load_state_dict(state)
        assert error(net.eval()(images[k]), logits[k]) < 1e-12


@pytest.mark.long
@pytest.mark.slow
def test_one_graph() -> None:
    """A stack is traced whole, so that it can be compiled: seeds, a learned knob and all."""
    case = {"backbone": "vgg_small", "params": {"image": SIDE}}
    stack = Stack(nets(torch.float32, ("reste", "reste", "dsq"), **case)).eval()
    images, labels = next(batches(3, torch.float32))
    config: Any = torch._dynamo.config  # pyright: ignore
    try:
        with config.patch(trace_autograd_ops=True):  # as `nn.compiler` has it
            traced = torch.compile(stack.losses, backend="eager", fullgraph=True)
            assert torch.equal(traced(images, labels), stack.losses(images, labels))
    finally:
        torch.compiler.reset()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            [{}, {"params": {"order": "bn_hardtanh"}}],
            "^1: not the same in all; only networks",
        ),
        ([{}, {"params": {"width": 8}}], "^0: not the same"),
        ([{}, {"wa": "1/32"}], "^3.conv1: not the same"),
        ([{"backbone": "vit_tiny", "params": VIT}] * 2, r"^0: of Embedding\(\) no stack is known"),
    ],
)
def test_what_cannot_be_stacked(wrong: list[dict[str, Any]], message: str) -> None:
    """Networks of two graphs, or with a layer that mixes channels, are refused by name."""
    with pytest.raises(UsageError, match=message):
        Stack([build(seed, **choice) for seed, choice in enumerate(wrong)])


class Precise(Tensors):
    """Images in another precision than float32."""

    dtype = torch.float64

    def epoch(self, size: int, rng: torch.Generator, start: int = 0) -> Iterator[Split]:
        batches = super().epoch(size, rng, start)
        return ((images.to(self.dtype), labels) for images, labels in batches)

    def batches(self, split: Name, size: int) -> Iterator[Split]:
        return ((images.to(self.dtype), labels) for images, labels in super().batches(split, size))


def digits(dtype: torch.dtype) -> Tensors:
    found = Digits().load(data_folder())
    if dtype == torch.float32:
        return found
    return Precise(found.label, found.train, found.test, found.num_classes, found.transform)


def models(seeds: range, dtype: torch.dtype) -> list[Model]:
    """VGG-small with ReSTE, as cells of those seeds have it."""
    reste, net = Ref(name="reste"), Ref(name="vgg_small", params={"width": 8, "image": 8})
    cells = (cell(weights=reste, activations=reste, backbone=net, seed=seed) for seed in seeds)
    found = [model.build(one) for one in cells]
    for one in found:
        one.net.to(dtype)
    return found


def trained(seeds: range, recipe: Recipe, dtype: torch.dtype) -> list[list[float]]:
    """Accuracies on test images after each epoch, of seeds in one stack, each with its own data."""
    data, parts, judged = digits(dtype), models(seeds, dtype), models(seeds, dtype)
    stack = Stack([part.net for part in parts])
    optimizer = make_optimizer(stack, recipe)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    curves: list[list[float]] = [[] for _ in seeds]
    for e in range(recipe.epochs):
        for part in parts:
            part.clock.set(epoch_progress(recipe, e))
        optimizer.param_groups[0]["lr"] = learning_rate(recipe, e)
        epochs = (data.epoch(recipe.batch_size, one) for one in generators)
        for batch in zip(*epochs, strict=True):
            images, labels = (torch.stack(one) for one in zip(*batch, strict=True))
            step(stack, optimizer, stack.losses(images, labels).sum())
        for one, state, curve in zip(judged, stack.unstack(), curves, strict=True):
            one.net.load_state_dict(state)
            curve.append(trainer.accuracy(one.net, data)[0])
    return curves


@pytest.mark.long
@pytest.mark.slow
def test_whole_trainings_in_float64() -> None:
    """Two stacked seeds have the test accuracies that `train` gives them, epoch by epoch."""
    seeds, recipe = range(2), Recipe(epochs=4, batch_size=32, lr=0.05, indicators="off")
    alone = [
        trainer.train(one.net, one.clock, digits(torch.float64), recipe, seed)
        for seed, one in zip(seeds, models(seeds, torch.float64), strict=True)
    ]

    assert trained(seeds, recipe, torch.float64) == [one.curves["test_acc"] for one in alone]


@pytest.mark.long
@pytest.mark.slow
def test_whole_trainings_in_float32() -> None:
    """Rounding leads seeds elsewhere, but to as good a place: four stacked, four alone."""
    seeds, recipe = range(4), Recipe(epochs=8, batch_size=32, lr=0.05, indicators="off")
    alone = [
        trainer.train(one.net, one.clock, digits(torch.float32), recipe, seed)
        for seed, one in zip(seeds, models(seeds, torch.float32), strict=True)
    ]
    ends = [[one.curves["test_acc"][-1] for one in alone]]
    ends.append([curve[-1] for curve in trained(seeds, recipe, torch.float32)])

    assert min(map(min, ends)) > 0.2  # all have learnt; chance is 0.1
    assert abs(fmean(ends[0]) - fmean(ends[1])) < 0.17  # four standard errors
