"""
XNOR-Net++: a learned scale in the place of an analytic one.

    forward    y = Γ · conv(sign(x), sign(w)), with learned Γ that starts at 1:
               Γ = o_c (gamma: channel),  o_c h_i w_j (gamma: rank1),  Γ_cij (gamma: full)
    backward   dL/dw = dL/dw_eff 1[|w| < 1],  dL/dx = dL/da 1[|x| < 1]
    recipe     of the author's library: first binary inputs alone, then weights too (steps: 2);
               decay on all parameters

The author's library has `channel`, and centring of weights over C_in as an option. BiBench has
`rank1` and clips at |.| ≤ 1 (clip: closed). As in BiBench h and w are longer than needed, `side`,
and images take as much of them; Γ ties a layer to positions in images, and linear maps have o_c.

Reference: Bulat and Tzimiropoulos, BMVC 2019, arXiv:1909.13863.
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from bench.plugin import (
    Alpha,
    Clock,
    Field,
    Method,
    Role,
    Signs,
    Stage,
    clipped_sign,
    open_clipped_sign,
)

CROSSINGS = {"open": open_clipped_sign, "closed": clipped_sign}


class XNORNetPP(Method):
    formula = "y = Γ · conv(sign(x), sign(w))"
    kind = "method: learned scale"
    aux = "module"
    folds = frozenset({"W.after.alpha"})

    gamma: Literal["channel", "rank1", "full"] = "channel"
    side: Annotated[int, Field(ge=1)] = 64  # of the largest image, for rank1 and full
    centring: Literal["on", "off"] = "off"
    clip: Literal["open", "closed"] = "open"
    steps: Literal[1, 2] = 1
    real_weights: Literal["on", "off"] = "off"

    def bits(self, role: Role) -> int:
        return 32 if role == "W" and self.real_weights == "on" else 1

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Weights(self, shape, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(CROSSINGS[self.clip], zero)

    def stages(self) -> tuple[Stage, ...]:
        if self.steps == 1:
            return super().stages()
        return Stage({"real_weights": "on"}), Stage({"real_weights": "off"})


class Weights(nn.Module):
    """sign(w), and Γ after the product."""

    def __init__(self, plugin: XNORNetPP, shape: tuple[int, ...], zero: int) -> None:
        super().__init__()
        self.centring = plugin.centring == "on"
        self.signs = plugin.real_weights == "off"
        self.crossing = Signs(CROSSINGS[plugin.clip], zero)
        images = len(shape) == 4 and plugin.gamma != "channel"
        self.after = Gamma(plugin, shape[0]) if images else Alpha(torch.ones(shape[0]))

    def forward(self, w: Tensor) -> Tensor:
        w = w - w.mean(1, keepdim=True) if self.centring else w
        return self.crossing(w) if self.signs else w


class Gamma(nn.Module):
    """y (N, C, H, W) times o_c h_i w_j, or Γ_cij."""

    def __init__(self, plugin: XNORNetPP, channels: int) -> None:
        super().__init__()
        side = plugin.side
        shapes = {"out": (channels, 1, 1), "row": (side, 1), "column": (side,)}
        if plugin.gamma == "full":
            shapes = {"gamma": (channels, side, side)}
        self.factors = nn.ParameterDict({k: nn.Parameter(torch.ones(s)) for k, s in shapes.items()})
        self.side = side

    def forward(self, y: Tensor) -> Tensor:
        height, width = y.shape[2:]
        if max(height, width) > self.side:
            message = f"an image of {height} x {width} is larger than side: {self.side}"
            raise ValueError(message)
        if "gamma" in self.factors:
            return y * self.factors["gamma"][:, :height, :width]
        return (
            y * self.factors["out"] * self.factors["row"][:height] * self.factors["column"][:width]
        )
