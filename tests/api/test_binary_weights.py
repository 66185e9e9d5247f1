"""The signs and scales of a network: what its binary layers multiply by."""

from typing import Any

import pytest
import torch
from torch import nn

import bench
from bench.errors import UsageError
from bench.nn.clock import Clock
from bench.nn.contract import Estimator
from bench.nn.layers import Layers
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization


def net(estimator: str, **options: Any) -> nn.Sequential:
    """A binary convolution of an estimator, without a bias."""
    clock, asked = Clock(), Binarization.model_validate(options)
    plugin: Estimator = ESTIMATORS.build(estimator, {})
    layers = Layers(
        lambda role, shape: plugin.binarizer(role, shape, clock, 0),
        asked.model_copy(update=plugin.fixes),
        plugin.conv,
        plugin.linear,
    )
    return nn.Sequential(layers.conv(3, 4, 3)).eval()


@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        ("reste", {}),
        ("ste", {"scale": "none"}),
        ("ede", {"scale": "channel", "standardize": "on"}),
        ("dsq", {"scale": "layer", "scale_at": "pre"}),
        ("twn", {}),
    ],
)
def test_the_layer_is_that_of_its_values_and_scale(estimator: str, options: dict[str, Any]) -> None:
    """Inputs of signs times the weights is what the layer computes, wherever its scale stands."""
    torch.manual_seed(0)
    made = net(estimator, **options)
    (weights,) = bench.binary_weights(made).values()
    x = torch.randn(2, 3, 5, 5).sign()
    wanted = torch.nn.functional.conv2d(x, weights.whole, padding=1)

    torch.testing.assert_close(made(x), wanted)
    assert set(weights.values.unique().tolist()) <= {-1, 0, 1}
    assert (weights.scale is None) == (options.get("scale") == "none")


def test_a_product_of_its_own_is_refused() -> None:
    """No weights are said of a layer that multiplies otherwise; a network of none has none."""
    with pytest.raises(UsageError, match=r"`0` is a \w+, whose product is not values times"):
        bench.binary_weights(net("abc_net"))

    assert bench.binary_weights(nn.Linear(2, 2)) == {}
