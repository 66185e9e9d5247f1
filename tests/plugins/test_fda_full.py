"""FDA-BNN against BiBench's re-implementation; its module fades."""

import math
from typing import Any

import pytest
import torch
from oracle import Case, cases, given, make_layer, run_layer
from torch import Tensor, nn

from bench.nn.clock import Clock
from bench.plugin import Recipe
from bench.registry import ESTIMATORS


@pytest.mark.parametrize("case", cases("fda_bnn"), ids=str)
def test_is_the_known_module(case: Case) -> None:
    """Output, effective tensors and gradients at five n, with and without the module, to 1e-9."""
    o = case.options
    noisy = o["noise_adapt"]
    plugin = ESTIMATORS.build("fda_full", {"module": "on" if noisy else "off"})
    layer: Any = make_layer(plugin, given("weight"), p=(o["n"] - 9) / 9)
    for module, width in ((layer.W, 9), (layer.A, 2)):
        module.alpha.fill_(o["alpha"])
        if noisy:
            d = 27 if width == 9 else 3
            made = type(module.noise)(d, width).double()
            made.W1.data = elements(width, d, lambda i: 0.3 * math.cos(0.9 * i))
            made.W2.data = elements(d, width, lambda i: 0.4 * math.sin(0.7 * i + 0.2))
            module.noise = made

    ran = run_layer(layer, given("input"), given("upstream"))

    if noisy:
        for name, module in (("weight", layer.W), ("act", layer.A)):
            for i, matrix in ((1, module.noise.W1), (2, module.noise.W2)):
                ran.results[f"grad_{name}_noise_fc{i}_weight"] = matrix.grad
    ran.check(case)


def elements(rows: int, columns: int, of: object) -> Tensor:
    assert callable(of)
    values = [of(i) for i in range(rows * columns)]
    return torch.tensor(values, dtype=torch.float64).view(rows, columns)


def test_alpha_fades_to_nothing() -> None:
    """α = (1 + cos(π (e + 1)/E))/20 is 0 in the last epoch; only then is all binary."""
    plugin, clock = ESTIMATORS.build("fda_full", {}), Clock()
    layer: Any = make_layer(plugin, given("weight"), clock=clock)
    coach = plugin.coach(nn.ModuleList([layer]), clock, Recipe(epochs=4))
    seen: list[float] = []
    counts: list[int] = []
    for epoch in range(4):
        coach.begin_epoch(epoch, 0.1)
        seen.append(layer.W.alpha.item())
        counts.append(len(layer.A(given("input")).unique()))

    assert seen == pytest.approx([(1 + math.cos(math.pi * (e + 1) / 4)) / 20 for e in range(4)])
    assert seen[-1] == 0
    assert min(counts[:-1]) > 2 == counts[-1]
    assert layer.state_dict()["W.alpha"] == 0


def test_evaluates_with_signs_alone_if_told() -> None:
    """`eval_alpha: 0` is binary in evaluation at any α, `own` is not."""
    for choice, binary in (("own", False), ("0", True)):
        layer: Any = make_layer(
            ESTIMATORS.build("fda_full", {"eval_alpha": choice}), given("weight")
        )
        layer.eval()
        signs, scale = layer.W(layer.weight)

        assert (len(layer.A(given("input")).unique()) == 2) == binary
        assert (len(signs.unique()) == 2) == binary
        torch.testing.assert_close(scale.flatten(), given("weight").abs().mean((1, 2, 3)))
        layer.train()
        assert len(layer.A(given("input")).unique()) > 2


def test_width_of_the_module() -> None:
    """d/64 rounded down: 144 weights have 2, 27 weights none, where e is the sine alone."""
    plugin = ESTIMATORS.build("fda_full", {})
    wide: Any = plugin.binarizer("W", (4, 16, 3, 3), Clock(), 0)
    narrow: Any = plugin.binarizer("W", (4, 3, 3, 3), Clock(), 0)

    assert [p.shape for p in wide.noise.parameters()] == [(2, 144), (144, 2)]
    assert list(narrow.noise.parameters()) == []
    ones = torch.ones(2, 27)
    torch.testing.assert_close(narrow.noise(ones), 0.1 * math.sin(1) * ones)
