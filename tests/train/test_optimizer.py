"""Optimizers of recipes and of coaches' groups: who trains how, and what of it is saved."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.nn.clock import Clock
from bench.nn.coach import Coach, Group
from bench.nn.layers import Layers
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization, Recipe, Role
from bench.train.optimizer import NORMS, Mixed, Optimizer, make_optimizer, optimized
from bench.train.weights import to_cpu


class Grouped(Coach):
    """A coach with a parameter of its own and the groups that it is given."""

    def __init__(self, recipe: Recipe, groups: Sequence[Group] = ()) -> None:
        super().__init__(recipe)
        self.own = nn.Parameter(torch.ones(3))
        self.asked = [*groups]

    def groups(self) -> list[Group]:
        return self.asked


def network() -> nn.Module:
    torch.manual_seed(0)
    clock, plugin = Clock(), ESTIMATORS.build("dsq", {})

    def binarizer(role: Role, shape: tuple[int, ...]) -> nn.Module:
        return plugin.binarizer(role, shape, clock, 0)

    layers = Layers(binarizer, Binarization())
    return BACKBONES.build("resnet20", {"width": 2}).build(10, 1, layers)


def recipe(**fields: object) -> Recipe:
    return Recipe.model_validate({"epochs": 4, "lr": 0.1} | fields)


def nets() -> tuple[nn.Sequential, Recipe]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.PReLU(), nn.Linear(4, 3)), recipe()


def flip(p: Tensor, grad: Tensor, state: dict[str, Any], lr: float) -> None:
    """A rule with a tensor, an integer tensor and a number in its state."""
    if not state:
        state |= {"mean": torch.zeros_like(p), "count": torch.zeros_like(p, dtype=torch.int64)}
        state["calls"] = 0
    state["mean"].lerp_(grad, 0.5)
    state["count"] += 1
    state["calls"] += 1
    p -= lr * state["mean"].sign() / state["calls"]


def train(net: nn.Module, optimizer: Optimizer, coach: Grouped | None, steps: range) -> None:
    for i in steps:
        x = torch.randn(6, 4, generator=torch.Generator().manual_seed(i))
        loss = net(x).square().mean()
        loss = loss if coach is None else loss * coach.own.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def test_one_rule_is_one_group_of_torch() -> None:
    """As in the reference, with all parameters in the network's order."""
    net, _ = nets()
    for name, kind in (("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW")):
        optimizer = make_optimizer(net, recipe(optimizer=name))
        assert type(optimizer).__name__ == kind
        assert len(optimizer.param_groups) == 1
        assert optimizer.param_groups[0]["fused"]
        assert all(a is b for a, b in zip(optimized(optimizer), net.parameters(), strict=True))


def test_nesterov_is_torchs() -> None:
    """The recipe says it, the group has it."""
    net, _ = nets()

    assert make_optimizer(net, recipe(nesterov="on")).param_groups[0]["nesterov"]


def test_weight_decay_is_by_kind() -> None:
    """Each kind alone is found where it is: latents, weights, biases, norms, and all else."""
    net = network()
    numbers = {p: name for name, p in net.named_parameters()}
    found: dict[str, list[str]] = {}
    for kind in ("latent", "weight", "bias", "norm", "other"):
        decayed, free = make_optimizer(net, recipe(no_decay=kind)).param_groups
        assert (decayed["weight_decay"], free["weight_decay"]) == (1e-4, 0)
        found[kind] = [numbers[p] for p in free["params"]]

    assert sum(map(len, found.values())) == len(numbers)
    assert len(found["latent"]) == 18
    assert all(name.endswith("weight") for name in found["latent"] + found["weight"])
    assert len(found["weight"]) == 2  # stem and head
    assert all(name.endswith("bias") for name in found["bias"])
    assert len(found["norm"]) == 2 * sum(isinstance(m, NORMS) for m in net.modules())
    assert {name.rsplit(".", 1)[1] for name in found["other"]} == {"learned"}


def test_decay_of_one_kind_alone() -> None:
    """A parameter without decay moves by its gradient alone."""
    net, _ = nets()
    start = copy.deepcopy(net.state_dict())
    optimizer = make_optimizer(net, recipe(weight_decay=0.5, no_decay=["norm", "bias", "other"]))
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()

    moved = {name for name, p in net.named_parameters() if not torch.equal(p, start[name])}
    assert moved == {"0.weight", "3.weight"}


