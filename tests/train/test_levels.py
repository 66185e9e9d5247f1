"""What a network multiplies, counted in evaluation; and what it has beyond plain STE."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter

from bench.data.dataset import Tensors
from bench.data.sources import Digits
from bench.nn.clock import Clock
from bench.nn.coach import Coach
from bench.nn.layers import BinaryConv2d, BinaryLinear
from bench.nn.parts import Alpha
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization, Recipe, Role
from bench.train import extras
from bench.train.levels import Claim, Seen, Values, counted, distinct
from bench.train.outcome import Outcome
from bench.train.snapshot import Snapshot
from bench.train.trainer import train

ONE = Claim({"W": 1, "A": 1})
INF = torch.inf


class Mapped(nn.Module):
    """A binarizer that is a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, z: Tensor) -> Tensor:
        return self.function(z)


class Twice(BinaryConv2d):
    """A layer of two products, and a sum over windows."""

    def operate(self, x: Tensor, w: Tensor) -> Tensor:
        one = self.scaled_product(self.A(x), self.W(w))
        two = self.scaled_product(-self.A(x), self.W(w))
        return one + two + nn.functional.avg_pool2d(x, 3, 1, 1).mean(1, keepdim=True)


def sign(z: Tensor) -> Tensor:
    return torch.where(z >= 0, 1.0, -1.0)


def network(
    weights: nn.Module,
    inputs: nn.Module,
    kind: type[BinaryConv2d] = BinaryConv2d,
    *between: nn.Module,
    one_channel: bool = False,
) -> nn.Sequential:
    """One binary convolution, a BatchNorm, one binary linear map."""
    torch.manual_seed(0)
    options = Binarization(scale="none")

    def make(role: Role, shape: tuple[int, ...]) -> nn.Module:
        return weights if role == "W" else inputs

    conv = kind(1 if one_channel else 3, 4, 3, stride=1, binarizer=make, options=options)
    linear = BinaryLinear(4, 10, binarizer=make, options=options)
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(conv, *between, nn.BatchNorm2d(4), pool, nn.Flatten(), linear).eval()


def look(net: nn.Module, claim: Claim = ONE, images: int = 100) -> Seen:
    with counted(net, claim, images) as seen, torch.no_grad():
        for _ in range(3):
            net(torch.randn(40, 3, 6, 6))
    return seen


@pytest.mark.parametrize("most", [4, 9, 17])
def test_distinct_values_are_those_that_differ(most: int) -> None:
    x = torch.tensor([[1.0, -1, 0, 1 + 1e-8], [2, 2, 2, INF], [0.1, 0.2, 0.3, 0.4]])
    found = distinct(x.T, most)
    assert found.shape == (most, 3)
    assert found.isfinite().sum(0).tolist() == [3, 1, 4]
    assert found[:3, 0].tolist() == [-1, 0, 1]
    assert distinct(torch.randn(100, 2), most).isfinite().all()
    assert not distinct(torch.empty(0, 2), most).isfinite().any()


@pytest.mark.parametrize(
    ("values", "bits", "few"),
    [
        ([[-1.0, 0, 1]], 1, True),  # sign(0)
        ([[-1.0, 0, 2]], 1, False),
        ([[-1.0, 0.5, 1]], 1, False),
        ([[-2.0, 2, 2], [0, 3, 3]], 1, True),
        ([[1.0, 2, 3, 4, 5]], 1, False),
        ([[1.0, 2, 3, 4]], 2, True),
        ([[1.0, 2, 3, 4, 5]], 2, False),
    ],
)
def test_bits_allow_as_many_values(values: list[list[float]], bits: int, few: bool) -> None:
    found = Values(bits)
    found.add(torch.tensor(values).T)
    assert found.few is few


def test_values_of_several_batches_are_values_of_one() -> None:
    found = Values(1)
    for value in (1.0, -1.0, 3.0, 1.0):
        found.add(torch.full((5, 2), value))
    assert (found.count, found.total) == (3, 40)


def test_a_binary_network_is_binary() -> None:
    clock = Clock()
    ste = ESTIMATORS.build("ste", {})
    net = network(ste.binarizer("W", (2, 1), clock, 0), ste.binarizer("A", (2,), clock, 0))
    seen = look(net)
    levels = seen.levels({1: "not yet"})
    assert seen.unlike() == ""
    assert (levels.weights, levels.products, levels.images) == (2, 1, 100)
    assert levels.inputs in {2, 3}
    assert levels.unlike == {1: "not yet"}
    assert "product" not in vars(net[0])


def test_what_is_not_binary_is_named() -> None:
    real = network(Mapped(torch.tanh), Mapped(sign))
    assert look(real).unlike() == "weights of more than 3 values in 0"
    few = network(Mapped(sign), Mapped(lambda x: x.clamp(-1, 1).round().clamp(-0.5, 1)))
    assert re.fullmatch(r"inputs of 3 values \(\d+\.\d % zeros\) in 0", look(few).unlike())
    assert look(few, Claim({"W": 1, "A": 2})).unlike() == ""
    assert look(few, Claim({"W": 1})).levels({}).inputs is None
    ternary = network(Mapped(lambda w: sign(w) * (w.abs() > 0.1)), Mapped(sign))
    levels = look(ternary).levels({})
    assert levels.weights == 3
    assert 0.1 < levels.weight_zeros < 0.9


