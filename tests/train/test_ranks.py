"""Several processes that train one cell: they are one process, to rounding, in float64."""

import copy
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from ranks import together
from samples import cell
from torch import Tensor, nn
from torch._dynamo.utils import counters

from bench.data.dataset import Share, Tensors, Transform
from bench.data.sources import Digits
from bench.errors import UsageError
from bench.nn.compiler import compile_step
from bench.nn.joint_norm import join_norms
from bench.nn.layers import binary_layers
from bench.properties.sample_training import Sample, make_sample
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe, Ref
from bench.train.outcome import Outcome
from bench.train.ranks import ALONE, Ranks
from bench.train.sharing import find_obstacle
from bench.train.snapshot import Snapshot
from bench.train.trainer import TrainingStopped, train
from bench.train.weights import State, copy_both, digest

EXACT = 1e-10
TAPPED = 1e-5  # sums of gradients of activations are in float32, whatever the network


@dataclass
class Wish:
    """Asks to stop before a step, and keeps what it is given."""

    at: int | None = None
    asked: int = 0
    kept: Snapshot | None = None

    def due(self) -> bool:
        return False

    def stopping(self) -> bool:
        self.asked += 1
        return self.at is not None and self.asked > self.at

    def keep(self, snapshot: Snapshot) -> None:
        self.kept = snapshot


def sample(name: str, *, double: bool = True) -> Sample:
    """
    Two blocks, every shift of a BatchNorm moved off 0.

    At birth a sum of signs may lie exactly on its mean: rounding would decide a sign, whoever sums.
    """
    made = make_sample(ESTIMATORS.build(name, {}), double=double)
    rng = torch.Generator().manual_seed(1)
    for module in made.net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.bias.data += 0.1 * torch.randn(module.bias.shape, generator=rng)
    return made


def trained(
    made: Sample,
    ranks: Ranks,
    *,
    images: int = 37,
    resume: Snapshot | None = None,
    wish: Wish | None = None,
    **recipe: object,
) -> Outcome:
    """Train on batches of 16, the last of which is smaller; indicators on."""
    said = {"epochs": 1, "batch_size": 16, "lr": 0.01, "histograms": (0,)} | recipe
    with mock.patch("bench.train.trainer.EVAL_BATCH", 50):  # seven batches, for several processes
        return train(
            made.net,
            made.clock,
            Digits(train=images, test=340).load(Path("nowhere")),
            Recipe.model_validate(said),
            3,
            coach=made.coach,
            teacher=made.teacher,
            resume=resume,
            checkpointer=wish,
            ranks=ranks,
        )


def apart(one: State, other: State) -> float:
    """The largest difference, relative to a tensor's largest number or a thousandth."""
    pairs = [(one[name].double(), other[name].double()) for name in one if one[name].numel()]
    return max(float((x - y).abs().max() / x.abs().max().clamp(min=1e-3)) for x, y in pairs)


def every_estimator(group: Ranks, names: list[str]) -> dict[str, float]:
    """How far the processes' training is from one process's, by estimator."""
    found: dict[str, float] = {}
    for name in names:
        several, alone = sample(name), sample(name)
        loss = trained(several, group, indicators="off").curves["train_loss"]
        if group.leads:
            curves = trained(alone, ALONE, indicators="off").curves
            assert loss == pytest.approx(curves["train_loss"], rel=EXACT), name
            left = (copy_both(made.net, made.coach) for made in (several, alone))
            found[name] = apart(*left)
    return found


@pytest.mark.slow
def test_two_processes_are_one_with_every_estimator() -> None:
    """Weights and all that methods keep are one process's to 1e-10 after an epoch, or refused."""
    shared = {n: cell(weights=Ref(name=n), activations=Ref(name=n)) for n in ESTIMATORS.names()}
    refused = {name for name, each in shared.items() if find_obstacle(each, 2)}
    found = together(2, every_estimator, sorted(shared.keys() - refused))[0]

    assert refused == {"bwnh", "lcr_bnn", "lq_net", "rad", "rbonn", "rebnn", "slb"}
    assert {name for name, far in found.items() if not far <= EXACT} == set()
    assert len(found) >= 45


