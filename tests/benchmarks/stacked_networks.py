"""
K networks of one graph as one module: seeds, or estimators, that train side by side.

The models lie beside each other in the channels, model after model: images (N, K·C, H, W), a
convolution's weight (K·C_out, C_in, k, k), a BatchNorm's statistics (K·C). What works element by
element or channel by channel is then as it was; a convolution has K groups. No number of a model
depends on another model: the loss is a sum, and gradients and updates are those of each alone.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import UsageError
from bench.nn.backbone import Network
from bench.nn.blocks import Block, Subsample
from bench.nn.contract import SurrogateBinarizer
from bench.nn.layers import BinaryConv2d, latent, magnitude

Product: TypeAlias = Literal["grouped", "patches"]

AS_THEY_ARE = {
    nn.AdaptiveAvgPool2d,
    nn.AvgPool2d,
    nn.Flatten,
    nn.Hardtanh,
    nn.Identity,
    nn.MaxPool2d,
    nn.ReLU,
}
BY_CHANNEL = {nn.BatchNorm1d, nn.BatchNorm2d, nn.PReLU}
CONTAINERS = {Block, Network, nn.Sequential}


class Stack(nn.Module):
    """
    K networks as one; images (K, N, C, H, W) to logits (K, N, classes).

    Every clock of theirs is to be set, or the one that they share. SGD and AdamW work element by
    element, so one optimizer over the stack's parameters does what K do.

    Args:
        nets: built alike but for seeds, and estimators of one W/A; they are used up.
        product: how convolutions multiply: `grouped`, as one with K groups, or `patches`, as K
            matrix products of unfolded images in a batch.

    Raises:
        UsageError: the networks differ, or have a layer of which no stack is known.
    """

    def __init__(self, nets: Sequence[nn.Module], product: Product = "grouped") -> None:
        super().__init__()
        self.k = len(nets)
        training = nets[0].training
        self.net = _joined(list(nets))
        for module in self.modules():
            if isinstance(module, Convolution):
                module.product = product
        self.train(training)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images.transpose(0, 1).flatten(1, 2))
        return _apart(logits, self.k).transpose(0, 1)

    def losses(self, images: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of each model (K,), of its own labels (K, N); add them up."""
        each = F.cross_entropy(self(images).flatten(0, 1), labels.flatten(), reduction="none")
        return _apart(each, self.k, 0).mean(1)

    def unstack(self) -> list[dict[str, Tensor]]:
        """Each model's state, under the names that it had alone; copies."""
        states: list[dict[str, Tensor]] = [{} for _ in range(self.k)]
        for name, value in self.net.state_dict().items():
            layer, own, rest = name.partition(".each.")
            if own:
                index, _, rest = rest.partition(".")
                states[int(index)][f"{layer}.{rest}"] = value.clone()
                continue
            parts = value.chunk(self.k) if value.ndim else [value] * self.k
            for state, part in zip(states, parts, strict=True):
                state[name] = part.clone()
        return states


