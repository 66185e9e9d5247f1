"""The training loop: its learning rate, its determinism, its divergence, its indicators."""

import copy
import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exact_curves import TwoBlocks
from samples import Every

from bench.data.dataset import Tensors, Transform
from bench.data.sources import Digits
from bench.nn.backbone import Backbone
from bench.nn.clock import Clock
from bench.nn.coach import Coach
from bench.nn.layers import BinaryConv2d, Layers
from bench.plugin import Surrogate
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization, Recipe
from bench.train.learning_rate import learning_rate
from bench.train.model import Model
from bench.train.outcome import Outcome, Progress
from bench.train.snapshot import Snapshot, SnapshotMismatch
from bench.train.trainer import TrainingStopped, accuracy, train
from bench.train.weights import copy_weights, digest

GOLDEN = Path(__file__).parent.parent / "golden" / "curves.json"


def data(n: int = 96) -> Tensors:
    return Digits(train=n, test=60).load(Path("nowhere"))


def model(
    estimator: str = "ste", width: int = 4, a32: bool = False, backbone: Backbone | None = None
) -> Model:
    torch.manual_seed(0)
    clock, plugin = Clock(), ESTIMATORS.build(estimator, {})

    def binarizer(role: str, shape: tuple[int, ...]) -> torch.nn.Module:
        if role == "A" and a32:
            return torch.nn.Identity()
        return plugin.binarizer("A" if role == "A" else "W", shape, clock, 0)

    backbone = backbone or BACKBONES.build("resnet20", {"width": width})
    net = backbone.build(10, 1, Layers(binarizer, Binarization()))
    return Model(net, clock)


def run(estimator: str = "ste", n: int = 96, a32: bool = False, **recipe: object) -> Outcome:
    built = model(estimator, a32=a32)
    settings: dict[str, object] = {"epochs": 2, "batch_size": 32, "lr": 0.1} | recipe
    return train(built.net, built.clock, data(n), Recipe.model_validate(settings), seed=3)


@pytest.mark.parametrize(
    ("epochs", "e", "lr"),
    [
        (1000, 0, 0.02), (1000, 4, 0.1), (1000, 5, 0.10000174), (1000, 8, 0.10000398),
        (1000, 500, 0.0509482), (1000, 998, 8.95e-6), (1000, 999, 6.22e-6),
        (2000, 1000, 0.0504727), (2000, 1999, 1.55e-6),
    ],
)  # fmt: skip
def test_reference_warmup(epochs: int, e: int, lr: float) -> None:
    """Warm-up 5, then the released cosine that lags four epochs, at the released values."""
    recipe = Recipe(epochs=epochs, warmup=5)

    assert learning_rate(recipe, e) == pytest.approx(lr, rel=2e-3 if lr < 1e-4 else 1e-6)


def test_reference_is_torchs_scheduler() -> None:
    """Without warm-up, and with, the formula is the released scheduler to 1e-9 relative."""
    for warmup, epochs in ((0, 30), (5, 60)):
        recipe = Recipe(epochs=epochs, warmup=warmup)
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
        for group in optimizer.param_groups:
            group["initial_lr"] = 0.1
        lag = max(warmup - 1, 0)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, epochs - lag, last_epoch=-1 - lag
        )
        for e in range(epochs):
            if e < warmup:
                optimizer.param_groups[0]["lr"] = 0.1 * (e + 1) / warmup
            assert learning_rate(recipe, e) == pytest.approx(
                optimizer.param_groups[0]["lr"], rel=1e-9
            )
            optimizer.step()
            if e >= lag:
                scheduler.step()


def test_clean_rule_ends_near_zero() -> None:
    """The clean rule is the cosine over the epochs after warm-up, from lr towards 0."""
    recipe = Recipe(epochs=25, warmup=5, lr_rule="clean")
    rates = [learning_rate(recipe, e) for e in range(25)]

    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates[5] == 0.1
    assert rates[15] == pytest.approx(0.05)
    assert rates[24] < 1e-3


def test_same_seed_same_numbers() -> None:
    """On one machine training is reproducible to the last bit: curves, indicators, weights."""
    first, second = run("reste", histograms=[1]), run("reste", histograms=[1])

    assert first.curves == second.curves
    assert first.indicators == second.indicators
    assert digest(first.last) == digest(second.last)


