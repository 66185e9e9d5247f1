"""
What a method has beyond the same network with plain STE: parameters and multiply-accumulates.

Inference keeps the levels of weights, so parameters of a weight binarizer are not there, but for
those of `after`. What a method says that it `folds` is not there either. A factor after the product
goes into the BatchNorm that takes it; with a ReLU between the two only if it is positive. Nothing
of a coach is there.

Multiply-accumulates (MACs) of one image: those of a layer's products beyond the first, and what
else binary layers multiply. Convolutions, linear maps, products of matrices and sums over windows
count, as in `nn.macs`; what works element by element does not, nor what is done once for all
images.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.hooks import RemovableHandle

from bench.nn.layers import BinaryLayer, binary_layers, evaluating
from bench.results.record import Extras
from bench.train.products import Product, watched

OWN = ("weight", "bias")  # parameters that every binary layer has
AFTER = "W.after."
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def measure(
    net: nn.Module, coach: nn.Module, images: Tensor, folds: frozenset[str] = frozenset()
) -> Extras:
    """
    Count them.

    Args:
        net: runs in evaluation mode, and is left in its own.
        coach: what stood beside it in training.
        images: (N, C, H, W), one of which is run.
        folds: parameters of its layers that inference does without, as the method says.
    """
    one, two = (_run(net, images[:1].repeat(n, 1, 1, 1)) for n in (1, 2))
    trained = [*_parameters(net)]
    kept = [p for layer, name, p in trained if not _folded(name, p, folds, layer in one.normed)]
    return Extras(
        parameters_trained=sum(p.numel() for _, _, p in trained)
        + sum(p.numel() for p in coach.parameters()),
        parameters_kept=sum(p.numel() for p in kept),
        product_macs=two.products - one.products,
        other_macs=two.others - one.others,
    )


def _parameters(net: nn.Module) -> Iterator[tuple[str, str, nn.Parameter]]:
    """Yield the parameters that plain STE's layers have not: layer, name in it, parameter."""
    for layer, module in binary_layers(net):
        for name, parameter in module.named_parameters():
            if name not in OWN:
                yield layer, name, parameter


def _folded(name: str, parameter: nn.Parameter, folds: frozenset[str], normed: bool) -> bool:
    """Does inference do without a parameter, whose layer's result a BatchNorm takes or not?"""
    if name.startswith("W.") and not name.startswith(AFTER):
        return True
    if not any(name == fold or name.startswith(f"{fold}.") for fold in folds):
        return False
    return not name.startswith(AFTER) or normed or bool((parameter > 0).all())


@torch.no_grad()
def _run(net: nn.Module, images: Tensor) -> "_Counter":
    """Count what `net` does with these images."""
    counter, layers = _Counter(), binary_layers(net)
    hooks: list[RemovableHandle] = []
    for name, layer in layers:
        hooks += counter.hooks(name, layer)
    norms = [m for m in net.modules() if isinstance(m, NORMS)]  # pyright: ignore[reportUnknownVariableType]
    hooks += [norm.register_forward_pre_hook(counter.note) for norm in norms]
    with evaluating(net, hooks), watched(net, counter.told, counter.pause), counter:
        net(images)
    return counter


class _Counter(TorchDispatchMode):
    """Counts what binary layers multiply, and finds those that a BatchNorm follows."""

    def __init__(self) -> None:
        super().__init__()
        self.products = 0  # MACs of products beyond a layer's first
        self.others = 0  # MACs of what is no product
        self.normed: set[str] = set()
        self.counting = False
        self.results: list[tuple[str, Tensor]] = []  # of layers

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.counting:
            self.others += _macs(func, args, kwargs or {}, result)
        return result

    def hooks(self, name: str, layer: BinaryLayer) -> list[RemovableHandle]:
        """Count within a layer, and know its result again."""

        def begin(*_: object) -> None:
            self.counting = True

        def end(module: nn.Module, inputs: object, result: Tensor) -> None:
            self.counting = False
            self.results.append((name, result))

        return [layer.register_forward_pre_hook(begin), layer.register_forward_hook(end)]

    def pause(self) -> None:
        """A product begins, which counts as one, however it is computed."""
        self.counting = False

    def told(self, product: Product) -> None:
        self.counting = True
        if product.index:
            self.products += product.macs

    def note(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """A BatchNorm begins."""
        self.normed |= {name for name, result in self.results if result is inputs[0]}


def _macs(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """Count the MACs of one of torch's functions."""
    packet = func.overloadpacket
    if packet is torch.ops.aten.avg_pool2d:
        size: list[int] = args[1]
        return result.numel() * size[0] * size[-1]
    if packet in flop_registry:
        return int(flop_registry[packet](*args, **kwargs, out_val=result)) // 2
    return 0
