"""Every reported row trains by the protocol that it was reported under, epoch by epoch."""

import math
from functools import cache

import pytest
import torch

from bench.data.dataset import Tensors, Transform
from bench.planning.axes import BackboneConfig
from bench.planning.resolved_suite import resolve
from bench.registry import ESTIMATORS
from bench.spec.cell import Recipe
from bench.spec.suite import Suite
from bench.spec.suite_file import find_suite
from bench.train.learning_rate import epoch_progress, learning_rate


@cache
def resolved(name: str) -> tuple[Suite, dict[str, BackboneConfig]]:
    """A shipped suite and its backbones; no data is needed."""
    from pathlib import Path

    found = resolve(find_suite(Path(name)))
    return found.suite, found.axes.backbones


@pytest.mark.parametrize(
    ("suite", "backbone", "epochs", "batch", "warmup"),
    [
        ("table1", "resnet20", 1000, 256, 5),
        ("table1", "resnet20_bireal", 1000, 256, 5),
        ("table1", "vgg_small", 1000, 256, 5),
        ("table1", "resnet18", 2000, 96, 5),
        ("table2", "resnet18", 250, 750, 0),
        ("table2", "resnet34", 250, 750, 0),
        ("table3", "resnet20", 1000, 256, 5),
        ("appendix-table2", "resnet20", 1000, 256, 5),
        ("appendix-table3", "resnet20", 1000, 256, 5),
        ("readme", "resnet18", 2000, 96, 5),
        ("readme", "resnet18_imagenet", 250, 750, 0),
        ("readme", "resnet18_imagenet_200_750", 200, 750, 0),
        ("readme", "resnet18_imagenet_200_512", 200, 512, 0),
        ("readme", "resnet18_imagenet_150_512", 150, 512, 0),
        ("readme", "resnet34_imagenet", 250, 750, 0),
    ],
)
def test_recipes(suite: str, backbone: str, epochs: int, batch: int, warmup: int) -> None:
    """SGD at 0.1, momentum 0.9, decay 1e-4, the released cosine; epochs and batch of the row."""
    recipe = resolved(suite)[1][backbone].recipe

    assert (recipe.epochs, recipe.batch_size, recipe.warmup) == (epochs, batch, warmup)
    assert (recipe.optimizer, recipe.lr, recipe.momentum, recipe.weight_decay) == (
        "sgd", 0.1, 0.9, 1e-4,
    )  # fmt: skip
    assert recipe.lr_rule == "reference"


@pytest.mark.parametrize(("images", "batch", "steps", "last"), [
    (50_000, 256, 196, 80), (50_000, 96, 521, 80), (1_281_167, 750, 1709, 167),
])  # fmt: skip
def test_steps_per_epoch(images: int, batch: int, steps: int, last: int) -> None:
    """No drop_last: the last batch of an epoch holds what is left; counted in a real epoch."""
    pixels = torch.zeros(images, 1, 1, 1, dtype=torch.uint8)
    split = pixels, torch.zeros(images, dtype=torch.int64)
    data = Tensors("counted", split, split, 1, Transform((0.0,), (1.0,)))
    sizes = [len(labels) for _, labels in data.epoch(batch, torch.Generator())]

    assert (len(sizes), sizes[-1]) == (steps, last)
    assert set(sizes[:-1]) == {batch}


def test_imagenet_crops_as_released() -> None:
    """`reference` crops by an area of up to 1.25, which a draw can exceed and is then redrawn."""
    net = resolved("table2")[1]["resnet18"]

    assert net.data.name == "imagenet"
    assert tuple(net.data.plugin.crop_area) == (0.08, 1.25)


def recipe(epochs: int, warmup: int) -> Recipe:
    return Recipe(epochs=epochs, warmup=warmup)


@pytest.mark.parametrize("epochs", [150, 200, 250])
def test_learning_rate_without_warmup(epochs: int) -> None:
    """0.05 (1 + cos(πe/E)), at every epoch."""
    for e in range(epochs):
        expected = 0.05 * (1 + math.cos(math.pi * e / epochs))
        assert learning_rate(recipe(epochs, 0), e) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("epochs", [1000, 2000])