def test_curves_are_golden() -> None:
    """A refactor leaves these curves alone; a change of numbers says so in CHANGELOG's Numbers."""
    found = {name: run(name).curves["train_loss"] for name in ESTIMATORS_GOLDEN}
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))

    for name, curve in expected.items():
        assert found[name] == pytest.approx(curve, rel=2e-2), name  # other CPUs round otherwise


ESTIMATORS_GOLDEN = ("dsq", "ede", "fda", "rbnn", "reste", "ste")


def test_indicators_change_no_number() -> None:
    """An observer: training with indicators off ends in the same weights."""
    assert digest(run("reste").last) == digest(run("reste", indicators="off").last)
    assert run("reste", indicators="off").indicators == []


def test_compiled_training_is_training() -> None:
    """The compiled step computes the eager step's loss, indicators included, to rounding."""
    built = model("reste", backbone=TwoBlocks())
    recipe = Recipe(epochs=1, batch_size=32)
    eager = run_once(model("reste", backbone=TwoBlocks()), recipe, compiled=False)
    torch._dynamo.config.suppress_errors = False  # pyright: ignore
    compiled = run_once(built, recipe, compiled=True)

    assert compiled.curves["train_loss"] == pytest.approx(eager.curves["train_loss"], rel=0.2)
    assert len(compiled.indicators) == len(eager.indicators) == 8


test_compiled_training_is_training = pytest.mark.slow(test_compiled_training_is_training)


def run_once(built: Model, recipe: Recipe, *, compiled: bool) -> Outcome:
    return train(built.net, built.clock, data(), recipe, seed=3, compiled=compiled)


@pytest.mark.parametrize(
    "settings",
    [{"lr": 1e30}, {"lr": 1e30, "indicators": "off"}, {"lr": 1e30, "histograms": [0, 1]}],
)
def test_divergence_is_an_outcome(settings: dict[str, object]) -> None:
    """A loss or gradient that is not finite ends training; that epoch leaves nothing."""
    outcome = run("ste", 96, False, epochs=3, **settings)

    assert "epoch" in outcome.diverged
    assert len(outcome.curves["test_acc"]) < 3
    assert all(len(x.error_now_used) == len(outcome.curves["lr"]) for x in outcome.indicators)


class Trap(torch.nn.Linear):
    """The identity, until it has seen so many batches."""

    def __init__(self, batches: int) -> None:
        super().__init__(1, 1)
        self.register_buffer("left", torch.tensor(batches))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        self.left -= int(self.training)
        return input if self.left >= 0 else input * math.inf


@pytest.mark.parametrize("begin", [0, 4, 5])
def test_divergence_names_layer_and_step(begin: int) -> None:
    """The first layer whose output was not finite, when the loss first was not; resumed or not."""

    def trapped(resume: Snapshot | None, keeper: Every | None = None) -> Outcome:
        built = model(width=2)
        first, *rest = built.net.children()
        net = torch.nn.Sequential(first, Trap(5), *rest)
        recipe = Recipe(epochs=3, batch_size=32)
        return train(net, built.clock, data(128), recipe, 3, resume=resume, checkpointer=keeper)

    keeper = Every()
    whole = trapped(None, keeper)

    where = "1 (Trap) is the first layer whose output is not finite, at step 2"
    assert whole.diverged == f"the training loss is not finite in epoch 2: {where}"
    assert [(s.epoch, s.step) for s in keeper.snapshots][4:] == [(1, 0), (1, 1)]
    assert outcome_of(trapped(copy.deepcopy(keeper.snapshots[begin]))) == outcome_of(whole)


def test_the_search_for_a_divergence_can_be_stopped() -> None:
    """What it searches is a spoilt epoch: the snapshot from which that began is kept."""
    built = model(width=2)
    first, *rest = built.net.children()
    net = torch.nn.Sequential(first, Trap(6), *rest)
    keeper = Every(stop=9)  # two epochs of four steps, of which the last two are spoilt
    recipe = Recipe(epochs=3, batch_size=32)
    with pytest.raises(TrainingStopped, match="stopped in epoch 2, before step 1"):
        train(net, built.clock, data(128), recipe, 3, checkpointer=keeper)

    assert (keeper.snapshots[-1].epoch, keeper.snapshots[-1].step) == (1, 0)


