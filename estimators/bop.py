"""
Bop, the binary optimizer: weights are -1 and +1 from the start, and an optimizer flips them.

    forward    w_eff = w, which is -1 or +1;   a = sign(x)
    backward   dL/dw = dL/dw_eff;   dL/dx = dL/da where |x| ≤ 1   (inputs: clipped)
               dL/da max(0, 2 - 2|x|)                             (inputs: approx)
    rule       w starts as sign(w), sign(0) = +1. For each step: m ← (1 - γ) m + γ dL/dw, from 0;
               where w m > threshold, w ← -w
               γ: γ gamma_decay^⌊e/gamma_every⌋ in epoch e          (gamma_rule: step)
               γ + (gamma_end - γ) e/E of E epochs                (gamma_rule: linear)
    parameters none
    recipe     CIFAR-10: all layers binary, 500 epochs, batch 50, Adam 0.01 for all else; ImageNet:
               batch 1024, γ from 1e-4 to 1e-6 and Adam from 2.5e-3 to 5e-6, both linear

There are no latent weights: the rate, decay and optimizer of the recipe are of all other
parameters, `others: adam` trains those by Adam. At w m = threshold nothing flips; in the released
code its chain of signs gives +1 there, whatever w was. Magnitudes of weights mean nothing.

Reference: Helwegen et al., NeurIPS 2019, arXiv:1906.02107, alg. 1; constants from its released
code and from larq's.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    Any,
    Clock,
    Coach,
    Field,
    Group,
    Method,
    Recipe,
    Signs,
    approx_sign,
    binary_layers,
    clipped_sign,
    sign,
    ste_sign,
)


class Bop(Method):
    formula = "w ← -w where w m > τ"
    kind = "method: optimizer"
    aux = "rule"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "standardize": "off"}

    threshold: Annotated[float, Field(ge=0)] = 1e-8
    gamma: Annotated[float, Field(gt=0, le=1)] = 1e-4
    gamma_rule: Literal["step", "linear"] = "step"
    gamma_decay: Annotated[float, Field(gt=0, le=1)] = 0.1
    gamma_every: Annotated[int, Field(ge=1)] = 100
    gamma_end: Annotated[float, Field(ge=0, le=1)] = 1e-6
    inputs: Literal["clipped", "approx"] = "clipped"
    others: Literal["recipe", "adam"] = "recipe"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Signs(ste_sign, 1)  # of weights that are signs already

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(clipped_sign if self.inputs == "clipped" else approx_sign, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Flipper(self, net, recipe)


class Flipper(Coach):
    """Makes signs of the weights once, and flips them after each step."""

    def __init__(self, method: Bop, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.method, self.gamma = method, method.gamma
        self.weights = [layer.get_parameter("weight") for _, layer in binary_layers(net)]
        mine = {*self.weights}
        self.rest = [p for p in net.parameters() if p not in mine]
        with torch.no_grad():
            for w in self.weights:
                w.copy_(sign(w, 1))

    def begin_epoch(self, epoch: int, lr: float) -> None:
        m = self.method
        if m.gamma_rule == "step":
            self.gamma = m.gamma * m.gamma_decay ** (epoch // m.gamma_every)
        else:
            self.gamma = m.gamma + (m.gamma_end - m.gamma) * epoch / self.recipe.epochs

    def groups(self) -> list[Group]:
        flipped = Group(self.weights, rule=self.flip)
        return (
            [flipped]
            if self.method.others == "recipe"
            else [Group(self.rest, rule="adam"), flipped]
        )

    def flip(self, w: Tensor, grad: Tensor, state: dict[str, Any], lr: float) -> None:
        """One step of the rule; `lr` plays no part."""
        if "m" not in state:
            state["m"] = torch.zeros_like(w)
        m: Tensor = state["m"]
        m.lerp_(grad, self.gamma)
        w.mul_(torch.where(w * m > self.method.threshold, -1.0, 1.0))