def test_learning_rate_with_warmup(epochs: int) -> None:
    """Five steps of 0.02, then 0.1 (1 + cos(π(e-8)/(E-4))) / (1 + cos(4π/(E-4)))."""
    for e in range(epochs):
        wave = 1 + math.cos(math.pi * (e - 8) / (epochs - 4))
        late = 0.1 * wave / (1 + math.cos(4 * math.pi / (epochs - 4)))
        expected = 0.02 * (e + 1) if e < 5 else late
        assert learning_rate(recipe(epochs, 5), e) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("epochs", "warmup", "e", "rate", "digits"),
    [
        (250, 0, 249, 3.948e-6, 5e-10),
        (1000, 5, 5, 0.10000174, 5e-9),
        (1000, 5, 8, 0.10000398, 5e-9),
        (1000, 5, 500, 0.0509482, 5e-8),
        (1000, 5, 998, 8.95e-6, 5e-9),
        (1000, 5, 999, 6.22e-6, 5e-9),
        (2000, 5, 1000, 0.0504727, 5e-8),
        (2000, 5, 1999, 1.55e-6, 5e-9),
    ],
)
def test_learning_rates_as_logged(
    epochs: int, warmup: int, e: int, rate: float, digits: float
) -> None:
    """The released training's own values, to the digits that are known."""
    assert learning_rate(recipe(epochs, warmup), e) == pytest.approx(rate, abs=digits)


@pytest.mark.parametrize(
    ("epochs", "at", "values", "mean"),
    [
        (250, (0, 62, 125, 187, 249), (1, 1.1499, 1.5858, 2.2288, 2.98743), 1.7228),
        (1000, (0, 250, 500, 750, 999), (1, 1.1522, 1.5858, 2.2346, 2.99686), 1.7258),
        (2000, (0, 500, 1000, 1500, 1999), (1, 1.1522, 1.5858, 2.2346, 2.99843), 1.7263),
    ],
)
def test_o_of_reste(
    epochs: int, at: tuple[int, ...], values: tuple[float, ...], mean: float
) -> None:
    """o(e) = 1 + (1 - cos(πe/2E)) (o_end - 1) at o_end = 3, which it never reaches."""
    reste = ESTIMATORS.build("reste", {})
    path = [reste.path(e / epochs) for e in range(epochs)]  # pyright: ignore

    assert [path[e] for e in at] == pytest.approx(values, abs=6e-5)
    assert sum(path) / epochs == pytest.approx(mean, abs=6e-5)


def test_progress_may_reach_the_end() -> None:
    """e/E stops short of the knob's end, e/(E-1) reaches it; one epoch stands at the start."""
    short, whole = Recipe(epochs=10), Recipe(epochs=10, progress="e/(E-1)")

    assert [epoch_progress(short, e) for e in (0, 9)] == [0, 0.9]
    assert [epoch_progress(whole, e) for e in (0, 9)] == [0, 1]
    assert epoch_progress(Recipe(epochs=1, progress="e/(E-1)"), 0) == 0


@pytest.mark.parametrize(
    ("name", "role", "values"),
    [
        ("fda", "W", (9, 13, 17)),
        ("ede", "W", (0.1, 1.0, 10 ** (-1 + 2 * 999 / 1000))),
        ("rbnn", "W", (0.01, 10**-0.5, 10 ** (-2 + 3 * 999 / 1000))),
        ("rbnn", "A", (1, 1, 10 ** (-2 + 3 * 999 / 1000))),
        ("dsq", "W", (0.2, 0.2, 0.2)),
    ],
)
def test_knobs_of_the_others(name: str, role: str, values: tuple[float, ...]) -> None:
    """Knobs at e = 0, T/2, T - 1 of 1000: n = 9 + ⌊9e/T⌋, t log-linear; DSQ learns its own."""
    surrogate = ESTIMATORS.build(name, {})
    path = [surrogate.path(e / 1000, role) for e in (0, 500, 999)]  # pyright: ignore

    assert path == pytest.approx(values, rel=1e-12)
