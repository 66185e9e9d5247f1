"""
The oracle: the plain eager path, to which every ratio is taken and every kernel must be equal.

It does what released codes do. A forward is `torch.sign` and keeps its whole input; a backward
masks the gradient by boolean indexing, calls `pow`, and sums FDA's cosines one by one; DSQ is left
to autograd. A step is float32 in NCHW, the scale folded into the weight before the convolution,
SGD one parameter after another, accuracy and loss read back from the device. Written from the
formulas, of the estimators' own parameters at their defaults; slow, and to be left so. The loss,
too, is its own and not `nn.coach`'s: a reference shares nothing with what it judges.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import UsageError
from bench.nn.clock import Clock
from bench.nn.contract import Surrogate, SurrogateBinarizer
from bench.nn.layers import MakeBinarizer
from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization, Recipe, Role

Backward: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]  # of dL/dy, z and the knob
Crossing: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # of z and the knob
OPTIONS = Binarization(scale_at="pre")


def ste(dy: Tensor, z: Tensor, _: Tensor) -> Tensor:
    dz = dy.clone()
    dz[z > 1] = 0
    dz[z < -1] = 0
    return dz


def ede(dy: Tensor, z: Tensor, t: Tensor) -> Tensor:
    k = torch.max(1 / t, torch.ones_like(t))
    return k * t * (1 - torch.pow(torch.tanh(t * z), 2)) * dy


def fda(dy: Tensor, z: Tensor, n: Tensor, omega: float = 0.1, clip: float = 1.0) -> Tensor:
    cosines = torch.zeros_like(z)
    for i in range(int(n) + 1):
        cosines = cosines + torch.cos((2 * i + 1) * omega * z)
    dz = 4 * omega / math.pi * cosines * dy
    dz[z > clip] = 0
    dz[z < -clip] = 0
    return dz


def rbnn(dy: Tensor, z: Tensor, t: Tensor) -> Tensor:
    k = torch.max(1 / t, torch.ones_like(t))
    slope = k * (math.sqrt(2) * t - torch.abs(torch.pow(t, 2) * z))
    slope[slope < 0] = 0
    return slope * dy


def reste(dy: Tensor, z: Tensor, o: Tensor, cut: float = 1.5, m: float = 0.1) -> Tensor:
    slope, r = torch.zeros_like(z), z.abs()
    small, between = r <= m, (r > m) & (r <= cut)
    slope[small] = m ** (1 / o.item() - 1)
    slope[between] = (torch.pow(r[between], 1 / o - 1) / o).to(z.dtype)
    return slope * dy


class _Masked(torch.autograd.Function):
    """sign(z), whose backward is the given function."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, knob: Tensor, backward: Backward) -> Tensor:
        ctx.save_for_backward(z, knob)
        ctx.rule = backward
        return torch.sign(z)

    @staticmethod
    def backward(ctx: Any, *dy: Tensor) -> tuple[Tensor, None, None]:
        return ctx.rule(dy[0], *ctx.saved_tensors), None, None


def mask_gradient(rule: Backward) -> Crossing:
    """sign(z) with that backward."""

    def crossing(z: Tensor, knob: Tensor) -> Tensor:
        crossed: Tensor = _Masked.apply(z, knob, rule)  # pyright: ignore[reportAssignmentType]
        return crossed

    return crossing


def _straight(dy: Tensor, _z: Tensor, _knob: Tensor) -> Tensor:
    return dy


def dsq(z: Tensor, alpha: Tensor, low: float = -1.0, high: float = 1.0) -> Tensor:
    """DSQ's steps one after another; the gradient passes its sign as if that were not there."""
    delta, middle = high - low, (low + high) / 2
    k, s = torch.log(2 / alpha - 1) / delta, 1 / (1 - alpha)
    held = z.clone()
    held[z > high] = high
    held[z < low] = low
    phi = s * torch.tanh(k * (held - middle))
    return low + delta * (mask_gradient(_straight)(phi, alpha.detach()) + 1) / 2


CROSSINGS: dict[str, Crossing] = {
    "ste": mask_gradient(ste),
    "dsq": dsq,
    "ede": mask_gradient(ede),
    "fda": mask_gradient(fda),
    "rbnn": mask_gradient(rbnn),
    "reste": mask_gradient(reste),
}


class MaskedBinarizer(SurrogateBinarizer):
    """The estimator's own knob, and the oracle's way across sign."""

    signs = False  # as far as layers know, so that none multiplies in integers

    def __init__(self, crossing: Crossing, surrogate: Surrogate, role: Role, clock: Clock) -> None:
        super().__init__(surrogate, role, clock, 0)
        self.crossing = crossing

    def forward(self, z: Tensor) -> Tensor:
        return self.crossing(z, self.knob)


def make_binarizer(name: str, clock: Clock) -> MakeBinarizer:
    """
    What makes the oracle's binarizers of an estimator.

    Raises:
        UsageError: the oracle does not know it.
    """
    if name not in CROSSINGS:
        message = f"no oracle for `{name}`, only for {', '.join(CROSSINGS)}"
        raise UsageError(message)
    surrogate = ESTIMATORS.build(name, {})
    assert isinstance(surrogate, Surrogate)
    return lambda role, _: MaskedBinarizer(CROSSINGS[name], surrogate, role, clock)


class OracleLoop:
    """The steps of the oracle's training."""

    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        self.net = net.train()
        self.optimizer = torch.optim.SGD(
            net.parameters(),
            recipe.lr,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            foreach=False,
            fused=False,
        )

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, float, float]:
        """One update; the loss before it, and the fractions of the batch right, top 1 and top 5."""
        logits = self.net(images)
        loss = F.cross_entropy(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        right = logits.topk(5).indices == labels[:, None]
        top1, top5 = (right[:, :k].float().sum() / len(labels) for k in (1, 5))
        return loss.item(), top1.item(), top5.item()
