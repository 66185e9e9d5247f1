"""
BNN, binarized neural networks: signs of weights and inputs, without a scale.

    forward    w_eff = sign(w),  a = sign(x)
    backward   dL/dw = dL/dw_eff 1[|w| ≤ 1],  dL/dx = dL/da 1[|x| ≤ 1]      (clip: inside)
               dL/dw = dL/dw_eff,             dL/dx = dL/da                 (clip: outside)
    rule       after each step w is clipped to [-1, 1]; clip_weights: off leaves it
    recipe     VGG whose layers are all binary; Torch: AdaMax by shifts, rates scaled as Glorot's;
               PyTorch port: 3 x wider, Adam from 5e-3, 1e-3 at epoch 101, 5e-4 at 142, 1e-4 at 184

Where the clip stands, sources differ. The released codes pass gradients as they are, have a
Hardtanh before the sign of inputs and clip the weights: `outside`, for networks whose order is
bn_hardtanh. BiBench has it in both signs: `inside`, the same numbers where both stand. The authors'
PyTorch port no longer clips weights. Stochastic neurons are left out.

Reference: Hubara et al., NeurIPS 2016, arXiv:1602.02830, algorithm 1.
"""

from typing import Literal

from torch import Tensor, nn

from bench.plugin import (
    Clock,
    Coach,
    Method,
    Recipe,
    Signs,
    binary_layers,
    clipped_sign,
    ste_sign,
)


class BNN(Method):
    formula = "w_eff = sign(w)"
    kind = "method: signs"
    aux = "rule"

    clip: Literal["inside", "outside"] = "inside"
    clip_weights: Literal["on", "off"] = "on"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Signs(self._sign, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(self._sign, zero)

    def _sign(self, z: Tensor, zero: int) -> Tensor:
        return clipped_sign(z, zero) if self.clip == "inside" else ste_sign(z, zero)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Clipping(net, recipe) if self.clip_weights == "on" else Coach(recipe)


class Clipping(Coach):
    """After each step, w ← min(max(w, -1), 1)."""

    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.layers = tuple(layer for _, layer in binary_layers(net))

    def after_step(self) -> None:
        for layer in self.layers:
            layer.weight.data.clamp_(-1, 1)