def test_divergence_may_be_of_the_loss_alone() -> None:
    """Where every output is finite it says so."""
    net = Fixed()
    torch.nn.init.constant_(net.weight, 1e36)
    images = torch.tensor([0, 255, 255, 255], dtype=torch.uint8).view(1, 1, 2, 2)
    split = (images.expand(16, 1, 2, 2), torch.zeros(16, dtype=torch.int64))
    found = Tensors("x", split, split, 4, Transform((0.0,), (1.0,), scale=1))
    recipe = Recipe(epochs=1, batch_size=16, indicators="off")
    reason = train(net, Clock(), found, recipe, 3).diverged

    assert reason.endswith("in epoch 1: at step 1, where every layer's output is")


@pytest.mark.parametrize("estimator", ["ste", "reste", "dsq"])
@pytest.mark.parametrize("a32", [False, True])
def test_indicators_against_autograd(estimator: str, a32: bool) -> None:
    """n, mean and variance of |g| and e of every layer, W and A, as computed by hand."""
    outcome = run(estimator, n=32, a32=a32, epochs=1)  # a single step
    built = model(estimator, a32=a32)
    net = built.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    recipe = Recipe(epochs=1, batch_size=32)
    ((images, labels),) = list(data(32).epoch(32, torch.Generator().manual_seed(3)))
    inputs: dict[str, torch.Tensor] = {}
    layers = {k: m for k, m in net.named_modules() if isinstance(m, BinaryConv2d)}
    for name, layer in layers.items():

        def keep(_: object, args: tuple[torch.Tensor], name: str = name) -> tuple[torch.Tensor]:
            inputs[name] = args[0].clone()
            inputs[name].retain_grad()
            return (inputs[name],)

        layer.register_forward_pre_hook(keep)
    F.cross_entropy(net(images), labels).backward()

    found = {(x.layer, x.role): x for x in outcome.indicators}
    assert len(found) == (18 if a32 else 36)
    for (name, role), seen in found.items():
        g = layers[name].weight.grad if role == "W" else inputs[name].grad
        assert g is not None
        assert seen.n_grad == g.numel()
        assert seen.grad_mean == seen.grad_mean_last
        assert seen.grad_mean[0] == pytest.approx(g.abs().mean().item(), rel=1e-4)
        assert seen.grad_var[0] == pytest.approx(g.abs().var().item(), rel=1e-3)
    assert recipe.epochs == 1


def test_errors_are_of_the_last_weights() -> None:
    """e of the weights is ‖sign(w) - f(w)‖ after the epoch's last update, in four forms."""
    outcome = run("reste", epochs=2)
    f = ESTIMATORS.build("reste", {})
    assert isinstance(f, Surrogate)
    name = outcome.indicators[0].layer
    w = outcome.last[f"{name}.weight"]
    now, end = (torch.tensor(k, dtype=torch.float64) for k in (f.path(0.5), 3.0))
    row = outcome.indicators[0]

    assert row.knob == pytest.approx([1, f.path(0.5)])
    assert row.n[-1] == w.numel()
    forms = {"used": f, "pure": f.pure()}
    for form, g in forms.items():
        for moment, knob in (("now", now), ("end", end)):
            expected = (torch.sign(w) - g.value(w, knob)).norm().item()
            assert getattr(row, f"error_{moment}_{form}")[-1] == pytest.approx(expected, rel=1e-6)


def test_histograms_at_the_epochs_that_are_named() -> None:
    """Histograms count every latent value, gradient and error, at the named epochs alone."""
    outcome = run("ste", epochs=3, histograms=[0, 2])
    rows = {x.role: x for x in outcome.indicators[::18]}

    assert [(h.epoch, h.quantity) for h in rows["W"].histograms] == [
        (0, "gradient"), (0, "error"), (2, "gradient"), (2, "error"),
    ]  # fmt: skip
    assert {h.quantity for h in rows["A"].histograms} == {"error"}
    assert sum(rows["W"].histograms[0].counts) == rows["W"].n[0]


def test_the_best_weights_are_those_of_the_best_epoch() -> None:
    """best_epoch is the first epoch with the highest accuracy, and `best` its weights."""
    outcome = run("ste", epochs=4)
    curve = outcome.curves["test_acc"]
    best = curve.index(max(curve))

    assert outcome.best_epoch == best
    shorter = train_until(best + 1)
    assert digest(outcome.best) == digest(shorter.last)


