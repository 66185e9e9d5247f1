"""The smallest trainings that show what a method does: two blocks, three steps an epoch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import Tensor, nn

from bench.data.dataset import Dataset
from bench.data.sources import Digits
from bench.nn.clock import Clock
from bench.nn.coach import Coach
from bench.nn.contract import Estimator
from bench.nn.layers import Layers
from bench.nn.resnet import Order, ResNet
from bench.spec.cell import Binarization, Recipe, Role
from bench.train.model import Model, seed_everything
from bench.train.outcome import Outcome
from bench.train.snapshot import Snapshot
from bench.train.trainer import train

STEPS = 3  # of an epoch
BATCH = 16
DATA_SEED = 3


class TwoBlocks(ResNet):
    """
    A block of equal shapes, and one of stride 2.

    BatchNorm follows each product: behind a ReLU sums that are 0 but for rounding would open its
    gate at random.
    """

    blocks = (1, 1)

    width: int = 4
    order: Order = "bn_hardtanh"


class InDouble(nn.Module):
    """A network in float64, for images in float32."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.double()
        self.stages = tuple(f"net.{name}" for name in getattr(net, "stages", ()))

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images.double())


@dataclass(frozen=True)
class Sample:
    """A network, its clock, what stands beside it, and what it learns from."""

    net: nn.Module
    clock: Clock
    coach: Coach
    teacher: nn.Module
    recipe: Recipe

    def train(
        self,
        *,
        compiled: bool = False,
        resume: Snapshot | None = None,
        keep: Callable[[Snapshot], None] | None = None,
    ) -> Outcome:
        """
        Train it.

        Args:
            compiled: through `torch.compile`.
            resume: go on from there.
            keep: is given what stands before each step.
        """
        return train(
            self.net,
            self.clock,
            load_digits(),
            self.recipe,
            DATA_SEED,
            coach=self.coach,
            teacher=self.teacher,
            compiled=compiled,
            resume=resume,
            checkpointer=_Keeper(keep) if keep else None,
        )


class _Keeper:
    """A checkpointer that is asked for every snapshot and never stops."""

    def __init__(self, take: Callable[[Snapshot], None]) -> None:
        self.take = take

    def keep(self, snapshot: Snapshot) -> None:
        self.take(snapshot)

    def due(self) -> bool:
        return True

    def stopping(self) -> bool:
        return False


@cache
def load_digits() -> Dataset:
    """Load three batches of digits to train on."""
    return Digits(train=STEPS * BATCH, test=20).load(Path("nowhere"))


def make_sample(
    estimator: Estimator, *, seed: int = 0, epochs: int = 2, double: bool = False
) -> Sample:
    """
    Build what an estimator trains, in float32 unless `double`; the teacher is always the same.

    All global generators are seeded.
    """
    data, options = load_digits(), Binarization.model_validate(estimator.fixes)
    seed_everything(0)
    teacher = TwoBlocks().build(data.num_classes, data.shape[0], Layers(None, options))
    seed_everything(seed)
    clock = Clock()

    def binarizer(role: Role, shape: tuple[int, ...]) -> nn.Module:
        return estimator.binarizer(role, shape, clock, options.sign0)

    layers = Layers(binarizer, options, estimator.conv, estimator.linear)
    net: nn.Module = TwoBlocks().build(data.num_classes, data.shape[0], layers)
    if double:
        net, teacher = InDouble(net), InDouble(teacher)
    recipe = Recipe(epochs=epochs, batch_size=BATCH, lr=0.01, indicators="off")
    coach = Model(net, clock, estimator).coach(recipe)
    return Sample(net, clock, coach.double() if double else coach, teacher, recipe)
