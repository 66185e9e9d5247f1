"""Claims about methods where they train: each finds the fault that it is there for."""

import pytest
import torch
from torch import Tensor, nn

from bench.plugin import (
    Clock,
    Coach,
    Group,
    Method,
    Recipe,
    Seen,
    Signs,
    Stage,
    Surrogate,
    clipped_sign,
)
from bench.properties.check import check_estimator
from bench.properties.claim import check_claim
from bench.properties.training_claims import training_claims, trains_its_own_way
from bench.registry import ESTIMATORS


class Plain(Method):
    """Signs of both; nothing is wrong with it."""

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Signs(clipped_sign, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(clipped_sign, zero)


def found(method: Method) -> dict[str, str]:
    """What fails of a method, by claim, without what compiles."""
    return {c.name: c.detail for c in check_estimator(method).checks if not c.ok}


def wrong(method: Method, claim: str) -> str:
    """Why one claim does not hold."""
    check = check_claim(claim, training_claims(quick=False)[claim], method)
    assert not check.ok
    return check.detail


def test_nothing_is_wrong() -> None:
    """A plain method passes; a surrogate without a coach has no such claims."""
    assert found(Plain()) == {}
    assert trains_its_own_way(Plain())
    assert not trains_its_own_way(ESTIMATORS.build("ste", {}))


class LateWeights(nn.Module):
    """Makes its factor in the first forward, when no optimizer asks any more."""

    def __init__(self) -> None:
        super().__init__()
        self.factor: nn.Parameter | None = None

    def forward(self, w: Tensor) -> Tensor:
        if self.factor is None:
            self.factor = nn.Parameter(torch.ones(1))
        return clipped_sign(w) * self.factor


class Late(Plain):
    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return LateWeights()


def test_a_parameter_that_is_made_too_late() -> None:
    """It is named: no optimizer trains it."""
    told = wrong(Late(), "each parameter is in one group")

    assert told.endswith(
        "W.factor is made or replaced after the network is built, so it never trains"
    )


class Greedy(Coach):
    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.all = [*net.parameters()]

    def groups(self) -> list[Group]:
        return [Group(self.all), Group(self.all[:1])]


class Twice(Plain):
    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Greedy(net, recipe)


def test_a_parameter_in_two_groups() -> None:
    """It is told which group has it, and its shape."""
    told = wrong(Twice(), "stages train")

    assert told.startswith("group 2 of the coach has a parameter of shape (4, 1, 3, 3)")


class Vector(Coach):
    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        return logits[:2, 0]


class Raising(Coach):
    def before_step(self) -> None:
        message = "no\nsuch thing"
        raise KeyError(message)


class Coached(Plain):
    """With a coach of a name."""

    which: str

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        kinds: dict[str, type[Coach]] = {"vector": Vector, "raising": Raising}
        return kinds[self.which](recipe)


@pytest.mark.parametrize(
    ("which", "told"),
    [
        ("vector", "the loss of Vector has the shape (2,); it must be one number"),
        ("raising", "raises KeyError: 'no\\nsuch thing'"),
    ],
)
def test_coaches_that_fail(which: str, told: str) -> None:
    """One line says what its loss is, or what it raises."""
    assert wrong(Coached(which=which), "stages train").startswith(told)


class QuarterWeights(nn.Module):
    def forward(self, w: Tensor) -> Tensor:
        return w + (w.sign() * (1 + (w.abs() > 0.1)) - w).detach()


class Quarters(Plain):
    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return QuarterWeights()


def test_more_values_than_bits() -> None:
    """Four levels are not one bit."""
    told = wrong(Quarters(), "evaluation has its bits")

    assert told.startswith("weights of ")
    assert "`bits` says {'W': 1, 'A': 1}" in told


class Counting(Coach):
    """Counts its steps where no snapshot sees it."""

    steps = 0

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        self.steps += 1
        return super().loss(logits, labels, seen) * (1 + 0.1 * self.steps)


class Forgetful(Plain):
    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Counting(recipe)


def test_state_that_no_snapshot_has() -> None:
    """A resumed training shows it, and from where."""
    told = wrong(Forgetful(), "resumed is uninterrupted")

    assert told == "from step 2 of epoch 1: losses or accuracies differ"


class StridedWeights(nn.Module):
    """Takes the numbers as they lie in memory."""

    def forward(self, w: Tensor) -> Tensor:
        lying = w.detach().as_strided(w.shape, torch.empty(w.shape).stride())
        return w + (lying.sign() - w).detach()


class Strided(Plain):
    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return StridedWeights()


def test_weights_in_channels_last_order() -> None:
    """Numbers that are read as they lie are other numbers."""
    told = wrong(Strided(), "channels last is contiguous")

    assert "in channels-last order; reshape, never view" in told


class LogWeights(nn.Module):
    def forward(self, w: Tensor) -> Tensor:
        return clipped_sign(w) * w.abs().mean((1, 2, 3), keepdim=True).log()


class Logarithm(Plain):
    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return LogWeights()


def test_latents_that_spoil_a_step() -> None:
    """The logarithm of a filter of zeros."""
    assert wrong(Logarithm(), "steps stay finite").startswith("latents 0: ")


class Misfit(Plain):
    fixes = {"scales": "none"}


def test_options_that_are_not_there() -> None:
    """What it fixes has to exist; nothing else is asked before."""
    assert found(Misfit()) == {"options it fixes exist": "`scales` is no option of binary layers"}


class Staged(Plain):
    def stages(self) -> tuple[Stage, ...]:
        return (Stage(), Stage({"other": 1}))


def test_stages_that_set_what_is_not_there() -> None:
    """The stage and the name are told."""
    assert found(Staged()) == {"stages train": "stage 2 sets `other`, which is no parameter of it"}


class Impatient(Plain):
    """A number of the schedule that is read while a graph is made."""

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return PWeights(clock)


class PWeights(nn.Module):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def forward(self, w: Tensor) -> Tensor:
        return clipped_sign(w) * (1 + self.clock.p)


@pytest.mark.slow
def test_a_number_that_compiles_again() -> None:
    """A schedule in a Python number is a graph for each of its values."""
    told = wrong(Impatient(), "one graph over its schedule")

    assert told == "3 graphs; a number that changes must be a tensor"


def test_a_surrogate_with_a_coach_is_asked_too() -> None:
    """Whoever overrides a hook trains its own way."""

    class Own(Surrogate):
        def value(self, z: Tensor, knob: Tensor, /) -> Tensor:
            return z

        def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
            return Vector(recipe)

    assert "stages train" in {c.name for c in check_estimator(Own()).checks if not c.ok}
