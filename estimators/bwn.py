"""
BWN, binary-weight networks: XNOR-Net's weights, with real inputs.

    forward    w_eff = E sign(w),  E = mean |w| of the filter
    backward   dL/dw = g (E 1[|w| < 1] + 1/n),  g = dL/dw_eff        (second_term: own)
    rule       before each step, to stay: w ← w - mean of w over C_in;  w ← min(max(w, -1), 1)
    recipe     as `xnor_net`, at W/A 1/32

All options are those of `xnor_net`, which says what they are. The Caffe codes that have BWN in them
(HWGQ, stochastic quantization) pass g as it is: scale_grad: none, clip: off, centring: off,
clamp: off, gain: off.

Reference: Rastegari et al., ECCV 2016, arXiv:1603.05279, sec. 3.1.
"""

from typing import ClassVar, Literal

from torch import nn

from bench.plugin import Clock, Coach, Estimator, Method, Recipe, ScaleGrad, estimator


class BWN(Method):
    formula = "w_eff = E sign(w)"
    kind = "method: scale by filter"
    aux = "rule"
    uses: ClassVar[tuple[str, ...]] = ("xnor_net",)

    scale_grad: ScaleGrad = "full"
    second_term: Literal["own", "exact"] = "own"
    centring: Literal["latent", "forward", "off"] = "latent"
    clamp: Literal["on", "off"] = "on"
    gain: Literal["n", "1e9", "off"] = "n"
    clip: Literal["open", "closed", "off"] = "open"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return self._xnor_net.binarizer("W", shape, clock, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return self._xnor_net.binarizer("A", (channels,), clock, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return self._xnor_net.coach(net, clock, recipe)

    @property
    def _xnor_net(self) -> Estimator:
        return estimator("xnor_net", **self.model_dump())