def test_the_coachs_parameters_follow_the_networks() -> None:
    """Without groups they train by the recipe, in the one group there is."""
    net, plain = nets()
    coach = Grouped(plain)
    (group,) = make_optimizer(net, plain, coach).param_groups

    assert group["params"][-1] is coach.own
    assert len(group["params"]) == len(list(net.parameters())) + 1


def test_groups_of_one_rule_stay_one_optimizer() -> None:
    """A factor or a decay of its own makes a group, and `sgd` is what the recipe says anyway."""
    net, plain = nets()
    coach = Grouped(
        plain,
        [Group([net[0].weight], factor=10, weight_decay=0.0, rule="sgd")],  # type: ignore[list-item]
    )
    optimizer = make_optimizer(net, plain, coach)

    assert isinstance(optimizer, torch.optim.SGD)
    assert [(g["factor"], g["weight_decay"]) for g in optimizer.param_groups] == [
        (1, 1e-4),
        (10, 0),
    ]
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.1, 1.0])


@pytest.mark.parametrize("base", ["sgd", "adam", "adamw"])
def test_mixed_rules_go_on_from_their_state(base: str) -> None:
    """Saved in the middle and loaded into new ones, they end where uninterrupted ones do."""
    ends: list[list[Tensor]] = []
    for stops in ([8], [3, 8]):
        net, _ = nets()
        plain = recipe(optimizer=base)
        coach = Grouped(plain)
        coach.asked = [
            Group([net[0].weight], rule=flip, factor=0.5),  # type: ignore[list-item]
            Group([coach.own], rule="adam", factor=0.1),
        ]
        optimizer, first = make_optimizer(net, plain, coach), 0
        for stop in stops:
            train(net, optimizer, coach, range(first, stop))
            first, saved = stop, optimizer.state_dict()["state"]
            kept = {i: {k: to_cpu(v) for k, v in one.items()} for i, one in saved.items()}
            optimizer = make_optimizer(net, plain, coach)
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": kept, "param_groups": groups})
        assert isinstance(optimizer, Mixed)
        ends.append([p.detach().clone() for p in optimized(optimizer)])

    assert len(ends[0]) == len(list(nets()[0].parameters())) + 1
    assert all(torch.equal(a, b) and bool(a.isfinite().all()) for a, b in zip(*ends, strict=True))


def test_a_state_is_numbered_over_all_groups() -> None:
    """As `optimized` lists the parameters, so that a snapshot can compare shapes."""
    net, plain = nets()
    coach = Grouped(plain, [Group([net[0].weight], rule=flip)])  # type: ignore[list-item]
    optimizer = make_optimizer(net, plain, coach)
    train(net, optimizer, coach, range(1))
    state = optimizer.state_dict()["state"]
    parameters = optimized(optimizer)

    assert sorted(state) == list(range(len(parameters)))
    assert all(
        v.shape == parameters[i].shape
        for i, one in state.items()
        for v in one.values()
        if isinstance(v, Tensor)
    )
    assert state[len(parameters) - 1]["count"].dtype == torch.int64


def test_a_rule_is_given_the_rate_of_its_group() -> None:
    """The trainer sets "lr" of each group, its factor included."""
    seen: list[float] = []
    net, plain = nets()
    coach = Grouped(plain)
    coach.asked = [Group([coach.own], factor=3, rule=lambda _p, _g, _s, lr: seen.append(lr))]
    optimizer = make_optimizer(net, plain, coach)
    for group in optimizer.param_groups:
        group["lr"] = 0.5 * group["factor"]
    train(net, optimizer, coach, range(1))

    assert seen == [1.5]


def test_a_parameter_is_in_one_group_and_somebodys() -> None:
    """Twice, or of neither network nor coach: a line that says so."""
    net, plain = nets()
    weight = net[3].weight
    assert isinstance(weight, nn.Parameter)
    twice = Grouped(plain, [Group([weight]), Group([weight])])
    with pytest.raises(
        UsageError, match=r"group 2 .* \(3, 4\) that is there twice; give it to one"
    ):
        make_optimizer(net, plain, twice)
    stranger = Grouped(plain, [Group([nn.Parameter(torch.ones(2))])])
    with pytest.raises(UsageError, match=r"\(2,\) that is neither the network's nor the coach's"):
        make_optimizer(net, plain, stranger)
