"""e and s: three definitions over what a record stores, for weights and activations."""

import math
import sys

import pytest
from samples import record

from bench.errors import UsageError
from bench.leaderboard import per_layer
from bench.leaderboard.stats.intervals import Estimate, estimate
from bench.results.equilibrium import indicators, observed_layers, series
from bench.results.record import LayerIndicators, Record
from bench.spec.choices import Definition


def layer(name: str, role: str, scale: float) -> LayerIndicators:
    """Two epochs of a layer of four values, each figure a different number."""
    return LayerIndicators.model_validate(
        {
            "layer": name, "role": role, "n": [4, 4], "zeros": [0, 1], "n_grad": 4,
            "grad_mean_last": [9, 9], "grad_var_last": [scale * 10, scale * 20],
            "grad_mean": [2, 4], "grad_var": [scale * 1, scale * 2],
            "error_now_used": [scale * 6, scale * 4], "error_now_pure": [0, 0],
            "error_end_used": [0, 0], "error_end_pure": [scale * 5, scale * 3],
            "knob": [1.0, 1.5],
        }
    )  # fmt: skip


def observed() -> Record:
    layers = [layer("a", "W", 1), layer("b", "W", 3), layer("a", "A", 100)]
    return record(indicators=layers)


@pytest.mark.parametrize(
    ("definition", "e", "s"),
    [
        # means over two layers and two epochs: e (6+4+18+12)/4, s (1+2+3+6)/4
        ("paper", 10.0, 3.0),
        # sums over layers: e 4 + 12 at the mean over epochs, s (10+20) + (30+60) over epochs
        ("code", 16.0, 120.0),
        # e over √4; s of the last step over its (mean|g|)²: (10 + 20 + 30 + 60)/9²/4
        ("scale_free", 5.0, 120 / 81 / 4),
    ],
)
def test_definitions_by_hand(definition: Definition, e: float, s: float) -> None:
    """Each definition is what its docstring says, over latent weights."""
    assert indicators(observed(), definition) == pytest.approx((e, s))


def test_weights_and_activations_are_apart() -> None:
    """Role A has its own layers, per epoch; a role without layers has no indicators."""
    (name, found), *rest = observed_layers(observed(), "A")

    assert (name, rest) == ("a", [])
    assert series(found, "paper") == ([600, 400], [100, 200])
    assert indicators(observed(), "paper", "A") == pytest.approx((500, 150))
    assert indicators(record(), "paper", "A") is None


def test_a_gradient_that_vanished_has_no_spread() -> None:
    """var/mean² of a gradient that is 0 everywhere counts as 0, not as an error."""
    dead = layer("a", "W", 1).model_copy(update={"grad_mean_last": [0, 0], "grad_var_last": [0, 0]})

    assert series(dead, "scale_free")[1] == [0, 0]


@pytest.mark.parametrize("definition", ["paper", "code", "scale_free"])
def test_what_stood_for_infinity_has_a_mean(definition: Definition) -> None:
    """Values that a record cannot hold are the largest it can; so is their mean, never an error."""
    most = [sys.float_info.max] * 2
    names = ("grad_mean_last", "grad_var", "grad_var_last", "error_now_used", "error_end_pure")
    wild = layer("a", "W", 1).model_copy(update=dict.fromkeys(names, most))
    found = indicators(record(indicators=[wild, wild]), definition)

    assert found
    e, s = found
    assert e is not None
    assert math.isfinite(e)
    assert math.isfinite(s)
    assert e >= sys.float_info.max / 2
    assert estimate([most[0], most[0], 0.0]) == Estimate(most[0], most[0], 3)


def test_the_frame_has_a_row_for_each_layer_role_and_epoch() -> None:
    """What a plot needs: layer, role, epoch, e, s, sizes, zeros, knob."""
    frame = per_layer.frame(observed(), "paper")

    assert list(frame.columns) == ["layer", "role", "epoch", "e", "s", "n", "zeros", "knob"]
    assert len(frame) == 3 * 2
    assert frame.iloc[1].to_dict() == {
        "layer": "a", "role": "W", "epoch": 1, "e": 4, "s": 2, "n": 4, "zeros": 1, "knob": 1.5,
    }  # fmt: skip


def test_a_record_without_indicators_says_so() -> None:
    """Full precision, or `indicators: off`: an error that names the cell."""
    with pytest.raises(UsageError, match="has no indicators: no binary layers, or indicators: off"):
        per_layer.frame(record(), "paper")


def with_histograms() -> Record:
    """Four bins over [-1, 1] of epoch 0 of layer a's weights, and a histogram of one value."""
    kept = [
        {"epoch": 0, "quantity": "gradient", "low": -1, "high": 1, "counts": [1, 0, 2, 5]},
        {"epoch": 1, "quantity": "error", "low": 3, "high": 3, "counts": [0, 0, 8, 0]},
    ]
    found = LayerIndicators.model_validate(layer("a", "W", 1).model_dump() | {"histograms": kept})
    return record(indicators=[found, layer("b", "W", 1)])


def test_histograms_have_a_row_for_each_bin() -> None:
    """Edges and counts of every bin, layer by layer; one value is one bin without width."""
    found = per_layer.histograms(with_histograms())
    bins = list(zip(found["low"], found["high"], found["count"], strict=True))

    assert [*found.columns] == ["layer", "role", "epoch", "quantity", "low", "high", "count"]
    assert bins == [(-1, -0.5, 1), (-0.5, 0, 0), (0, 0.5, 2), (0.5, 1, 5), (3, 3, 8)]
    assert set(found["layer"]) == {"a"}
    assert list(found["quantity"]) == ["gradient"] * 4 + ["error"]


def test_no_histograms_say_how_to_get_them() -> None:
    """A record without any: the error names the override that keeps them."""
    with pytest.raises(UsageError, match=r'no histograms; .* "train.histograms=\[0, 9\]"'):
        per_layer.histograms(observed())
    with pytest.raises(UsageError, match="has no indicators"):
        per_layer.histograms(record())


def test_curves_have_a_row_for_each_epoch() -> None:
    """The record's own values; a record from before top-5 has that column empty."""
    curves = {"train_loss": [2.5, 1.25], "test_acc": [0.5, 0.75], "lr": [0.1, 0.05]}
    whole = per_layer.curves(record(curves=curves | {"test_top5": [0.875, 1.0]}))
    old = per_layer.curves(record(curves=curves))

    assert [*whole.columns] == ["epoch", "train_loss", "test_acc", "test_top5", "lr"]
    assert whole.to_csv(index=False).splitlines()[1:] == [
        "0,2.5,0.5,0.875,0.1", "1,1.25,0.75,1.0,0.05",
    ]  # fmt: skip
    assert old.to_csv(index=False).splitlines()[2] == "1,1.25,0.75,,0.05"


def test_a_cell_without_an_epoch_has_no_curves() -> None:
    """A cell that diverged at once: the error gives its reason."""
    gone = record(status="diverged", reason="the training loss is not finite in epoch 0", curves={})
    with pytest.raises(UsageError, match="has no curves: diverged, the training loss is not"):
        per_layer.curves(gone)