def test_a_layer_without_a_product_is_named() -> None:
    class Elsewhere(BinaryConv2d):
        def operate(self, x: Tensor, w: Tensor) -> Tensor:
            return nn.functional.conv2d(x, w, None, self.stride, 1)

    net = network(Mapped(sign), Mapped(sign), Elsewhere)
    assert look(net).unlike() == "0 multiplies elsewhere than in `product`"


def test_several_products_count_one_by_one() -> None:
    net = network(Mapped(sign), Mapped(sign), Twice)
    seen = look(net)
    assert (seen.unlike(), seen.levels({}).products) == ("", 2)
    found = extras.measure(net, Coach(Recipe(epochs=1)), torch.randn(2, 3, 6, 6))
    assert found.product_macs == 36 * 4 * 27
    assert found.other_macs == 36 * 3 * 9  # the windows


def test_parameters_are_told_by_what_inference_needs() -> None:
    def made(factor: float, *between: nn.Module) -> tuple[nn.Module, frozenset[str]]:
        weights, inputs = Mapped(sign), Mapped(sign)
        weights.noise = nn.Linear(2, 3)
        weights.after = Alpha(torch.full((4,), factor))
        inputs.shift = nn.Parameter(torch.zeros(7))
        net = network(weights, inputs, BinaryConv2d, *between)
        net[-1] = nn.Identity()
        return net, frozenset({"W.after"})

    class Trained(Coach):
        def __init__(self) -> None:
            super().__init__(Recipe(epochs=1))
            self.gamma = nn.Parameter(torch.ones(2))

    image = torch.randn(1, 3, 6, 6)
    for factor, between, kept in ((-1.0, [], 7), (-1.0, [nn.ReLU()], 11), (1.0, [nn.ReLU()], 7)):
        net, folds = made(factor, *between)
        found = extras.measure(net, Trained(), image, folds)
        assert (found.parameters_trained, found.parameters_kept) == (9 + 4 + 7 + 2, kept)
        assert not net.training
    assert extras.measure(*made(1.0)[:1], Trained(), image).parameters_kept == 11


class Late(nn.Module):
    """Binary from epoch 2 of 4 on, and in epoch 0."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.dial = clock.dial("late", lambda p: float(p != 0.25))

    def forward(self, z: Tensor) -> Tensor:
        return torch.where(self.dial.value > 0, sign(z), z)


def data() -> Tensors:
    return Digits(train=64, test=40).load(Path("nowhere"))


class Once:
    """Keeps the snapshot before the first step of epoch 2."""

    def __init__(self) -> None:
        self.calls, self.kept = 0, list[Snapshot]()

    def due(self) -> bool:
        self.calls += 1
        return self.calls == 5

    def stopping(self) -> bool:
        return False

    def keep(self, snapshot: Snapshot) -> None:
        self.kept.append(snapshot)


def trained(claim: Claim, *, once: Once | None = None, resume: Snapshot | None = None) -> Outcome:
    clock = Clock()
    net = network(Late(clock), Mapped(sign), one_channel=True)
    recipe = Recipe(epochs=4, batch_size=32, lr=0.01, indicators="off")
    return train(
        net, clock, data(), recipe, 0, claim=claim, checkpointer=once, resume=resume
    )  # fmt: skip


def test_the_best_epoch_is_one_that_was_binary() -> None:
    once = Once()
    outcome = trained(ONE, once=once)
    assert list(outcome.unlike) == [1]
    assert "weights of more than 3 values" in outcome.unlike[1]
    assert outcome.levels is not None
    assert outcome.levels.unlike == outcome.unlike
    assert outcome.extras is not None
    accs = outcome.curves["test_acc"]
    assert outcome.best_epoch == max((0, 2, 3), key=lambda e: accs[e])

    resumed = trained(ONE, resume=once.kept[0])
    assert (resumed.unlike, resumed.best_epoch) == (outcome.unlike, outcome.best_epoch)


def test_without_a_claim_nothing_is_counted() -> None:
    outcome = trained(Claim({}))
    assert (outcome.unlike, outcome.levels, outcome.extras) == ({}, None, None)


def test_one_that_was_as_binary_as_it_says_is_better_than_any_that_was_not() -> None:
    outcome = Outcome()
    accs = [0.9, 0.8, 0.7, 0.8, 0.85]
    outcome.unlike = {0: "real", 1: "real", 4: "real"}
    best: list[int | None] = []
    for epoch, acc in enumerate(accs):
        if outcome.is_best(epoch, acc):
            outcome.best_epoch = epoch
        outcome.curves["test_acc"].append(acc)
        best.append(outcome.best_epoch)
    assert best == [0, 0, 2, 3, 3]


def test_counting_compiles_nothing_anew() -> None:
    """A compiled step between two evaluations is the one that was compiled."""
    counter = CompileCounter()
    net = network(Mapped(sign), Mapped(sign)).train()
    step = torch.compile(net, backend=counter)
    x = torch.randn(4, 3, 6, 6)
    step(x)
    for _ in range(2):
        look(net.eval())
        net.train()
        step(x)
    assert counter.frame_count == 1
