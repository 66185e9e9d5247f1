"""
FSG, fast and slow gradients, with its fast net alone: MetaQuant without a scale.

    forward    w_v = w - η (c φ(g') + constant), the constant so that w_v = w - η d, as in MetaQuant
               w_eff = 2 round(tanh(w_v)/(2 max |tanh w_v|) + 1/2) - 1         (forward: dorefa)
               w_eff = sign(w_v)                                               (forward: bwn)
    backward   dL/dφ(g') = -η c dL/dw_v;   that of `metaquant` for w_v and inputs
    rule       w moves by c φ(g') once there is a g'
    parameters φ, one net for all layers: 1-100-100-1 without bias, element by element
    recipe     begins from the real network; 1/32, Adam 1e-3, divided by 10 each 30 of 100 epochs,
               φ by Adam at 1e-2

The whole method has a slow net, a Mamba of up to five gradients before, and
w_v = w - η (0.9 slow + 0.1 c φ(g')); it needs a GPU's kernels and is not built. The released update
of w is by c φ(g') alone, as here, and without the slow net the released layer takes MetaQuant's
virtual step.

Reference: FSG, AAAI 2025; formulas from its released code.
"""

from typing import ClassVar, Literal

from torch import nn

from bench.plugin import (
    Annotated,
    Any,
    Clock,
    Coach,
    Estimator,
    Field,
    Method,
    Recipe,
    Stage,
    estimator,
)


class FSG(Method):
    formula = "dL/dw = c φ(dL/dw_eff)"
    kind = "method: learned gradient"
    aux = "module, rule, stages"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "standardize": "off"}
    uses: ClassVar[tuple[str, ...]] = ("metaquant",)

    forward: Literal["dorefa", "bwn"] = "dorefa"
    nonlinear: Literal["none", "tanh", "relu"] = "none"
    net_start: Literal["identity", "random"] = "identity"
    net_lr: Annotated[float, Field(gt=0)] = 0.01  # φ's, where the recipe's rate is its lr
    start: Literal["real", "scratch"] = "real"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return self._base().binarizer("W", shape, clock, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return self._base().binarizer("A", (channels,), clock, zero)

    def stages(self) -> tuple[Stage, ...]:
        return self._base().stages()

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return self._base().coach(net, clock, recipe)

    def _base(self) -> Estimator:
        return estimator("metaquant", scale="none", **self.model_dump())
