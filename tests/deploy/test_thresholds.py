"""What stands between a product of signs and the next sign is two thresholds, exactly."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.deploy import thresholds
from bench.deploy.graph import Call, Calls, Graph, name_of

aten: Any = torch.ops.aten
RNG = torch.Generator().manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=RNG)


def step(target: Any, *args: Any) -> Call:
    return Call(name_of(target), target, [*args])


def product(x: Call, width: int = 3) -> Call:
    weight = torch.where(draw(width, 3, 3, 3) > 0, 1.0, -1.0)
    return step(aten.conv2d.default, x, weight, None, [1, 1], [1, 1], [1, 1], 1)


def norm(x: Call, scale: Tensor) -> Call:
    target = aten._native_batch_norm_legit_no_training.default
    return step(target, x, scale, draw(3), draw(3), draw(3).abs(), 0.1, 1e-5)


def network(kind: str) -> Graph:
    """Two products with something between them."""
    images = Call("images", None)
    v = product(step(aten.sign.default, images))
    scale = draw(3)
    scale = scale.abs() if kind == "pool" else scale
    y = step(aten.mul.Tensor, v, torch.rand(3, 1, 1, generator=RNG))
    if kind == "zero":
        y = step(aten.mul.Tensor, y, torch.zeros(3, 1, 1))
    y = y if kind in ("norm", "zero") else step(aten.relu.default, y)
    if kind in ("pool", "pool of falling"):
        y = norm(y, scale) if kind == "pool of falling" else y
        y = step(aten.max_pool2d.default, y, [2, 2], [2, 2], [0, 0], [1, 1], False)
    y = z = y if kind in ("pool of falling", "zero") else norm(y, scale)
    z = step(aten.sign.default, z)
    if kind == "no zero":  # sign(0) is 1
        at0 = step(aten.le.Scalar, step(aten.abs.default, z), 0)
        ones = step(aten.where.ScalarSelf, at0, 1.0, torch.zeros(()))
        z = step(aten.add.Tensor, z, ones, 1)
    out = product(z)
    if kind == "shortcut":
        out = step(aten.add.Tensor, out, y, 1)
    return Graph(images, out)


@pytest.mark.parametrize(
    ("kind", "folded"),
    [
        ("norm", 1), ("relu", 1), ("pool", 1), ("no zero", 1), ("zero", 1), ("shortcut", 0),
        ("pool of falling", 0),
    ],
)  # fmt: skip
def test_the_fold_is_exact(kind: str, folded: int) -> None:
    """The folded graph gives the same bits; where that cannot be, it stays as it is."""
    graph = network(kind)
    x = draw(4, 3, 6, 6)
    x[0] = 0
    before = Calls(graph)(x)
    found = thresholds.fold_signs(graph)

    assert (found.signs, found.thresholds) == (2, folded)
    assert torch.equal(Calls(graph)(x), before)
