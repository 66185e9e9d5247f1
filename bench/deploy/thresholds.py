"""
Sums of signs, a scale, a BatchNorm and the next sign as two thresholds of a whole number.

Between a product of signs and the sign that the next layer takes of it stand operations on each
channel by itself. The product is a whole number v of at most fan-in, so their result is computed
for every v there can be, by the operations themselves: it is exact, ties included. Where it rises
or falls with v, and takes no values but -1, 0 and 1, it is

    d ([v ≥ low] + [v ≥ high] - 1)      for each channel, d = 1 or -1

Elsewhere the operations stay as they are: where something else reads what is between, as a shortcut
does; where the product is no whole number, as of real images or weights with a scale in them.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from bench.deploy.graph import Call, Graph, compute, substitute

PRODUCTS = ("conv2d.default", "linear.default")
PADDED = ("pad.default", "constant_pad_nd.default")
POOLED = ("max_pool2d.default",)
BY_ITSELF = {  # operations on each number by itself, the same for all of a channel
    "abs.default", "add.Scalar", "add.Tensor", "add_.Tensor", "batch_norm.default", "clamp.default",
    "clamp_min.default", "div.Scalar", "div.Tensor", "eq.Scalar", "ge.Scalar", "gt.Scalar",
    "hardtanh.default", "le.Scalar", "lt.Scalar", "maximum.default", "minimum.default",
    "mul.Scalar", "mul.Tensor", "neg.default", "prelu.default", "relu.default", "sign.default",
    "rsub.Scalar", "sub.Scalar", "sub.Tensor", "to.dtype", "_to_copy.default", "where.self",
    "_native_batch_norm_legit_no_training.default", "where.ScalarOther", "where.ScalarSelf",
    "where.Scalar", "leaky_relu.default", "mul_.Tensor", "sub_.Tensor",
}  # fmt: skip


REAL = "numbers that are no sums of signs"
SHARED = "numbers that something else reads, as a shortcut does"
TURNS = "numbers that fall before a pool, or neither rise nor fall"


@dataclass
class Folded:
    """How many inputs of products are signs, how many of these are thresholds, why others not."""

    signs: int = 0
    thresholds: int = 0
    left: Counter[str] = field(default_factory=Counter[str])


def threshold(v: Tensor, low: Tensor, high: Tensor, direction: Tensor) -> Tensor:
    """
    Return d ([v ≥ low] + [v ≥ high] - 1), shaped like v (N, C, ...).

    Args:
        low, high: whole numbers (C,) float32.
        direction: d, (C,), 1 or -1.
    """
    low, high, direction = (x.view(-1, *(1,) * (v.ndim - 2)) for x in (low, high, direction))
    return direction * ((v >= low).float() + (v >= high).float() - 1)


def fold_signs(graph: Graph) -> Folded:
    """Replace what stands between products and signs in place, where that is exact."""
    folded = Folded()
    signs: dict[Call, bool] = {}
    for product in [call for call in graph.calls if call.name in PRODUCTS]:
        given = product.args[0]
        while given.name in PADDED:
            given = given.args[0]
        if given in signs or not _gives_signs(given):
            continue
        signs[given] = True
        folded.signs += 1
        new = _fold(graph, given)
        if isinstance(new, str):
            folded.left[new] += 1
        else:
            graph.replace(given, new)
            signs[new] = True
            folded.thresholds += 1
    return folded


def _gives_signs(call: Call) -> bool:
    """Are its results -1, 0 and 1 alone, whatever the images?"""
    if call.name in ("sign.default", "threshold"):
        return True
    inside, sources = _between(call, stop="sign.default")
    if call.name not in BY_ITSELF or [s.name for s in sources] != ["sign.default"]:
        return False
    values = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1)
    return _is_signs(_evaluate(inside, {sources[0]: values}))


def _between(end: Call, stop: str = "") -> tuple[list[Call], list[Call]]:
    """The operations by channel that end in `end`, inputs first, and what they begin from."""
    inside: dict[Call, None] = {}
    sources: dict[Call, None] = {}

    def visit(call: Call) -> None:
        if call in inside or call in sources:
            return
        if call.name == stop or call.name not in {*BY_ITSELF, *POOLED}:
            sources[call] = None
            return
        for each in call.inputs:
            visit(each)
        inside[call] = None

    visit(end)
    return [*inside], [*sources]


def _evaluate(calls: list[Call], known: dict[Call, Tensor]) -> Tensor | None:
    """
    The last one's result, each column of `known` rising; a pool passes on what rises.

    None: something falls before a pool, or is of another shape than these columns.
    """
    values: dict[Any, Any] = dict(known)
    for call in calls:
        try:
            args = substitute(call.args, values)
            if call.name in POOLED:
                if not (args[0].diff(dim=0) >= 0).all():
                    return None
                values[call] = args[0]
            else:
                values[call] = compute(call.target, args)
        except (RuntimeError, TypeError):  # something of another shape: not by channel
            return None
    return values[calls[-1]]


def _is_signs(y: Tensor | None) -> bool:
    return y is not None and bool(((y == 0) | (y.abs() == 1)).all())


def _is_whole(source: Call) -> bool:
    """Is it a product of signs with signs, and nothing else?"""
    if source.name not in PRODUCTS or not isinstance(source.args[1], Tensor):
        return False
    given = source.args[0]
    while given.name in PADDED:
        given = given.args[0]
    bias = source.args[2]
    return bias is None and _is_signs(source.args[1]) and _gives_signs(given)


def _alone(graph: Graph, inside: list[Call], source: Call, end: Call) -> bool:
    """Does nobody else read what is between, and does a pool stand in the way of all of it?"""
    users = graph.users()
    between = [source, *(call for call in inside if call is not end)]
    if any(user not in inside for call in between for user in users[call]):
        return False
    pools = [call for call in inside if call.name in POOLED]
    if not pools:
        return True
    before, _ = _between(pools[0])
    early = {source, *before} - {pools[0]}
    late = [user for call in early for user in users[call] if user not in {*before}]
    return len(pools) == 1 and not late and pools[0].args[0] is not None


def _fold(graph: Graph, end: Call) -> Call | str:
    """The thresholds that give what `end` gives, or why there are none."""
    inside, sources = _between(end)
    if len(sources) != 1 or not _is_whole(sources[0]) or end.name not in BY_ITSELF:
        return REAL if len(sources) == 1 else SHARED
    (source,) = sources
    if not _alone(graph, inside, source, end):
        return SHARED
    v, grid = _every_sum(source.args[1])
    y = _evaluate(inside, {source: grid})
    steps = _steps(y.flatten(1), v) if y is not None and y.shape == grid.shape else None
    if steps is None:
        return TURNS
    pools = [call for call in inside if call.name in POOLED]
    if pools:
        source = Call(pools[0].name, pools[0].target, [source, *pools[0].args[1:]])
    return Call("threshold", threshold, [source, *steps])


def _every_sum(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Every sum v that signs (C_out, ...) can have (V,), and as images (V, C_out, 1, 1) of them."""
    fan = weight[0].numel()
    v = torch.arange(-fan, fan + 1, dtype=torch.float32)
    ones = (1,) * (weight.ndim - 2)
    grid = v.view(-1, 1, *ones).repeat(1, len(weight), *ones)
    return v, grid.contiguous(memory_format=torch.channels_last) if ones else grid


def _steps(y: Tensor, v: Tensor) -> list[Tensor] | None:
    """Low, high and d of each column of y, for each of v; None: one turns back, or is no sign."""
    if not _is_signs(y):
        return None
    direction = torch.where(y[-1] < y[0], -1.0, 1.0)
    rising = y * direction
    if not (rising.diff(dim=0) >= 0).all():
        return None
    low, high = (v[0] + (rising < level).sum(0) for level in (0, 1))
    return [low, high, direction]
