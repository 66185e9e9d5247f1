"""Equal Bits against numbers of its released code."""

import math

import torch

from bench.registry import ESTIMATORS
from tests.oracle import cases, close, given, make_layer, run_weights


def test_halves_of_filters() -> None:
    """The halves and the straight gradient, which is the scale's multiple here."""
    (case,) = cases("equal_bits")
    layer = make_layer(ESTIMATORS.build("equal_bits", {}), given("weight"))
    ran = run_weights(layer, given("upstream_w"))
    scale = math.sqrt(2 / 27)

    close(ran.results["effective_weight"] / scale, case, "value")
    close((ran.results["grad_weight"] / scale).float(), case, "grad")  # as the source has it


def test_equal_weights() -> None:
    """Of equal weights the last are +1: half of a constant filter, the larger of an odd one."""
    layer = make_layer(ESTIMATORS.build("equal_bits", {}), torch.zeros(2, 1, 3, 3))
    signs, _ = layer.W(layer.weight)

    assert signs.flatten(1).tolist() == [[-1] * 4 + [1] * 5] * 2
