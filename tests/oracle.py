"""
Numbers of published implementations, and the inputs that they were computed on.

`cases(name)` reads a file of `plugins/oracles/`; `given(name)` makes an input from its formula;
`run_layer` takes them through a binary convolution of ours, `run_weights` and `run_inputs` through
one of its binarizers, and `Ran` holds what comes out, by the oracles' names.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from math import cos, sin
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nn.clock import Clock
from bench.nn.layers import BinaryConv2d
from bench.plugin import Estimator
from bench.spec.cell import Binarization, Role

HOME = Path(__file__).parent / "plugins" / "oracles"


@dataclass(frozen=True)
class Case:
    """One case of an oracle file."""

    method: str
    name: str
    options: dict[str, Any]
    results: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method}: {self.name}"

    def tensor(self, name: str) -> Tensor:
        """One result, flat, float64."""
        return torch.tensor(self.results[name], dtype=torch.float64).flatten()


def cases(method: str) -> list[Case]:
    """The cases of `oracles/<method>.json`."""
    found = json.loads((HOME / f"{method}.json").read_text(encoding="utf-8"))["cases"]
    return [Case(method, c["name"], c.get("options", {}), c["results"]) for c in found]


def _power(x: float, p: float) -> float:
    return math.copysign(abs(x) ** p, x)


Formula = Callable[[int, int], float]  # of the element's index and its filter's or image's
W_FACTOR, W_TAIL = (1.0, 0.6, 3.0, 2.4), (1.0, 1.0, 5.0, 1.0)
GIVEN: dict[str, tuple[tuple[int, ...], Formula]] = {
    "weight": (
        (4, 3, 3, 3),
        lambda i, r: (
            W_FACTOR[r]
            * _power(
                0.7 * sin(0.7 * i + 0.3)
                + 0.45 * cos(1.9 * i + 0.017 * i * i)
                + 0.05 * (i % 7)
                - 0.1,
                W_TAIL[r],
            )
        ),
    ),
    "input": (
        (2, 3, 6, 6),
        lambda i, r: 1.3 * sin(0.37 * i + 0.1) + 0.6 * cos(1.1 * i) + 0.2 * sin(0.05 * i) + 0.1 * r,
    ),
    "upstream": ((2, 4, 6, 6), lambda i, _: 0.8 * cos(0.53 * i) + 0.4 * sin(0.29 * i + 0.2)),
    "upstream_w": ((4, 3, 3, 3), lambda i, _: 0.9 * cos(0.83 * i + 0.1) - 0.3 * sin(0.21 * i)),
    "upstream_a": ((2, 3, 6, 6), lambda i, _: 0.7 * sin(0.47 * i + 0.6) + 0.2 * cos(1.3 * i)),
    "grad_prev": ((4, 3, 3, 3), lambda i, r: 0.02 * sin(1.3 * i + 0.2) * (1 + r)),
    "linear_weight": ((5, 8), lambda i, _: 0.9 * sin(0.9 * i + 0.2) + 0.3 * cos(0.4 * i)),
    "linear_input": ((6, 8), lambda i, _: 1.2 * cos(0.7 * i + 0.5) - 0.4 * sin(1.9 * i)),
    "linear_upstream": ((6, 5), lambda i, _: 0.5 * sin(1.1 * i) + 0.3 * cos(0.3 * i)),
    "logits": ((4, 10), lambda i, _: 2.0 * sin(0.9 * i + 0.4) + 0.5 * cos(0.2 * i)),
    "teacher_logits": ((4, 10), lambda i, r: 3.0 * cos(0.8 * i - 0.2) + 0.3 * r),
    "scale": ((4,), lambda i, _: 0.6 + 0.25 * i),
    "shift": ((3,), lambda i, _: 0.3 * cos(2.1 * i)),
    "slopes": ((4,), lambda i, _: 0.25 + 0.1 * i),
    "angle": ((4,), lambda i, _: 0.3 + 0.4 * i),
    "weight8": (
        (8, 3, 3, 3),
        lambda i, r: (
            (0.5 + 0.3 * r)
            * (sin(0.7 * i + 0.031 * i * i) + 0.6 * cos(1.3 * i - 0.019 * i * i + 0.4))
            + 0.05
        ),
    ),
    "upstream8": ((2, 8, 6, 6), lambda i, _: 0.8 * cos(0.53 * i) + 0.4 * sin(0.29 * i + 0.2)),
    "scale8": ((8,), lambda i, _: 0.4 + 0.15 * i),
    "angle8": ((8,), lambda i, _: 0.25 + 0.17 * i),
    "stage0_b": ((2, 4, 8, 8), lambda i, r: sin(0.31 * i) + 0.1 * r),
    "stage1_b": ((2, 6, 4, 4), lambda i, _: 0.8 * cos(0.43 * i + 0.1)),
    "stage2_b": ((2, 8, 2, 2), lambda i, _: 0.9 * sin(0.57 * i + 0.4)),
    "stage3_b": ((2, 10, 2, 2), lambda i, _: 0.7 * cos(0.71 * i) + 0.1),
    "stage0_f": ((2, 4, 8, 8), lambda i, _: 1.1 * cos(0.23 * i + 0.3)),
    "stage1_f": ((2, 6, 4, 4), lambda i, r: sin(0.37 * i + 0.2) + 0.2 * r),
    "stage2_f": ((2, 8, 2, 2), lambda i, _: 1.2 * cos(0.49 * i) - 0.1),
    "stage3_f": ((2, 10, 2, 2), lambda i, _: 0.9 * sin(0.61 * i + 0.7)),
}


def given(name: str) -> Tensor:
    """An input of the oracles, float64."""
    shape, formula = GIVEN[name]
    per = math.prod(shape[1:])
    values = [formula(i, i // per) for i in range(math.prod(shape))]
    return torch.tensor(values, dtype=torch.float64).view(shape)


def rotation(d: int) -> Tensor:
    """A d x d orthogonal matrix: planes (p, p + 1) turned by 0.5 + 0.3 p, one after the other."""
    turned = torch.eye(d, dtype=torch.float64)
    for p in range(d - 1):
        a, b = cos(0.5 + 0.3 * p), sin(0.5 + 0.3 * p)
        one, two = turned[:, p].clone(), turned[:, p + 1].clone()
        turned[:, p], turned[:, p + 1] = a * one + b * two, a * two - b * one
    return turned


def close(ours: Tensor, case: Case, name: str) -> None:
    """Fail unless our tensor is the oracle's, to 1e-9 of its largest value."""
    theirs = case.tensor(name)
    size = max(theirs.abs().max().item(), 1e-12)
    off = (ours.detach().double().flatten() - theirs).abs().max().item() / size
    assert off < 1e-9, f"{case}: {name} is off by {off:.2g}"


