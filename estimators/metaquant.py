"""
MetaQuant: a small net makes the gradient of weights of the one at their signs, and is trained, too.

    forward    w_v = w - η (c φ(g') + constant), the constant so that w_v = w - η d; η is the rate,
               d what moved w last, g' dL/dw_eff of the step before, both 0 at first
               w_eff = 2 round(u) - 1,  u = tanh(w_v)/(2 max |tanh w_v|) + 1/2     (forward: dorefa)
               w_eff = E sign(w_v),  E = mean |w_v| of the layer, 1 by scale: none    (forward: bwn)
               in evaluation w_v = w;   a = sign(x), where inputs are binary
    backward   dL/dφ(g') = -η c dL/dw_v;   max and E are constants;   dL/dx = dL/da where |x| ≤ 1
               dL/dw_v = dL/dw_eff (1 - tanh² w_v)/max |tanh w_v|,  E dL/dw_eff where |w_v| ≤ 1
    rule       w moves by the gradient c φ(g'); in the first step, which has no g', by dL/dw
               c = (1 - tanh² w)/max |tanh w|, 1 of bwn
    parameters φ, one net for all layers: 1-100-100-1 without bias, element by element
    recipe     begins from the real network; 1/32, Adam 1e-3, divided by 10 each 30 of 100 epochs,
               φ by Adam at 1e-2

round(1/2) is 0, so that `dorefa` makes -1 of 0. Without a non-linearity, as its README has it, φ is
one learned number. It starts as the identity, which is our choice. `start: scratch` leaves the real
training out.

Reference: Chen et al., NeurIPS 2019; formulas from its released code.
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
    Stage,
    binary_layers,
    clipped_sign,
    layer_scale,
    scaled_signs,
    straight_through,
)


class MetaQuant(Method):
    formula = "dL/dw = c φ(dL/dw_eff)"
    kind = "method: learned gradient"
    aux = "module, rule, stages"
    fixes: ClassVar[dict[str, Any]] = {"scale": "none", "standardize": "off"}

    forward: Literal["dorefa", "bwn"] = "dorefa"
    scale: Literal["layer", "none"] = "layer"  # of bwn
    nonlinear: Literal["none", "tanh", "relu"] = "none"
    width: Annotated[int, Field(ge=1)] = 100
    net_start: Literal["identity", "random"] = "identity"
    net_lr: Annotated[float, Field(gt=0)] = 0.01  # φ's, where the recipe's rate is its lr
    start: Literal["real", "scratch"] = "real"

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Virtual(self, shape, zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Signs(clipped_sign, zero)

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(real=True), Stage()) if self.start == "real" else (Stage(),)

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        return MetaLearner(self, net, recipe)


class Fast(nn.Module):
    """φ, element by element."""

    def __init__(self, method: MetaQuant) -> None:
        super().__init__()
        n, self.nonlinear = method.width, method.nonlinear
        sizes = ((1, n), (n, n), (n, 1))
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in sizes)
        if method.net_start == "identity":
            for layer in self.layers:
                nn.init.constant_(
                    layer.get_parameter("weight"), 1 / layer.get_parameter("weight").shape[1]
                )

    def forward(self, g: Tensor) -> Tensor:
        first, second, third = (layer.get_parameter("weight").to(g.dtype) for layer in self.layers)
        if self.nonlinear == "none":
            return g * (third @ second @ first).reshape(())
        bend = torch.tanh if self.nonlinear == "tanh" else torch.relu
        hidden = bend(bend(g.reshape(-1, 1) @ first.T) @ second.T)
        return (hidden @ third.T).reshape(g.shape)


class _Watched(torch.autograd.Function):
    """The identity; `probe` gets the gradient that passes, divided by `scale`."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, probe: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(scale)
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, *dy: Tensor) -> tuple[Tensor, Tensor, None]:
        (scale,) = ctx.saved_tensors
        return dy[0], dy[0] / torch.where(scale > 0, scale, 1), None


class Virtual(nn.Module):
    """Signs of the weights that a step by φ leads to."""

    signs = True
    before: Tensor
    moved: Tensor
    rate: Tensor

    def __init__(self, method: MetaQuant, shape: tuple[int, ...], zero: int) -> None:
        super().__init__()
        self.method, self.zero = method, zero
        self.net: tuple[Fast, ...] = ()  # the coach's, while it trains
        self.probe: Tensor | None = None
        self.register_buffer("before", torch.zeros(shape), persistent=False)  # g'
        self.register_buffer("moved", torch.zeros(shape), persistent=False)  # d
        self.register_buffer("rate", torch.zeros(()), persistent=False)  # η

    def forward(self, w: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        z = w
        if self.training and self.net:
            made = self.calibration(w) * self.net[0](self.before)
            z = w - self.rate * (made + (self.moved - made).detach())
        if self.method.forward == "dorefa":
            squashed = torch.tanh(z)
            u = squashed / (2 * squashed.detach().abs().amax().clamp(min=1e-12)) + 0.5
            return self._watched(straight_through(2 * u.round() - 1, 2 * u), torch.ones_like(u[:1]))
        signs, scale = clipped_sign(z, self.zero), layer_scale(z.detach())
        if self.method.scale == "none":
            return self._watched(signs, torch.ones_like(scale))
        signs, scale = scaled_signs(signs, scale, "factor")
        return self._watched(signs, scale), scale

    def calibration(self, w: Tensor) -> Tensor:
        """c, without a gradient."""
        if self.method.forward == "bwn":
            return torch.ones_like(self.rate)
        squashed = torch.tanh(w.detach())
        return (1 - squashed.square()) / squashed.abs().amax().clamp(min=1e-12)

    def _watched(self, signs: Tensor, scale: Tensor) -> Tensor:
        if self.probe is None or not self.training:
            return signs
        watched: Tensor = _Watched.apply(signs, self.probe, scale)  # pyright: ignore
        return watched


class MetaLearner(Coach):
    """Owns φ, and puts what it makes in the place of gradients."""

    begun: Tensor

    def __init__(self, method: MetaQuant, net: nn.Module, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.method, self.fast = method, Fast(method)
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))
        self.mine = [
            (layer.W, layer.get_parameter("weight"))
            for _, layer in binary_layers(net)
            if isinstance(layer.W, Virtual)
        ]

    def begin_epoch(self, epoch: int, lr: float) -> None:
        for module, w in self.mine:
            module.rate.fill_(lr)
            if module.probe is None:
                module.net = (self.fast,)
                module.probe = torch.zeros_like(w, requires_grad=True)

    def after_backward(self) -> None:
        for module, w in self.mine:
            if w.grad is None or module.probe is None or module.probe.grad is None:
                continue
            made = module.calibration(w) * self.fast(module.before)
            w.grad.copy_(torch.where(self.begun, made, w.grad))
            module.moved.copy_(w.grad)
            module.before.copy_(module.probe.grad)
            module.probe.grad = None
        self.begun.fill_(True)

    def groups(self) -> list[Group]:
        factor = self.method.net_lr / self.recipe.lr
        return [Group([*self.fast.parameters()], factor=factor, weight_decay=0.0, rule="adam")]