def train_until(epochs: int) -> Outcome:
    """The same training, stopped early: its schedule is that of four epochs."""
    from bench.train import trainer

    built = model("ste")
    recipe = Recipe(epochs=4, batch_size=32)
    coach = Coach(recipe)
    loop = trainer._Loop(built.net, coach, None, data(), recipe, 3, False, lambda _: None)  # pyright: ignore
    built.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for e in range(epochs):
        built.clock.set(e / 4)
        loop.epoch(e, learning_rate(recipe, e))
        trainer.accuracy(built.net, data())
    return replace(Outcome(), last=copy_weights(built.net))


def test_every_parameter_is_trained() -> None:
    """All parameters, DSQ's α included, are in the optimizer before the first step."""
    from bench.train.optimizer import make_optimizer

    net = model("dsq").net
    for kind in ("sgd", "adamw"):
        groups = make_optimizer(net, Recipe(epochs=1, optimizer=kind)).param_groups
        assert sum(len(g["params"]) for g in groups) == len(list(net.parameters()))


def test_adamw_trains() -> None:
    """AdamW is the other optimizer."""
    assert run("ste", optimizer="adamw", lr=1e-2).diverged == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adam", "lr": 1e-2, "lr_rule": "linear_early", "loss": "squared_hinge"},
        {"nesterov": "on", "label_smoothing": 0.1, "no_decay": ["norm", "bias"]},
        {"lr_rule": "step", "lr_every": 1, "lr_factor": 0.5},
        {"lr_rule": "exponential", "lr_end": 1e-3, "warmup": 1},
    ],
)
def test_options_of_the_recipe_train(fields: dict[str, Any]) -> None:
    """Each alone and together, to the end of two epochs; the curves have the rates of the rule."""
    outcome = run("ste", **fields)
    recipe = Recipe.model_validate({"epochs": 2, "batch_size": 32, "lr": 0.1} | fields)

    assert outcome.diverged == ""
    assert outcome.curves["lr"] == [learning_rate(recipe, e) for e in range(2)]


class Fixed(torch.nn.Module):
    """Logits that stand in the image itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) * self.weight


@pytest.mark.parametrize("classes", [3, 5, 9])
def test_accuracy_is_top_1_and_top_5(classes: int) -> None:
    """Against counting by hand; with at most 5 classes everything is among the top 5."""
    rng = torch.Generator().manual_seed(0)
    images = torch.stack([torch.randperm(classes, generator=rng) for _ in range(40)])
    labels = torch.randint(classes, (40,), generator=rng)
    split = (images.view(40, 1, 1, classes).to(torch.uint8), labels)
    found = Tensors("x", split, split, classes, Transform((0.0,), (1.0,), scale=1))
    ranks = [int((row > row[y]).sum()) for row, y in zip(images, labels, strict=True)]

    top1, top5 = accuracy(Fixed(), found)

    assert top1 == sum(rank == 0 for rank in ranks) / 40
    assert top5 == sum(rank < 5 for rank in ranks) / 40
    assert (top5 == 1) == (classes <= 5)


def test_ties_count_for_both() -> None:
    """Where all logits are equal the top 5 contain whatever is the top 1."""
    split = (torch.zeros(9, 1, 1, 9, dtype=torch.uint8), torch.arange(9))
    found = Tensors("x", split, split, 9, Transform((0.0,), (1.0,)))
    top1, top5 = accuracy(Fixed(), found)

    assert top1 == pytest.approx(1 / 9)
    assert top1 <= top5 <= 6 / 9


def test_top5_is_a_curve() -> None:
    """One value an epoch, never below top-1."""
    curves = run("ste", epochs=2).curves

    assert len(curves["test_top5"]) == 2
    assert all(a <= b <= 1 for a, b in zip(curves["test_acc"], curves["test_top5"], strict=True))


class Dicey(torch.nn.Module):
    """Draws from every global generator, and remembers what it drew outside its state."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("past", torch.zeros(()), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.past += random.random() + np.random.rand() + torch.rand(())  # noqa: NPY002
        return self.net(x) * (1 + 1e-3 * self.past.sin())


