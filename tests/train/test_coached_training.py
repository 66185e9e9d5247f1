"""What stands beside a network while it trains: its calls, its state, its loss, its taps."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from samples import Every
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter

from bench.data.dataset import Tensors
from bench.data.sources import Digits
from bench.errors import UsageError
from bench.nn.clock import Clock
from bench.nn.coach import Coach, Seen
from bench.nn.layers import Layers, binary_layers
from bench.plugin import ResNet
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization, Recipe, Role
from bench.train.observer import Observer
from bench.train.outcome import Outcome
from bench.train.snapshot import Snapshot, SnapshotMismatch
from bench.train.trainer import train
from bench.train.weights import digest

RECIPE = Recipe(epochs=2, batch_size=32, lr=0.1)


class TwoBlocks(ResNet):
    """The smallest net with a block of each kind."""

    blocks = (1, 1)

    width: int = 4


def data() -> Tensors:
    return Digits(train=96, test=60).load(Path("nowhere"))


def network(order: str = "bn_hardtanh", *, real: bool = False) -> tuple[nn.Module, Clock]:
    torch.manual_seed(0)
    clock, plugin = Clock(), ESTIMATORS.build("ede", {})

    def binarizer(role: Role, shape: tuple[int, ...]) -> nn.Module:
        return plugin.binarizer(role, shape, clock, 0)

    backbone = TwoBlocks.model_validate({"order": order})
    layers = Layers(None if real else binarizer, Binarization())
    return backbone.build(10, 1, layers), clock


class Busy(Coach):
    """Uses every hook, keeps a buffer, trains a parameter and draws from torch's generator."""

    taps = frozenset({"preact"})
    flips: Tensor

    def __init__(self, recipe: Recipe, net: nn.Module, calls: list[str] | None = None) -> None:
        super().__init__(recipe)
        self.calls = [] if calls is None else calls
        self.layers = [layer for _, layer in binary_layers(net)]
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.register_buffer("flips", torch.zeros(()))

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        spread = torch.stack([x.var() for x in seen.preact]).mean()
        return F.cross_entropy(logits, labels) + 0.1 * (self.weight - spread) ** 2

    def begin_epoch(self, epoch: int, lr: float) -> None:
        self.calls.append(f"epoch {epoch} {lr:.3g}")

    def before_step(self) -> None:
        self.calls.append("before")
        for layer in self.layers:
            layer.weight.sub_(layer.weight.mean())

    def after_backward(self) -> None:
        self.calls.append("backward")
        for layer in self.layers:
            assert layer.weight.grad is not None
            layer.weight.grad.mul_(1 + 0.1 * torch.rand(()))

    def after_step(self) -> None:
        self.calls.append("step")
        for layer in self.layers:
            self.flips += (layer.weight.abs() > 1).sum()
            layer.weight.clamp_(-1, 1)


def trained(resume: Snapshot | None = None, keeper: Every | None = None) -> Outcome:
    net, clock = network()
    coach = Busy(RECIPE, net)
    return train(net, clock, data(), RECIPE, 3, coach=coach, resume=resume, checkpointer=keeper)


def test_every_hook_is_called_in_order() -> None:
    """An epoch begins, then for every step: before, backward, step."""
    net, clock = network()
    calls: list[str] = []
    train(net, clock, data(), RECIPE, 3, coach=Busy(RECIPE, net, calls))

    assert calls == ["epoch 0 0.1", *["before", "backward", "step"] * 3,
                     "epoch 1 0.05", *["before", "backward", "step"] * 3]  # fmt: skip


def test_a_coach_resumes_bit_for_bit() -> None:
    """Buffers, a parameter, draws: from any snapshot training ends in the same weights."""
    keeper = Every()
    whole = trained(keeper=keeper)

    for snapshot in keeper.snapshots[1::2]:
        again = trained(copy.deepcopy(snapshot))
        assert digest(again.last) == digest(whole.last)
        assert again.curves == whole.curves
    assert {"coach/weight", "coach/flips"} <= keeper.snapshots[0].weights.keys()
    assert not any("coach" in name for name in whole.last)


def test_a_snapshot_without_the_coach_does_not_fit() -> None:
    """One of a training without it is refused before anything is trained."""
    net, clock = network()
    keeper = Every()
    train(net, clock, data(), RECIPE, 3, checkpointer=keeper)

    with pytest.raises(SnapshotMismatch, match="its network does not fit"):
        trained(keeper.snapshots[1])


def test_the_coachs_parameters_train() -> None:
    """They are optimized beside the network's."""
    net, clock = network()
    coach = Busy(RECIPE, net)
    train(net, clock, data(), RECIPE, 3, coach=coach)

    assert coach.weight.item() != 0.5


class Distilled(Coach):
    """A loss of all that can be seen."""

    taps = frozenset({"preact", "stage", "teacher"})

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        assert seen.teacher is not None
        pairs = zip(seen.stage, seen.teacher.stage, strict=True)
        stages = torch.stack([F.mse_loss(ours, theirs) for ours, theirs in pairs]).sum()
        spread = torch.stack([x.square().mean() for x in seen.preact]).sum()
        soft = F.cross_entropy(logits, seen.teacher.logits.softmax(1))
        return soft + 0.01 * (stages + spread)


def with_stages(net: nn.Module) -> nn.Module:
    vars(net)["stages"] = ("3", "4")
    return net


@pytest.mark.slow
def test_taps_compile_into_one_graph() -> None:
    """Preactivations, stages and a teacher: no break, and no recompilation over a schedule."""
    net, clock = network()
    teacher, _ = network(real=True)
    coach = Distilled(RECIPE)
    observer = Observer(with_stages(net), coach, with_stages(teacher).eval())
    counter = CompileCounter()

    def loss_of(images: Tensor, labels: Tensor) -> Tensor:
        return coach.loss(net(images), labels, observer.take(images))

    compiled: Callable[[Tensor, Tensor], Tensor] = torch.compile(
        loss_of, backend=counter, dynamic=False, fullgraph=True
    )
    for step in range(3):
        clock.set(step / 3)
        compiled(torch.randn(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64)).backward()
        net.eval()
        net(torch.randn(4, 1, 8, 8))  # which leaves nothing behind
        net.train()
    torch._dynamo.reset()  # pyright: ignore[reportPrivateUsage]

    assert counter.frame_count == 1
    assert observer.take(torch.randn(4, 1, 8, 8)).preact == ()


@pytest.mark.parametrize("order", ["bn_hardtanh", "relu_bn"])
def test_preactivations_are_before_the_clip(order: str) -> None:
    """What reaches each Hardtanh; in a network without, what reaches each binary layer."""
    net, _ = network(order)
    observer = Observer(net, Busy(RECIPE, net), None)
    net(torch.randn(4, 1, 8, 8))
    seen = observer.take(torch.zeros(0))

    clips = [m for m in net.modules() if isinstance(m, nn.Hardtanh)]
    assert len(seen.preact) == len(clips or binary_layers(net)) > 3


class TwoNumbers(Coach):
    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        return logits.sum(0)[:2]


def test_bad_coaches_are_told_in_one_line() -> None:
    """A loss that is not one number; stages or a teacher that are not there."""
    net, clock = network()
    with pytest.raises(UsageError, match=r"loss of TwoNumbers has the shape \(2,\)"):
        train(net, clock, data(), RECIPE, 3, coach=TwoNumbers(RECIPE))
    with pytest.raises(UsageError, match="Distilled learns from a teacher, and there is none"):
        train(net, clock, data(), RECIPE, 3, coach=Distilled(RECIPE))
