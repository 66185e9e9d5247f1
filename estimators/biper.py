"""
BiPer, binary periodic weights: what is trained is the phase of a sine.

    forward    stage 1: w_eff = sin(ω w), real;   stage 2: w_eff = sign(sin(ω w));
               a = sign(x), in training of x/√(var + 1e-5) of the image
    backward   dw_eff/dw = ω cos(ω w) in both;   da/dz = max(0, 2 - 2|z|), through the division
    loss       cross entropy + τ Σ over layers of mean sin²(ω w)
    parameters α, one for each filter, from U(0, 1), after the product
    recipe     ResNet-18 on CIFAR-10: stage 1 600 epochs, lr 0.021, decay 1.6e-3, τ 0.037; stage 2
               300 epochs, lr 0.0037, decay 1.6e-4, τ 0.0468, from stage 1's best

The released code's term τ pulls sines to 0, away from the ±1 that they become; for ImageNet it is
off (`regularizer: off`). `first_*` are of stage 1; without them it has what the recipe says.

Reference: Vargas et al., CVPR 2024, arXiv:2404.01278, and its released code.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.plugin import (
    Alpha,
    Clock,
    Coach,
    DividedSigns,
    Method,
    Recipe,
    Role,
    Seen,
    Stage,
    binary_layers,
    ste_sign,
)

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class BiPer(Method):
    formula = "w_eff = sign(sin(ωw))"
    kind = "method: periodic weights"
    aux = "module, loss, stages"
    folds = frozenset({"W.after.alpha"})

    stage: Literal[1, 2] = 2
    omega: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 20.0
    regularizer: Literal["code", "off"] = "code"
    tau: NotNegative = 0.0468
    first_tau: NotNegative = 0.037
    first_epochs: Annotated[int, Field(ge=1)] | None = None
    first_lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    first_weight_decay: NotNegative | None = None

    def bits(self, role: Role) -> int:
        return 32 if role == "W" and self.stage == 1 else 1

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Sine(shape[0], self.omega, self.stage, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return DividedSigns(zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Phases(net, recipe, self.tau) if self.regularizer == "code" else Coach(recipe)

    def stages(self) -> tuple[Stage, ...]:
        return (
            Stage(
                {"stage": 1, "tau": self.first_tau},
                epochs=self.first_epochs,
                lr=self.first_lr,
                weight_decay=self.first_weight_decay,
                keep="best",
            ),
            Stage({"stage": 2}),
        )


class Sine(nn.Module):
    """The sine of ω w, or its sign."""

    def __init__(self, filters: int, omega: float, stage: int, zero: int) -> None:
        super().__init__()
        self.omega, self.zero = omega, zero
        self.signs = stage == 2
        self.after = Alpha(torch.rand(filters))

    def forward(self, w: Tensor) -> Tensor:
        sine = (self.omega * w).sin()
        return ste_sign(sine, self.zero) if self.signs else sine


class Phases(Coach):
    """Cross entropy, and what the released code adds of the sines."""

    def __init__(self, net: nn.Module, recipe: Recipe, tau: float) -> None:
        super().__init__(recipe)
        layers = [layer for _, layer in binary_layers(net)]
        self.sines = [(layer, layer.W.omega) for layer in layers if isinstance(layer.W, Sine)]
        self.tau = tau

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        return super().loss(logits, labels, seen) + self.tau * self.pull()

    def pull(self) -> Tensor:
        """Return Σ over layers of mean sin²(ω w), 0-d."""
        each = [(omega * layer.weight).sin().square().mean() for layer, omega in self.sines]
        return torch.stack(each).sum() if each else torch.zeros(())