def gradient(x: Any) -> Tensor:
    """The gradient that a parameter or an input got."""
    assert isinstance(x, Tensor)
    assert x.grad is not None
    return x.grad


@torch.no_grad()
def put(x: Any, values: Tensor) -> None:
    """Write values into a parameter or a buffer, whatever its shape."""
    assert isinstance(x, Tensor)
    x.copy_(values.reshape(x.shape))


@dataclass
class Ran:
    """A layer after forward and backward; results by the oracles' names."""

    layer: BinaryConv2d
    results: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def check(self, case: Case, *names: str) -> None:
        """Compare those of the case's results, or all that we have under their names."""
        for name in names or sorted(self.results.keys() & case.results.keys()):
            close(self.results[name], case, name)


def make_layer(
    plugin: Estimator,
    weight: Tensor,
    *,
    p: float = 0.0,
    zero: int = 0,
    real_input: bool = False,
    clock: Clock | None = None,
) -> BinaryConv2d:
    """
    A convolution of `plugin` with these latent weights, padding 1, in float64, at progress p.

    Whoever needs a coach as well gives the clock.
    """
    clock = clock or Clock()

    def binarizer(role: Role, shape: tuple[int, ...]) -> nn.Module:
        if role == "A" and real_input:
            return nn.Identity()
        return plugin.binarizer(role, shape, clock, zero)

    options = Binarization.model_validate({"scale": "none", "sign0": zero} | plugin.fixes)
    c_out, c_in, k, _ = weight.shape
    layer = plugin.conv(c_in, c_out, k, stride=1, binarizer=binarizer, options=options).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
    clock.set(p)
    return layer


