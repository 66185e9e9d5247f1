"""Our reading of BWNH: its minimum, its turns, and what a layer is before and after."""

from typing import Any

import pytest
import torch
from torch import nn

from bench.errors import PluginError
from bench.nn.clock import Clock
from bench.nn.layers import Layers
from bench.plugin import BinaryConv2d, Recipe
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization
from tests.oracle import given, make_layer, run_layer, run_weights

BWNH: Any = ESTIMATORS.build("bwnh", {"images": 2})


def layer_that_has_seen(**params: object) -> BinaryConv2d:
    layer = make_layer(ESTIMATORS.build("bwnh", {"images": 2} | params), given("weight"))
    layer(given("input"))
    return layer


def test_before_its_turn() -> None:
    """Real weights train; evaluation has signs with the mean |w| of each filter."""
    layer = make_layer(BWNH, given("weight"))
    ran = run_weights(layer, given("upstream_w"))
    w = given("weight")

    assert torch.equal(ran.results["effective_weight"], w)
    assert torch.equal(ran.results["grad_weight"], given("upstream_w"))
    binary = w.abs().mean((1, 2, 3), keepdim=True) * w.sign()
    torch.testing.assert_close(layer.eval().W(layer.weight), binary)


def test_inputs_that_it_sees() -> None:
    """The moment is a tenth of that of all places of the images, in the order of the weights."""
    layer, x, w = layer_that_has_seen(), given("input"), given("weight")
    moment = layer.W.get_buffer("moment") / 0.1
    y = nn.functional.conv2d(x, w, padding=1)

    torch.testing.assert_close(
        torch.einsum("fi,ij,fj->f", w.flatten(1), moment, w.flatten(1)),
        y.square().mean((0, 2, 3)),
    )


def test_after_its_turn() -> None:
    """One scale a filter, no gradient, and outputs nearer to the real ones than BWN's."""
    layer, w = layer_that_has_seen(), given("weight")
    y = nn.functional.conv2d(given("input"), w, padding=1)
    bwn = layer.eval()(given("input"))
    coach = BWNH.coach(layer, Clock(), Recipe(epochs=2))
    coach.begin_epoch(0, 0.1)
    assert layer.W.get_buffer("done") == 0
    coach.begin_epoch(1, 0.1)
    ran = run_layer(layer.train(), given("input"), given("upstream"))
    fixed = ran.results["effective_weight"]

    assert all(f.abs().unique().numel() == 1 for f in fixed)
    assert ran.results["grad_weight"].abs().sum() == 0
    for f in range(4):
        better, worse = (z[:, f] - y[:, f] for z in (ran.results["output"], bwn))
        assert better.square().sum() < worse.square().sum()
    with torch.no_grad():
        layer.weight.mul_(2)
    coach.begin_epoch(1, 0.1)  # of a resumed training
    assert torch.equal(layer.W(layer.weight), fixed)


def test_more_sweeps_are_no_worse() -> None:
    """Neither a bit nor a scale is changed but for the better."""
    layer, w = layer_that_has_seen(), given("weight").flatten(1)
    moment = layer.W.get_buffer("moment").clone()
    errors: list[float] = []
    for sweeps in (1, 2, 5):
        other: Any = layer_that_has_seen(sweeps=sweeps).W
        other.turn(given("weight"))
        off = w - other.fixed.flatten(1)
        errors.append(((off @ moment) * off).sum().item())

    assert errors == sorted(errors, reverse=True)


def test_turns() -> None:
    """Layers have their turn in order, evenly over the first half of the epochs."""
    layers = [layer_that_has_seen() for _ in range(4)]
    coach = BWNH.coach(nn.Sequential(*layers), Clock(), Recipe(epochs=8))
    counts: list[int] = []
    for epoch in range(8):
        coach.begin_epoch(epoch, 0.1)
        counts.append(sum(int(layer.W.get_buffer("done")) for layer in layers))

    assert counts == [0, 1, 2, 3, 4, 4, 4, 4]


@pytest.mark.parametrize(("until", "epochs"), [(0.95, 10), (1.0, 10), (1.0, 2), (0.9, 4)])
def test_no_layer_is_left_over(until: float, epochs: int) -> None:
    """However late the last turn, the last epoch starts with all of them done."""
    layers = [layer_that_has_seen() for _ in range(18)]
    plugin = ESTIMATORS.build("bwnh", {"until": until})
    coach: Any = plugin.coach(nn.Sequential(*layers), Clock(), Recipe(epochs=epochs))  # type: ignore[attr-defined]
    for epoch in range(epochs):
        coach.begin_epoch(epoch, 0.1)

    assert all(layer.W.get_buffer("done") for layer in layers)


def test_nothing_seen() -> None:
    """Without inputs, or weights, the scale is the mean |w|, and finite."""
    for weight in (given("weight"), torch.zeros(4, 3, 3, 3, dtype=torch.float64)):
        layer: Any = make_layer(BWNH, weight)
        layer.W.turn(weight)
        wanted = weight.abs().mean((1, 2, 3), keepdim=True) * torch.where(weight < 0, -1.0, 1.0)

        torch.testing.assert_close(layer.W(layer.weight), wanted)


def test_linear() -> None:
    """A linear map sees its inputs, too."""
    layer: Any = BWNH.linear(
        8,
        5,
        binarizer=lambda role, shape: BWNH.binarizer(role, shape, Clock(), 0),
        options=Binarization.model_validate(BWNH.fixes),
    )
    layer(given("linear_input").float())
    layer.W.turn(layer.weight)

    assert layer.W.moment.shape == (8, 8)
    assert layer(given("linear_input").float()).isfinite().all()


def test_no_groups() -> None:
    """Inputs of a group are not looked at, so a depthwise convolution is refused in words."""
    layers = Layers(lambda *_: nn.Identity(), Binarization(), conv=BWNH.conv)
    with pytest.raises(PluginError, match="this method's convolution, has no groups"):
        layers.conv(4, 4, 3, groups=4)


def test_stages() -> None:
    """A real network, then the method."""
    first, second = BWNH.stages()

    assert (first.real, second.real) == (True, False)
    assert "our reading" in BWNH.aux