def spoilt() -> Sample:
    """A network of which one weight is not finite."""
    made = sample("reste")
    dict(binary_layers(made.net))["net.4.conv1"].weight.data[0, 0, 0, 0] = torch.nan
    return made


def several_ways(group: Ranks) -> dict[str, Any]:
    """What the tests below look at; trained once, for processes take their time to begin."""
    found: dict[str, Any] = {}
    for images in (37, 34):  # the last batch leaves some processes without an image
        made = sample("reste")
        found[f"{images}"] = trained(made, group, images=images), copy_both(made.net, made.coach)
    whole = sample("ede", double=False)
    found["whole"] = digest(trained(whole, group, epochs=2).last)
    wish = Wish(4 if group.rank == group.size - 1 else None)
    with pytest.raises(TrainingStopped) as stopped:
        trained(sample("ede", double=False), group, epochs=2, wish=wish)
    found["stopped"] = stopped.value.epoch, stopped.value.step
    found["snapshot"] = kept = copy.deepcopy(wish.kept)
    resumed = trained(sample("ede", double=False), group, epochs=2, resume=wish.kept)
    found["resumed"] = digest(resumed.last)
    assert kept is not None
    wish = Wish(4)
    with pytest.raises(TrainingStopped):
        trained(sample("ede"), group, epochs=2, wish=wish)
    found["in double"] = wish.kept
    found["diverged"] = trained(spoilt(), group).diverged
    for name in ("lq_net", "bwnh"):
        with pytest.raises(UsageError) as refused:
            trained(sample(name), group)
        found[name] = str(refused.value)
    return found


