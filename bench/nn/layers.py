"""Binary layers: real latent weights W, binarized together with the input A."""

import inspect
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from bench.errors import PluginError
from bench.nn import integer_conv
from bench.nn.tap import tap
from bench.spec.cell import Binarization, Role

PLAIN = {"bias": False, "dilation": 1, "groups": 1}  # what a method's class may know nothing of
MakeBinarizer: TypeAlias = Callable[[Role, tuple[int, ...]], nn.Module]


class BinaryLayer(nn.Module):
    """
    A linear operation on a binarized input with binarized weights; its bias, if any, is real.

    y = scale(w) · op(A(x), W(w)) + b, where A and W are binarizers and op is `product`; with
    `scale_act` also times mean |x|, of each image. A W that returns (signs, scale) brings its own
    scale; one that has a module `after` sends the product through it. Comes first among the bases
    of a layer; the other is the real layer that owns weight and bias.
    """

    weight: Tensor  # (C_out, C_in, ...)
    bias: Tensor | None  # (C_out,)

    def binarize(self, binarizer: MakeBinarizer, options: Binarization) -> None:
        """Make this layer binary; called once, when weight and bias are there."""
        self.W = binarizer("W", tuple(self.weight.shape))
        groups: int = getattr(self, "groups", 1)
        self.A = binarizer("A", (groups * self.weight.shape[1],))
        self.options = options
        pre = options.scale != "none" and options.scale_at == "pre"
        self.whole = not pre and all(getattr(m, "signs", False) for m in (self.W, self.A))
        self.tap: Tensor | None = None  # (2,), set by who wants the gradient's statistics

    def forward(self, input: Tensor) -> Tensor:
        x = input if self.tap is None else tap(input, self.tap)
        y = self.operate(x, latent(self.weight, self.options))
        if self.after is not None:
            y = self.after(y)
        if self.options.scale_act == "layer" and not isinstance(self.A, nn.Identity):
            y = y * x.abs().mean(tuple(range(1, x.ndim)), keepdim=True)
        if self.bias is None:
            return y
        return y + (self.bias.view(-1, 1, 1) if self.weight.ndim == 4 else self.bias)

    @property
    def after(self) -> nn.Module | None:
        """What the product goes through, if the weight binarizer brings such a module."""
        return getattr(self.W, "after", None)

    def operate(self, x: Tensor, w: Tensor) -> Tensor:
        """From input and latent weights to the scaled product; overridden for several products."""
        a = self.A(x)
        scale = None if self.options.scale == "none" else magnitude(self.weight, self.options)
        return self.scaled_product(a, self.W(w), scale)

    def scaled_product(
        self, a: Tensor, w: Tensor | tuple[Tensor, Tensor], scale: Tensor | None = None
    ) -> Tensor:
        """
        The product, with its scale.

        Args:
            a: binarized input.
            w: binarized weights, or (signs, scale) with a scale (1 or C_out, 1, ...).
            scale: what the options say, for weights that bring none.
        """
        if isinstance(w, tuple):
            return self.product(a, *w)
        if scale is None or self.options.scale_at == "post":
            return self.product(a, w, scale)
        return self.product(a, w * scale)

    def product(self, a: Tensor, w: Tensor, scale: Tensor | None = None) -> Tensor:
        """
        The operation itself, of binarized input and weights, without bias; then times `scale`.

        Before that its result is whole numbers if `self.whole`.
        """
        raise NotImplementedError


