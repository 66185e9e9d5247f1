"""
LCR-BNN: the binary network keeps the Lipschitz constants of a real one.

    forward    that of the base method, `ir_net` or `rbnn_full`
    backward   that of the base method
    loss       L = Σ_i (σ_i - σ'_i)²/2^(m-1-i), mean over images; added as alpha L/N/1e4, N images;
               F_i are the outputs of the m stages, times γ_i, F_0 .. F_(m-1); F_i pooled to the
               size of F_(i+1), H W pixels;   R = F_i F_(i+1)'/(H W),   K = R R',
               σ = √|K 1|, of an image; σ' of the teacher, without γ
    rule       that of the base method
    parameters γ_i from 1, one for each stage; those of the base method
    recipe     alpha 8; the teacher is a real network of the same structure, trained before

σ comes near the largest singular value of R with `iterations` steps of the power method; the
release takes one. L is a mean already, so that its weight is 3e-6 at 256 images: `normalise: none`
adds alpha L. The code in its present state builds on IR-Net, an earlier README named RBNN. There
the teacher is in training mode and each step has a second forward pass; here neither is so. At 1/32
`rbnn_full` standardizes inputs when it is alone, not here.

L grows with the fourth power of outputs: it is meant for stages that end in a Hardtanh (`order:
bn_hardtanh`); with unbounded ones training at large rates may diverge.

Reference: Shang et al., ECCV 2022, arXiv:2207.06540, and its released code.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Clock,
    Coach,
    Estimator,
    Field,
    Group,
    Method,
    Recipe,
    Seen,
    estimator,
)


class LCRBNN(Method):
    formula = "L = Σ_i (σ_i - σ'_i)²/2^(m-1-i)"
    kind = "method: retained Lipschitz constants"
    aux = "loss, teacher"
    fixes = {"scale": "none", "standardize": "off"}
    folds = frozenset({"W.after.alpha"})
    teacher: ClassVar[bool] = True
    uses: ClassVar[tuple[str, ...]] = ("ir_net", "rbnn_full")
    shares = False  # the loss knows how many images a batch has

    base: Literal["ir_net", "rbnn_full"] = "ir_net"
    t_min: Annotated[float, Field(gt=0)] | None = None  # None: the base's own
    alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 8.0
    iterations: Annotated[int, Field(ge=1)] = 1
    normalise: Literal["code", "none"] = "code"

    @property
    def below(self) -> Estimator:
        """The base method."""
        return estimator(self.base, **({} if self.t_min is None else {"t_min": self.t_min}))

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return self.below.binarizer("W", shape, clock, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return self.below.binarizer("A", (channels,), clock, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        stages: tuple[str, ...] = getattr(net, "stages", ())
        return Retention(self.below.coach(net, clock, recipe), recipe, self, len(stages))


class Retention(Coach):
    """The base's coach, and L."""

    taps = frozenset({"stage", "teacher"})

    def __init__(self, base: Coach, recipe: Recipe, plugin: LCRBNN, stages: int) -> None:
        super().__init__(recipe)
        self.base, self.plugin = base, plugin
        self.gamma = nn.Parameter(torch.ones(stages))

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        assert seen.teacher is not None
        scaled = [g * stage for g, stage in zip(self.gamma, seen.stage, strict=True)]
        retained = retention(scaled, seen.teacher.stage, self.plugin.iterations)
        share = len(labels) * 1e4 if self.plugin.normalise == "code" else 1
        return self.base.loss(logits, labels, seen) + self.plugin.alpha / share * retained

    def begin_epoch(self, epoch: int, lr: float) -> None:
        self.base.begin_epoch(epoch, lr)

    def before_step(self) -> None:
        self.base.before_step()

    def after_backward(self) -> None:
        self.base.after_backward()

    def after_step(self) -> None:
        self.base.after_step()

    def groups(self) -> list[Group]:
        return self.base.groups()


def retention(student: Sequence[Tensor], teacher: Sequence[Tensor], iterations: int = 1) -> Tensor:
    """Return L of two networks' stages, each (N, C_i, H_i, W_i), a 0-d tensor."""
    both = zip(constants(student, iterations), constants(teacher, iterations), strict=True)
    terms = [F.mse_loss(b, f) for b, f in both]
    return sum((t / 2 ** (len(terms) - i) for i, t in enumerate(terms)), student[0].new_zeros(()))


def constants(stages: Sequence[Tensor], iterations: int) -> list[Tensor]:
    """Return σ of each stage but the last, (N,)."""
    return [sigma(matrix(a, b), iterations) for a, b in pairwise(stages)]


def matrix(a: Tensor, b: Tensor) -> Tensor:
    """Return R of one stage and the next, (N, C_a, C_b)."""
    pooled = F.adaptive_avg_pool2d(a, (b.shape[-2], b.shape[-1]))
    return pooled.flatten(2) @ b.flatten(2).mT / b[0, 0].numel()


def sigma(r: Tensor, iterations: int) -> Tensor:
    """Return √|K v|, (N,), of the last v of the power method, which begins with ones."""
    v = r.new_ones(len(r), r.shape[1], 1)
    for _ in range(iterations - 1):
        v = F.normalize(r @ (r.mT @ v), dim=1)
    return (r @ (r.mT @ v)).square().sum((1, 2)).clamp(min=1e-24).pow(0.25)