@pytest.fixture(scope="module", params=[2, 3], ids=["2 processes", "3 processes"])
def ways(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return together(request.param, several_ways)


@pytest.mark.slow
@pytest.mark.parametrize("images", [37, 34])
def test_what_is_measured_is_one_processs(ways: list[dict[str, Any]], images: int) -> None:
    """Weights, curves, indicators and histograms; of a last batch that does not divide, too."""
    alone = sample("reste")
    one = trained(alone, ALONE, images=images)
    several, weights = ways[0][f"{images}"]

    assert apart(copy_both(alone.net, alone.coach), weights) <= EXACT
    for name, curve in one.curves.items():
        assert several.curves[name] == pytest.approx(curve, rel=EXACT)
    for mine, theirs in zip(one.indicators, several.indicators, strict=True):
        lists = mine.model_dump(exclude={"layer", "role", "n_grad", "histograms"})
        for name, values in lists.items():
            assert theirs.model_dump()[name] == pytest.approx(values, rel=TAPPED, abs=1e-9)
        for a, b in zip(mine.histograms, theirs.histograms, strict=True):
            assert (b.low, b.high) == pytest.approx((a.low, a.high), rel=TAPPED)
            assert sum(b.counts) == sum(a.counts)
            off = sum(abs(x - y) for x, y in zip(a.counts, b.counts, strict=True))
            assert off <= 4  # on the edge between two bins


@pytest.mark.slow
def test_one_process_that_is_to_stop_stops_all(ways: list[dict[str, Any]]) -> None:
    """All end before the same step, with one snapshot; what goes on from it has equal bits."""
    assert {way["stopped"] for way in ways} == {(1, 1)}
    assert len({way["whole"] for way in ways} | {way["resumed"] for way in ways}) == 1
    assert len({digest(way["snapshot"].weights) for way in ways}) == 1


@pytest.mark.slow
def test_another_number_of_processes_goes_on(ways: list[dict[str, Any]]) -> None:
    """A snapshot knows nothing of processes: one ends what several began, to 1e-10."""
    whole, rest = sample("ede"), sample("ede")
    trained(whole, ALONE, epochs=2)
    trained(rest, ALONE, epochs=2, resume=ways[0]["in double"])

    assert apart(copy_both(whole.net, whole.coach), copy_both(rest.net, rest.coach)) <= EXACT


@pytest.mark.slow
def test_all_name_the_same_culprit(ways: list[dict[str, Any]]) -> None:
    """Every process says which layer spoilt the training, though one may have seen it alone."""
    assert {way["diverged"] for way in ways} == {trained(spoilt(), ALONE).diverged}
    assert "is the first layer whose output is not finite, at step" in ways[0]["diverged"]


@pytest.mark.slow
def test_who_looks_at_a_batch_as_a_whole_is_found_out(ways: list[dict[str, Any]]) -> None:
    """Where processes come apart, declared or not, all of them stop after the first step."""
    for way, name in itertools.product(ways, ("lq_net", "bwnh")):
        assert "are not the same after step 1 of epoch 1" in way[name]


def compiled_step(group: Ranks) -> tuple[float, int, int]:
    """How far a compiled step's gradients are from one process's; graphs, and breaks of them."""
    torch.manual_seed(0)
    parts = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Hardtanh(), nn.Flatten()
    net = nn.Sequential(*parts, nn.Linear(256, 10))
    whole = copy.deepcopy(net)
    x, y = torch.randn(16, 1, 8, 8), torch.randint(0, 10, (16,))
    F.cross_entropy(whole(x), y).backward()
    join_norms(net)
    mine = group.share.rows(16)
    step = compile_step(lambda a, b: F.cross_entropy(net(a), b), torch.device("cpu"), alone=False)
    group.backward(step(x[mine], y[mine]), 0.5, (net,))
    grads = [(p.grad, q.grad) for p, q in zip(net.parameters(), whole.parameters(), strict=True)]
    far = max(float((p - q).abs().max()) for p, q in grads if p is not None and q is not None)
    return far, counters["stats"]["unique_graphs"], len(counters["graph_break"])


@pytest.mark.slow
def test_a_compiled_step_has_its_sums_in_one_graph() -> None:
    """Sums over processes are within the graph; gradients are those of one eager process."""
    for far, graphs, breaks in together(2, compiled_step):
        assert far < 1e-6
        assert (graphs, breaks) == (1, 0)


def test_too_many_processes_and_who_needs_whole_batches_are_refused() -> None:
    """More processes than images, and an estimator whose base says so."""
    few = cell(recipe=Recipe(epochs=1, batch_size=2))
    built_on = cell(weights=Ref(name="rbonn"))

    assert find_obstacle(few, 2) == ""
    assert find_obstacle(few, 3) == "its batches have 2 images"
    assert "rebnn looks at a batch as a whole" in find_obstacle(built_on, 2)
    assert find_obstacle(built_on, 1) == ""


@pytest.mark.parametrize("n", [0, 1, 2, 5, 16, 97])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_shares_are_all_of_it(n: int, size: int) -> None:
    """Every row and every batch of a split is one process's; the first sees the first two."""
    shares = [Share(rank, size) for rank in range(size)]

    assert [i for share in shares for i in range(n)[share.rows(n)]] == [*range(n)]
    assert [i for share in shares for i in range(n)[share.batches(n)]] == [*range(n)]
    assert [*range(n)][shares[0].batches(n)][:2] == [*range(n)][:2]


def test_draws_are_those_of_one_process() -> None:
    """Each process's images are its rows of what one process would have, crops and flips alike."""
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(256, (21, 3, 6, 6), generator=rng, dtype=torch.uint8)
    split = images, torch.arange(21)
    whole = Tensors("noise", split, split, 21, Transform((0.5,) * 3, (0.25,) * 3, pad=2, flip=True))

    def epoch(data: Tensors) -> list[tuple[Tensor, Tensor]]:
        return [*data.epoch(8, torch.Generator().manual_seed(1))]

    parts = [epoch(whole.shared(Share(rank, 3))) for rank in range(3)]
    for step, (x, y) in enumerate(epoch(whole)):
        assert torch.equal(torch.cat([part[step][0] for part in parts]), x)
        assert torch.equal(torch.cat([part[step][1] for part in parts]), y)


class OwnNorm(nn.BatchNorm2d):
    """A norm that nobody has joined."""


def test_a_norm_that_cannot_be_joined_is_refused() -> None:
    """A BatchNorm of another kind is named, and where it is."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), OwnNorm(4))

    with pytest.raises(UsageError, match="1 is a OwnNorm, which several processes cannot"):
        join_norms(net)