class BinaryConv2d(BinaryLayer, nn.Conv2d):
    """
    Binary convolution.

    Shapes: x (N, C_in, H, W), w (C_out, C_in/groups, k, k), y (N, C_out, H', W').
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int,
        binarizer: MakeBinarizer,
        options: Binarization,
        bias: bool = False,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(c_in, c_out, kernel, stride, padding, dilation, groups, bias)
        self.binarize(binarizer, options)

    def product(self, a: Tensor, w: Tensor, scale: Tensor | None = None) -> Tensor:
        dilation, groups = self.dilation[0], self.groups
        padding = dilation * (self.kernel_size[0] // 2)
        if self.options.padding != 0 and not isinstance(self.A, nn.Identity):
            a, padding = F.pad(a, (padding,) * 4, value=self.options.padding), 0
        if self.whole:
            gradients = getattr(torch, self.options.gradients)
            return integer_conv.conv2d(
                a, w, scale, self.stride[0], padding, gradients, dilation=dilation, groups=groups
            )
        y = F.conv2d(a, w, None, self.stride, padding, dilation, groups)
        return integer_conv.scaled(y, scale)


class BinaryLinear(BinaryLayer, nn.Linear):
    """Binary linear map. Shapes: x (..., C_in), w (C_out, C_in), b (C_out,), y (..., C_out)."""

    def __init__(
        self, c_in: int, c_out: int, *, binarizer: MakeBinarizer, options: Binarization
    ) -> None:
        super().__init__(c_in, c_out)
        self.binarize(binarizer, options)

    def product(self, a: Tensor, w: Tensor, scale: Tensor | None = None) -> Tensor:
        y = F.linear(a, w)
        return y if scale is None else y * scale.view(-1)


def binary_layers(net: nn.Module) -> list[tuple[str, BinaryLayer]]:
    """Every binary layer of a network, and its name there."""
    named = net.named_modules()  # pyright: ignore[reportUnknownVariableType]
    return [(name, m) for name, m in named if isinstance(m, BinaryLayer)]  # pyright: ignore


@torch.no_grad()
def latent_inputs(net: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """
    What sign sees of the activations, by layer, in the order in which `images` reach them.

    Of every layer whose input is binary. The net runs in evaluation mode and is left in its own.
    """
    seen: dict[str, Tensor] = {}

    def keep(name: str, _: nn.Module, args: tuple[Tensor, ...]) -> None:
        seen[name] = args[0].detach()

    hooks = [
        layer.register_forward_pre_hook(partial(keep, name))
        for name, layer in binary_inputs(binary_layers(net))
    ]
    with evaluating(net, hooks):
        net(images)
    return seen


@contextmanager
def evaluating(net: nn.Module, hooks: Iterable[RemovableHandle]) -> Generator[None]:
    """Within, the net is in evaluation mode; then in its own again, and without these hooks."""
    training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()


def binary_inputs(layers: list[tuple[str, BinaryLayer]]) -> list[tuple[str, BinaryLayer]]:
    """Those of them whose input is binary, too."""
    return [(name, layer) for name, layer in layers if not isinstance(layer.A, nn.Identity)]


def own_modules(net: nn.Module) -> Iterator[nn.Module]:
    """Yield a network's modules in order, but for what is inside its binary layers: a method's."""
    yield net
    if not isinstance(net, BinaryLayer):
        for child in net.children():
            yield from own_modules(child)


def takes_real_input(layer: nn.Module) -> bool:
    """Does the layer, binary or not, multiply its input as it is?"""
    return not isinstance(layer, BinaryLayer) or isinstance(layer.A, nn.Identity)


def latent(w: Tensor, options: Binarization) -> Tensor:
    """What sign sees of the weights: raw, or standardized per filter (unbiased deviation)."""
    if options.standardize == "off":
        return w
    dims = tuple(range(1, w.ndim))
    deviation = w.std(dims, keepdim=True).clamp(min=1e-12)  # a constant filter stays finite
    return (w - w.mean(dims, keepdim=True)) / deviation


def magnitude(w: Tensor, options: Binarization) -> Tensor:
    """The real scale of a binary weight: mean |w|, shaped (1,...) or (C_out, 1,...)."""
    if options.scale_grad == "off":
        w = w.detach()
    first = 0 if options.scale == "layer" else 1
    return w.abs().mean(tuple(range(first, w.ndim)), keepdim=True)


class Layers:
    """
    The layers of one cell: a backbone asks this for every layer that may be binary.

    `real` is true for a full-precision cell, whose layers are the ordinary ones.

    Args:
        binarizer: None: a full-precision cell.
        conv, linear: the classes of binary layers, where a method has its own.
    """

    def __init__(
        self,
        binarizer: MakeBinarizer | None,
        options: Binarization,
        conv: type[BinaryConv2d] = BinaryConv2d,
        linear: type[BinaryLinear] = BinaryLinear,
    ) -> None:
        self.binarizer = binarizer
        self.options = options
        self.binary_conv, self.binary_linear = conv, linear

    @property
    def real(self) -> bool:
        return self.binarizer is None

    def conv(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int = 1,
        bias: bool = False,
        dilation: int = 1,
        groups: int = 1,
        real_input: bool = False,
    ) -> nn.Conv2d:
        """
        Convolution, padded by dilation · (kernel // 2), so that stride 1 keeps an image's size.

        Args:
            groups: C_in of them is a depthwise convolution.
            bias: a real one.
            real_input: its input stays as it is, whatever becomes of activations: images do.

        Raises:
            PluginError: a method's own class of convolutions has no bias, dilation or groups.
        """
        if self.binarizer is None:
            padding = dilation * (kernel // 2)
            return nn.Conv2d(c_in, c_out, kernel, stride, padding, dilation, groups, bias)
        binarizer = _weights_only(self.binarizer) if real_input else self.binarizer
        asked = {"bias": bias, "dilation": dilation, "groups": groups}
        own = {name: value for name, value in asked.items() if value != PLAIN[name]}
        _refuse_unknown(self.binary_conv, own)
        return self.binary_conv(
            c_in,
            c_out,
            kernel,
            stride=stride,
            binarizer=binarizer,
            options=self.options,
            **own,  # pyright: ignore[reportArgumentType]
        )

    def linear(self, c_in: int, c_out: int) -> nn.Linear:
        """Linear map of the last dimension, with a real bias."""
        if self.binarizer is None:
            return nn.Linear(c_in, c_out)
        return self.binary_linear(c_in, c_out, binarizer=self.binarizer, options=self.options)


def _refuse_unknown(conv: type[nn.Module], options: Iterable[str]) -> None:
    """
    Nothing, if a method's class of convolutions takes these options.

    Raises:
        PluginError: it does not.
    """
    known = inspect.signature(conv).parameters.keys() - getattr(conv, "without", ())
    if lacking := [name for name in options if name not in known]:
        message = f"{conv.__name__}, this method's convolution, has no {' and no '.join(lacking)}"
        raise PluginError(message)


def _weights_only(binarizer: MakeBinarizer) -> MakeBinarizer:
    """Leave inputs as they are."""
    return lambda role, shape: nn.Identity() if role == "A" else binarizer(role, shape)