def watched(layer: BinaryConv2d, x: Tensor) -> tuple[Tensor, dict[str, Any]]:
    """The output, and what W and A gave; a layer of several products calls neither."""
    seen: dict[str, Any] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda _m, _a, result: seen.__setitem__(name, result)

    hooks = [layer.W.register_forward_hook(keep("W")), layer.A.register_forward_hook(keep("A"))]
    y = layer(x)
    for hook in hooks:
        hook.remove()
    seen["W"] = seen["W"] if "W" in seen else layer.W(layer.weight)
    seen["A"] = seen["A"] if "A" in seen else layer.A(x)
    return y, seen


def run_layer(
    layer: BinaryConv2d,
    x: Tensor,
    upstream: Tensor,
    then: Callable[[Tensor], Tensor] = lambda y: y,
) -> Ran:
    """
    Forward, and backward of Σ then(output) · upstream; what the convolution got is kept, too.

    `grad_effective_weight` is that of signs times their scale.
    """
    x = x.clone().requires_grad_()
    y, seen = watched(layer, x)
    y = then(y)
    signs, scale = seen["W"] if isinstance(seen["W"], tuple) else (seen["W"], None)
    for each in (signs, seen["A"]):
        if isinstance(each, Tensor) and each.requires_grad:
            each.retain_grad()
    (y * upstream).sum().backward()
    assert layer.weight.grad is not None
    assert x.grad is not None
    ran = Ran(layer)
    ran.results |= {"output": y, "grad_input": x.grad, "grad_weight": layer.weight.grad}
    ran.results["effective_weight"] = signs if scale is None else signs * scale
    if signs.grad is not None:
        ran.results["grad_effective_weight"] = signs.grad if scale is None else signs.grad / scale
    if isinstance(seen["A"], Tensor):
        ran.results["effective_input"] = seen["A"]
        if seen["A"].grad is not None:
            ran.results["grad_effective_input"] = seen["A"].grad
    return ran


def run_weights(layer: BinaryConv2d, upstream: Tensor) -> Ran:
    """The effective weights alone, and backward of Σ weights · upstream."""
    given = layer.W(layer.weight)
    effective = given[0] * given[1] if isinstance(given, tuple) else given
    layer.weight.grad = None
    (effective * upstream).sum().backward()
    grad = torch.zeros_like(layer.weight) if layer.weight.grad is None else layer.weight.grad
    return Ran(layer, {"effective_weight": effective, "grad_weight": grad})


def run_inputs(layer: BinaryConv2d, x: Tensor, upstream: Tensor) -> Ran:
    """The effective inputs alone, and backward of Σ inputs · upstream."""
    x = x.clone().requires_grad_()
    effective = layer.A(x)
    (effective * upstream).sum().backward()
    grad = torch.zeros_like(x) if x.grad is None else x.grad
    return Ran(layer, {"effective_input": effective, "grad_input": grad})


def convolution_gradient(ran: Ran, upstream: Tensor) -> Tensor:
    """dL/dw_eff of a layer that ran, from torch's convolution of what it had, padding 1."""
    w = ran.results["effective_weight"].detach().requires_grad_()
    a = ran.results["effective_input"].detach()
    (F.conv2d(a, w, padding=1) * upstream).sum().backward()
    return gradient(w)