class Each(nn.Module):
    """Binarizers of K models, for a tensor of all models along `dim`; the same ones as one."""

    def __init__(self, each: list[nn.Module], dim: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(each)
        self.dim = dim
        self.runs = [list(run) for _, run in groupby(range(len(each)), lambda i: _rule(each[i]))]

    def forward(self, z: Tensor) -> Tensor:
        if len(self.runs) == 1:
            return self.each[0](z)
        size = z.shape[self.dim] // len(self.each)
        parts = torch.split(z, [size * len(run) for run in self.runs], self.dim)
        ys = [self.each[run[0]](part) for run, part in zip(self.runs, parts, strict=True)]
        return torch.cat(ys, self.dim)


def _rule(binarizer: nn.Module) -> object:
    """Equal for binarizers that are one function, and go on being one."""
    if type(binarizer) is nn.Identity:
        return nn.Identity
    if type(binarizer) is SurrogateBinarizer and binarizer.learned is None:
        return binarizer.surrogate, binarizer.zero
    return binarizer


class Convolution(nn.Module):
    """K convolutions: (N, K·C_in, H, W) to (N, K·C_out, H', W')."""

    product: Product = "grouped"

    def __init__(self, convs: list[nn.Conv2d]) -> None:
        super().__init__()
        first = convs[0]
        self.k, self.kernel, self.stride = len(convs), first.kernel_size, first.stride
        self.padding: Any = first.padding  # never a word here
        self.weight = _beside(convs, "weight")

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.weight, self.padding)

    def convolve(self, x: Tensor, w: Tensor, padding: Any) -> Tensor:
        """The operation itself."""
        if self.product == "grouped":
            return F.conv2d(x, w, None, self.stride, padding, groups=self.k)
        sizes = zip(x.shape[2:], self.kernel, self.stride, padding, strict=True)
        height, width = ((n + 2 * pad - k) // s + 1 for n, k, s, pad in sizes)
        patches = F.unfold(x, self.kernel, padding=padding, stride=self.stride)
        w, patches = _apart(w.flatten(1), self.k, 0), _apart(patches, self.k)
        y = torch.einsum("kop,nkpl->nkol", w, patches)
        return y.reshape(len(x), -1, height, width)


class BinaryConvolution(Convolution):
    """The same of binary weights and input: `bench.nn.layers.BinaryLayer`, K times."""

    def __init__(self, convs: list[BinaryConv2d]) -> None:
        super().__init__(list(convs))
        self.W = Each([conv.W for conv in convs], 0)
        self.A = Each([conv.A for conv in convs], 1)
        self.options = convs[0].options
        self.by_model = self.options.model_copy(update={"scale": "channel"})
        self.real_input = isinstance(convs[0].A, nn.Identity)

    def forward(self, x: Tensor) -> Tensor:
        w, a = self.W(latent(self.weight, self.options)), self.A(x)
        if self.options.scale != "none" and self.options.scale_at == "pre":
            w = w * self.scale()
        padding = self.padding
        if self.options.padding != 0 and not self.real_input:
            sides = [side for side in reversed(padding) for _ in range(2)]
            a, padding = F.pad(a, sides, value=self.options.padding), (0, 0)
        y = self.convolve(a, w, padding)
        if self.options.scale != "none" and self.options.scale_at == "post":
            y = y * self.scale().view(-1, 1, 1)
        if self.options.scale_act == "layer" and not self.real_input:
            means = _apart(x.abs(), self.k).mean((2, 3, 4), keepdim=True)
            y = (_apart(y, self.k) * means).flatten(1, 2)
        return y

    def scale(self) -> Tensor:
        """Mean |w| of each model's layer, or of each filter; (K·C_out, 1, 1, 1)."""
        if self.options.scale == "channel":
            return magnitude(self.weight, self.options)
        models = _apart(self.weight, self.k, 0)
        of_each = magnitude(models, self.by_model)
        return of_each.expand(-1, models.shape[1], -1, -1, -1).flatten(0, 1)


class Linear(nn.Module):
    """K linear maps: (N, K·D_in) to (N, K·D_out)."""

    def __init__(self, linears: list[nn.Linear]) -> None:
        super().__init__()
        self.k = len(linears)
        self.weight, self.bias = _beside(linears, "weight"), _beside(linears, "bias")

    def forward(self, x: Tensor) -> Tensor:
        w = _apart(self.weight, self.k, 0)
        return torch.einsum("nki,koi->nko", _apart(x, self.k), w).flatten(1) + self.bias


class Shortcut(nn.Module):
    """K shortcuts of option A, whose new channels lie around each model's own."""

    def __init__(self, shortcuts: list[Subsample]) -> None:
        super().__init__()
        self.k, self.stride, self.pad = len(shortcuts), shortcuts[0].stride, shortcuts[0].pad

    def forward(self, x: Tensor) -> Tensor:
        x = _apart(x[:, :, :: self.stride, :: self.stride], self.k)
        return F.pad(x, (0, 0, 0, 0, self.pad, self.pad)).flatten(1, 2)


JOIN: dict[type[nn.Module], Callable[[list[Any]], nn.Module]] = {
    nn.Conv2d: Convolution,
    BinaryConv2d: BinaryConvolution,
    nn.Linear: Linear,
    Subsample: Shortcut,
}


def _joined(parts: list[nn.Module], path: str = "") -> nn.Module:
    """One module in place of K, made of the first of them; `path` is where it is in the network."""
    first = parts[0]
    kind, where = type(first), path or "network"
    if any(_graph(part) != _graph(first) for part in parts):
        message = f"{where}: not the same in all; only networks of one graph can be stacked"
        raise UsageError(message)
    if not _known(first):
        layer = f"{kind.__name__}({first.extra_repr()})"
        message = f"{where}: of {layer} no stack is known; train these networks one by one"
        raise UsageError(message)
    if kind in JOIN:
        return JOIN[kind](parts)
    if kind in BY_CHANNEL:
        return _widened(parts)
    for name, _ in first.named_children():
        children = [part.get_submodule(name) for part in parts]
        setattr(first, name, _joined(children, f"{path}.{name}".lstrip(".")))
    return first


def _known(module: nn.Module) -> bool:
    """Is it known how to stack modules of its kind, with its options?"""
    if isinstance(module, nn.Conv2d):
        plain = (module.groups, module.dilation, module.padding_mode) == (1, (1, 1), "zeros")
        plain = plain and module.bias is None and not isinstance(module.padding, str)
    else:
        plain = not isinstance(module, nn.Linear) or module.bias is not None  # pyright: ignore
    return plain and type(module) in AS_THEY_ARE | BY_CHANNEL | CONTAINERS | JOIN.keys()


def _graph(module: nn.Module) -> object:
    """What has to be equal in all: kind and options, shapes, which roles are binary."""
    own = {name: value for name, value in vars(module).items() if name[0] != "_"}
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    shapes = {name: value.shape for name, value in tensors}
    real = [name for name, child in module.named_children() if isinstance(child, nn.Identity)]
    return type(module), own, shapes, real


def _widened(parts: list[nn.Module]) -> nn.Module:
    """The first, with the channels of all."""
    first = parts[0]
    for name, _ in list(first.named_parameters(recurse=False)):
        setattr(first, name, _beside(parts, name))
    for name, buffer in list(first.named_buffers(recurse=False)):
        if buffer.ndim:
            setattr(first, name, torch.cat([part.get_buffer(name) for part in parts]))
    return first


def _beside(parts: Sequence[nn.Module], name: str) -> nn.Parameter:
    return nn.Parameter(torch.cat([part.get_parameter(name).detach() for part in parts]))


def _apart(x: Tensor, k: int, dim: int = 1) -> Tensor:
    """(N, K·C, ...) to (N, K, C, ...)."""
    return x.view(*x.shape[:dim], k, -1, *x.shape[dim + 1 :])
