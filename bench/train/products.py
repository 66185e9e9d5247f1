"""The products of a network's binary layers, watched while it runs."""

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn

from bench.nn.layers import BinaryLayer, binary_layers


@dataclass(frozen=True)
class Product:
    """
    One product of a layer.

    Attributes:
        layer: its name in the network.
        index: among the layer's products, from 0.
        real_input: is there nothing that binarizes the input?
        a: what is multiplied, (N, C_in, H, W) or (..., C_in).
        w: by what, (C_out, C_in, ...), without its scale.
        y: the result, with the scale.
    """

    layer: str
    index: int
    real_input: bool
    a: Tensor
    w: Tensor
    y: Tensor

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the batch."""
        return self.y.numel() * self.w[0].numel()


Told: TypeAlias = Callable[[Product], None]
Begun: TypeAlias = Callable[[], None]


@contextlib.contextmanager
def watched(net: nn.Module, told: Told, begun: Begun = lambda: None) -> Generator[None]:
    """Within, tell of every product of `net`: that it is begun, and then what it was."""
    hooks: list[Any] = []
    layers = binary_layers(net)
    try:
        for name, layer in layers:
            watcher = _Watcher(name, layer, told, begun)
            hooks.append(layer.register_forward_pre_hook(watcher.begin))
            vars(layer)["product"] = watcher.product
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for _, layer in layers:
            vars(layer).pop("product", None)


class _Watcher:
    """Stands in for the product of one layer."""

    def __init__(self, name: str, layer: BinaryLayer, told: Told, begun: Begun) -> None:
        self.name, self.told, self.begun, self.index = name, told, begun, 0
        self.real_input = isinstance(layer.A, nn.Identity)
        self.own = layer.product

    def begin(self, *_: object) -> None:
        """A forward pass of the layer begins."""
        self.index = 0

    def product(self, a: Tensor, w: Tensor, scale: Tensor | None = None) -> Tensor:
        self.begun()
        y = self.own(a, w, scale)
        self.told(Product(self.name, self.index, self.real_input, a, w, y))
        self.index += 1
        return y