@pytest.mark.parametrize(
    ("estimator", "settings"),
    [
        pytest.param(
            "dsq",
            {"histograms": [0, 1], "optimizer": "adamw", "lr": 1e-2},
            marks=pytest.mark.slow,
        ),
        pytest.param("ede", {"epochs": 3, "indicators": "off"}, marks=pytest.mark.slow),
        pytest.param(
            "fda",
            {"a32": True, "momentum": 0.0, "progress": "e/(E-1)"},
            marks=pytest.mark.slow,
        ),
        ("ste", {"lr": 300.0, "epochs": 4}),
    ],
)
def test_resumed_training_is_training(estimator: str, settings: dict[str, Any]) -> None:
    """From before any step training goes on to the same outcome, whoever draws numbers."""
    options: dict[str, Any] = {"epochs": 2, "batch_size": 40, "lr": 0.1} | settings
    a32 = options.pop("a32", False)
    recipe = Recipe.model_validate(options)

    def go_on(resume: Snapshot | None, keeper: Every | None) -> Outcome:
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        built = model(estimator, width=2, a32=a32)
        net = Dicey(built.net)
        return train(net, built.clock, data(), recipe, 3, resume=resume, checkpointer=keeper)

    whole = go_on(None, None)
    keeper = Every()
    kept = go_on(None, keeper)

    assert outcome_of(kept) == outcome_of(whole)
    assert len(keeper.snapshots) >= 6
    for snapshot in keeper.snapshots:
        assert outcome_of(go_on(copy.deepcopy(snapshot), None)) == outcome_of(whole)


class Holed(Tensors):
    """Data of which nothing of every epoch's second batch can be read."""

    def epoch(
        self, size: int, rng: torch.Generator, start: int = 0
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for i, (images, labels) in enumerate(super().epoch(size, rng, start), start):
            keep = 0 if i == 1 else len(labels)
            yield images[:keep], labels[:keep]


def test_a_batch_that_is_empty_is_no_step() -> None:
    """Also of a training that goes on behind it: the outcome is the uninterrupted one."""
    recipe, whole, some = Recipe(epochs=2, batch_size=32), Every(), data()
    holed: Any = Holed(some.label, some.train, some.test, some.num_classes, some.transform)

    def go_on(resume: Snapshot | None, keeper: Every | None = None) -> Outcome:
        built = model(width=2)
        return train(built.net, built.clock, holed, recipe, 3, resume=resume, checkpointer=keeper)

    outcome = outcome_of(go_on(None, whole))

    places = [(s.epoch, s.step, s.empty) for s in whole.snapshots]
    assert places == [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1)]
    for snapshot in whole.snapshots:
        assert outcome_of(go_on(copy.deepcopy(snapshot))) == outcome


MISFITS: dict[str, dict[str, Any]] = {
    "its network": {"weights": {}},
    "its epoch": {"epoch": 9},
    "its optimizer": {"optimizer": {0: {"momentum_buffer": torch.ones(3)}}},
    "its content (IndexError)": {"optimizer": {999: {"momentum_buffer": torch.ones(3)}}},
    "its content (AttributeError)": {"total": None},
    "its content (KeyError)": {"generators": {}},
    "its content (RuntimeError)": {"order": torch.zeros(3, dtype=torch.uint8)},
    "its sum of losses": {"total": torch.tensor(math.nan)},
    "its gradients": {"sums": []},
}
OUTCOMES: dict[str, dict[str, Any]] = {
    "its curves": {"curves": {}},
    "its best epoch": {"best_epoch": 7},
    "its best weights": {"best": {}},
    "its indicators": {"indicators": []},
}


def test_a_snapshot_of_another_training_does_not_fit() -> None:
    """Nothing is trained from it; what is wrong is said."""
    recipe = Recipe(epochs=3, batch_size=48)
    keeper, built = Every(), model(backbone=TwoBlocks())
    train(built.net, built.clock, data(), recipe, 3, checkpointer=keeper)
    good = keeper.snapshots[3]
    changed = {why: replace(good, **change) for why, change in MISFITS.items()}
    for why, change in OUTCOMES.items():
        changed[why] = replace(good, outcome=replace(good.outcome, **change))
    for why, snapshot in changed.items():
        with pytest.raises(SnapshotMismatch) as mismatch:
            train(built.net, built.clock, data(), recipe, 3, resume=copy.deepcopy(snapshot))
        assert str(mismatch.value) == f"{why} does not fit"
        assert (mismatch.value.epoch, mismatch.value.step) == (snapshot.epoch, snapshot.step)


