"""
BWNH, binary weights by hashing, as far as its formulas are known: our reading.

    forward    w_eff = w until a layer's turn comes, then α b for good, in training;
               in evaluation a layer whose turn has not come is E sign(w), E = mean |w| of a filter
    rule       b ∈ {-1, 1}ⁿ and α of each filter minimize |X'w - α X'b|², X the layer's inputs on
               calibration images: by turns α = <X'w, X'b> / |X'b|², and each bit of b, the others
               held, in `sweeps` sweeps from b = sign(w)
    backward   dL/dw = dL/dw_eff before the turn, nothing after it: the rest is fine-tuned
    stages     a real network, then this from its weights

Layers have their turns in their order, evenly over the first `until` of all epochs, at the start of
an epoch, all by that of the last one; in a single epoch none has, for no input was seen before it.
XX' is a moving average over the steps before, of the first `images` of each batch. Whose images,
when, and how long to fine-tune no source was read for: no row of the paper is claimed. XX' is a
buffer of n x n numbers, n = C_in k k.

Reference: Hu, Wang and Cheng, AAAI 2018, arXiv:1802.02733, its abstract alone.
"""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.plugin import (
    Annotated,
    BinaryConv2d,
    BinaryLayer,
    BinaryLinear,
    Clock,
    Coach,
    Field,
    Method,
    Recipe,
    Role,
    Stage,
    binary_layers,
    filter_scale,
    sign,
)


class Hashed(nn.Module):
    """The weights of a layer, before and after its turn."""

    moment: Tensor  # (n, n), of inputs
    fixed: Tensor  # α b
    done: Tensor  # 0-d: 1 after the turn

    def __init__(self, method: "BWNH", shape: tuple[int, ...]) -> None:
        super().__init__()
        self.method = method
        n = torch.Size(shape[1:]).numel()
        self.register_buffer("moment", torch.zeros(n, n))
        self.register_buffer("fixed", torch.zeros(shape))
        self.register_buffer("done", torch.zeros(()))

    @torch.no_grad()
    def watch(self, x: Tensor) -> None:
        """See inputs of the layer, (places, n)."""
        self.moment.lerp_(x.T @ x / len(x), 0.1)

    @torch.no_grad()
    def turn(self, w: Tensor) -> None:
        """Fix α b for good; on the CPU, in float64."""
        found = hashed(w.flatten(1).cpu().double(), self.moment.cpu().double(), self.method.sweeps)
        self.fixed.copy_(found.reshape(w.shape))
        self.done.fill_(1)

    def forward(self, w: Tensor) -> Tensor:
        before = w if self.training else filter_scale(w) * sign(w, 1)
        return torch.where(self.done > 0, self.fixed, before)


def hashed(w: Tensor, moment: Tensor, sweeps: int) -> Tensor:
    """
    Return α b, which minimizes (w - α b)' XX' (w - α b) for each filter, as far as sweeps get.

    Args:
        w: (C_out, n).
        moment: XX', (n, n); where it sees nothing of a filter, α is mean |w|.
        sweeps: over the bits.
    """
    b, product = sign(w, 1), w @ moment
    alpha = _scales(w, b, product, moment)
    for _ in range(sweeps):
        for i in range(w.shape[1]):
            others = b @ moment[:, i] - moment[i, i] * b[:, i]
            better = sign(alpha * (product[:, i] - alpha * others))
            b[:, i] = torch.where(better == 0, b[:, i], better)
        alpha = _scales(w, b, product, moment)
    return alpha[:, None] * b


def _scales(w: Tensor, b: Tensor, product: Tensor, moment: Tensor) -> Tensor:
    size = (b @ moment * b).sum(1)
    found = (product * b).sum(1) / torch.where(size > 0, size, 1)
    return torch.where(size > 0, found, w.abs().mean(1))


class Watching(BinaryLayer):
    """A layer that shows its inputs while it trains."""

    def operate(self, x: Tensor, w: Tensor) -> Tensor:
        if self.training and isinstance(self.W, Hashed):
            self.W.watch(self.places(x.detach()[: self.W.method.images]))
        return super().operate(x, w)

    def places(self, x: Tensor) -> Tensor:
        """What each output is the product of, (places, n)."""
        return x.reshape(-1, x.shape[-1])


class WatchingConv2d(Watching, BinaryConv2d):
    without = ("dilation", "groups")

    def places(self, x: Tensor) -> Tensor:
        k = self.kernel_size[0]
        return F.unfold(x, k, padding=k // 2, stride=self.stride[0]).mT.flatten(0, 1)


class WatchingLinear(Watching, BinaryLinear):
    pass


class BWNH(Method):
    formula = "min |X'w - α X'b|²"
    kind = "method: hashing"
    aux = "our reading; stages"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "standardize": "off"}
    conv, linear = WatchingConv2d, WatchingLinear
    shares = False  # the inputs that it watches are the first of a batch

    sweeps: Annotated[int, Field(ge=1)] = 3
    images: Annotated[int, Field(ge=1)] = 4  # of a batch
    until: Annotated[float, Field(gt=0, le=1)] = 0.5  # of all epochs

    def bits(self, role: Role) -> int:
        return 1 if role == "W" else 32

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Hashed(self, shape)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return nn.Identity()

    def stages(self) -> tuple[Stage, ...]:
        return Stage(real=True), Stage()

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Turns(self, net, recipe)


class Turns(Coach):
    """Fixes the layers whose turn has come."""

    def __init__(self, method: BWNH, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        layers = [layer for _, layer in binary_layers(net)]
        self.hashed = [(m.W, m.weight) for m in layers if isinstance(m.W, Hashed)]
        last = max(recipe.epochs - 1, 1)  # by whose start all have had their turns
        self.epochs = min(method.until * recipe.epochs, last)

    def begin_epoch(self, epoch: int, lr: float) -> None:
        due = int(len(self.hashed) * epoch / self.epochs + 1e-9)
        for module, w in self.hashed[:due]:
            if not module.done:
                module.turn(w)
