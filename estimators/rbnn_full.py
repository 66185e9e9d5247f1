"""
RBNN, the rotated binary network: weights turn towards their signs before they are taken.

    forward    z = (w - mean)/std by filter, as a matrix X (a, b), a b = n, a ≤ √n the largest;
               r = R1' X R2,   m = z + |sin β| (r - z),   w_eff = sign(m);
               a = sign((x - mean)/std), of each image, in evaluation, too;   y = α (a * w_eff)
    backward   RBNN's polynomial for both signs; r is a constant (`detach_rotation`), so that
               dm/dz = 1 - |sin β|;   dm/dβ = (r - z) sign(sin β) cos β
    rule       before each epoch, three times, over the filters i of a layer:
                   B_i = sign(R1' X_i R2)
                   R1 = V U'   of the singular vectors U, V of Σ B_i R2' X_i'
                   R2 = U V'   of those of Σ X_i' R1 B_i
               t: t_min → t_max, exp; activations use max(t, 1)
    parameters α and β, one for each filter; both decay
    recipe     CIFAR-10: 1000 epochs, batch 256 (ResNet-18: 128), SGD 0.1, decay 1e-4, warm-up 5,
               cosine

β starts at π/2, where dm/dz is 0: until weight decay has moved β, latents have no gradient of the
loss. `beta_start` is another start. The released code takes mean |w| for α before the network
initializes its weights, `alpha_init: expected` is what that is in expectation, 1/(2√n); `weights`
is mean |w| of the weights that training begins with. At 1/32 it is the standardized input that is
multiplied.

Reference: Lin et al., NeurIPS 2020, arXiv:2009.13055, sec. 3, and its released code.
"""

import math
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from bench.plugin import (
    Alpha,
    Annotated,
    BinaryConv2d,
    BinaryLayer,
    BinaryLinear,
    Clock,
    Coach,
    Field,
    Method,
    Recipe,
    binary_layers,
    estimator,
    expected_scale,
    image_deviation,
    image_mean,
    standardized,
)

ROUNDS = 3


class StandardizedLayer(BinaryLayer):
    """A layer that standardizes its input where no sign does."""

    def operate(self, x: Tensor, w: Tensor) -> Tensor:
        return super().operate(of_image(x) if isinstance(self.A, nn.Identity) else x, w)


class StandardizedConv2d(StandardizedLayer, BinaryConv2d): ...


class StandardizedLinear(StandardizedLayer, BinaryLinear): ...


def of_image(x: Tensor) -> Tensor:
    """Return each image's standardized features, shaped like x."""
    return (x - image_mean(x)) / image_deviation(x)


class RBNNFull(Method):
    formula = "w_eff = sign(z + |sin β| (R1' z R2 - z))"
    kind = "method: rotated weights"
    aux = "module, rule"
    fixes = {"scale": "none", "standardize": "off"}
    folds = frozenset({"W.after.alpha"})
    conv: ClassVar[type[BinaryConv2d]] = StandardizedConv2d
    linear: ClassVar[type[BinaryLinear]] = StandardizedLinear
    uses: ClassVar[tuple[str, ...]] = ("rbnn",)

    t_min: Annotated[float, Field(gt=0)] = 0.01
    t_max: Annotated[float, Field(gt=0)] = 10.0
    detach_rotation: Literal["on", "off"] = "on"
    beta_start: float = math.pi / 2
    alpha_init: Literal["expected", "weights"] = "expected"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        polynomial = estimator("rbnn", t_min=self.t_min, t_max=self.t_max)
        sign = polynomial.binarizer("W", shape, clock, zero)
        return Rotated(sign, shape, self.beta_start, self.detach_rotation)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        polynomial = estimator("rbnn", t_min=self.t_min, t_max=self.t_max)
        return Standardized(polynomial.binarizer("A", (channels,), clock, zero))

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return Rotations(net, recipe, self.alpha_init)


class Rotated(nn.Module):
    """Signs between the standardized weights and their rotation; `done` is the last epoch's."""

    signs = True
    R1: Tensor  # (a, a)
    R2: Tensor  # (b, b)
    done: Tensor

    def __init__(
        self, sign: nn.Module, shape: tuple[int, ...], beta_start: float, detach: str
    ) -> None:
        super().__init__()
        n = math.prod(shape[1:])
        a = max(d for d in range(1, math.isqrt(n) + 1) if n % d == 0)
        self.sign, self.detach = sign, detach == "on"
        self.beta = nn.Parameter(torch.full(shape[:1], beta_start))
        self.after = Alpha(expected_scale(shape))
        self.register_buffer("R1", nn.init.orthogonal_(torch.empty(a, a)))
        self.register_buffer("R2", nn.init.orthogonal_(torch.empty(n // a, n // a)))
        self.register_buffer("done", torch.tensor(-1))

    def forward(self, w: Tensor) -> Tensor:
        z = standardized(w)
        r = (self.R1.T @ self.matrices(z) @ self.R2).reshape(z.shape)
        mix = self.beta.sin().abs().view(-1, *(1,) * (z.ndim - 1))
        return self.sign(z + mix * ((r.detach() if self.detach else r) - z))

    def matrices(self, z: Tensor) -> Tensor:
        """Return the filters as X, (C_out, a, b)."""
        return z.reshape(len(z), len(self.R1), len(self.R2))

    @torch.no_grad()
    def turn(self, w: Tensor) -> None:
        """Find the rotations that bring w closest to its signs; on the CPU, in float64."""
        x = self.matrices(standardized(w.detach().cpu().double()))
        r1, r2 = self.R1.cpu().double(), self.R2.cpu().double()
        for _ in range(ROUNDS):
            b = (r1.mT @ x @ r2).sign()
            r1 = _aligned((b @ r2.mT @ x.mT).sum(0))
            r2 = _aligned((x.mT @ r1 @ b).sum(0)).mT
        self.R1.copy_(r1)
        self.R2.copy_(r2)


def _aligned(m: Tensor) -> Tensor:
    """Return V U' of the singular vectors U, V of m (d, d): the rotation of largest trace(m ·)."""
    u, _, vh = cast("tuple[Tensor, Tensor, Tensor]", torch.linalg.svd(m))
    return vh.mT @ u.mT


class Standardized(nn.Module):
    """The sign of each image's standardized features."""

    signs = True

    def __init__(self, sign: nn.Module) -> None:
        super().__init__()
        self.sign = sign

    def forward(self, x: Tensor) -> Tensor:
        return self.sign(of_image(x))


class Rotations(Coach):
    """Turns the weights before each epoch, once."""

    def __init__(self, net: nn.Module, recipe: Recipe, alpha_init: str) -> None:
        super().__init__(recipe)
        layers = [layer for _, layer in binary_layers(net)]
        self.turned = [(layer.W, layer.weight) for layer in layers if isinstance(layer.W, Rotated)]
        for module, w in self.turned:
            if alpha_init == "weights" and module.done < 0:
                module.after.alpha.data.copy_(w.detach().abs().flatten(1).mean(1))

    def begin_epoch(self, epoch: int, lr: float) -> None:
        for module, w in self.turned:
            if module.done != epoch:
                module.turn(w)
                module.done.fill_(epoch)