@pytest.mark.parametrize("error", [MemoryError(), torch.AcceleratorError("CUDA error")])
def test_a_machine_that_fails_is_no_mismatch(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory or device may fail while a snapshot is restored, which is not its fault."""
    keeper, built = Every(), model(backbone=TwoBlocks())
    recipe = Recipe(epochs=1, batch_size=48)
    train(built.net, built.clock, data(), recipe, 3, checkpointer=keeper)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("bench.train.snapshot.set_both", fail)
    with pytest.raises(type(error)):
        train(built.net, built.clock, data(), recipe, 3, resume=keeper.snapshots[1])


def outcome_of(outcome: Outcome) -> tuple[object, ...]:
    """All of it but its speed."""
    weights = (digest(outcome.last), digest(outcome.best))
    return outcome.diverged, outcome.curves, outcome.indicators, outcome.best_epoch, weights


def test_training_stops_when_asked() -> None:
    """The step is finished, a snapshot kept, and nothing after it done."""
    keeper, told = Every(stop=5), list[Progress]()
    built = model(width=2)
    recipe = Recipe(epochs=4, batch_size=32)
    with pytest.raises(TrainingStopped, match="stopped in epoch 2, before step 3") as stopped:
        train(built.net, built.clock, data(), recipe, 3, checkpointer=keeper, watch=told.append)

    assert (stopped.value.epoch, stopped.value.step) == (1, 2)
    assert (keeper.snapshots[-1].epoch, keeper.snapshots[-1].step) == (1, 2)
    assert len(keeper.snapshots) == 6
    assert (told[-1].epoch, told[-1].fraction) == (1, 1 / 3)


def test_a_resumed_training_tells_where_it_goes_on() -> None:
    """Before its first step, and it can be stopped there."""
    recipe, keeper, built = Recipe(epochs=1, batch_size=32), Every(), model(width=2)
    train(built.net, built.clock, data(), recipe, 3, checkpointer=keeper)
    told, last, again = list[Progress](), keeper.snapshots[-1], Every(stop=0)
    with pytest.raises(TrainingStopped, match="stopped in epoch 1, before step 3"):
        train(
            built.net, built.clock, data(), recipe, 3,
            watch=told.append, resume=last, checkpointer=again,
        )  # fmt: skip

    assert [(p.epoch, p.fraction) for p in told] == [(0, 2 / 3)]
    assert [(s.epoch, s.step) for s in again.snapshots] == [(0, 2)]


@pytest.mark.slow
def test_compiled_training_is_resumed() -> None:
    """A compiled step goes on to the same bits, too."""
    recipe = Recipe(epochs=2, batch_size=32)

    def go_on(resume: Snapshot | None, keeper: Every | None = None) -> Outcome:
        built = model("reste", backbone=TwoBlocks())
        return train(
            built.net,
            built.clock,
            data(),
            recipe,
            3,
            compiled=True,
            resume=resume,
            checkpointer=keeper,
        )

    keeper = Every()
    whole = go_on(None, keeper)

    assert outcome_of(go_on(copy.deepcopy(keeper.snapshots[4]))) == outcome_of(whole)


@pytest.mark.gpu
def test_resumed_training_is_training_on_a_gpu() -> None:
    """The same on a GPU, whose own generator goes on, too."""
    device = torch.device("cuda")
    recipe = Recipe(epochs=2, batch_size=40, optimizer="adamw", lr=1e-2)

    def go_on(resume: Snapshot | None, keeper: Every | None = None) -> Outcome:
        torch.backends.cudnn.deterministic = True
        built = model("dsq", width=2)
        net = torch.nn.Sequential(built.net, torch.nn.Dropout(0.1)).to(device)
        found = data().to(device)
        return train(net, built.clock, found, recipe, 3, resume=resume, checkpointer=keeper)

    keeper = Every()
    whole = go_on(None, keeper)

    for snapshot in keeper.snapshots:
        assert outcome_of(go_on(copy.deepcopy(snapshot))) == outcome_of(whole)


def test_throughput_of_a_resumed_training() -> None:
    """A process's first epoch warms up: it counts only where there is no other."""
    keeper = Every()
    built = model(width=2)
    train(
        built.net,
        built.clock,
        data(),
        Recipe(epochs=3, batch_size=48),
        3,
        checkpointer=keeper,
    )
    counts = [(s.epoch, s.step, len(s.seconds)) for s in keeper.snapshots]

    assert counts == [(0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1), (2, 0, 2), (2, 1, 2)]
    again = Every()
    built = model(width=2)
    train(
        built.net, built.clock, data(), Recipe(epochs=3, batch_size=48), 3,
        resume=keeper.snapshots[3], checkpointer=again,
    )  # fmt: skip
    assert [len(s.seconds) for s in again.snapshots] == [1, 1, 1]
