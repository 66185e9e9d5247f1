"""The binary weights of a network, which keeps latent ones: `bench.binary_weights`."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.nn.layers import BinaryLayer, binary_layers, latent, magnitude


@dataclass(frozen=True)
class BinaryWeights:
    """
    What a binary layer multiplies: its product is that of `values`, then times `scale`.

    Attributes:
        values: (C_out, C_in, ...), of sign -1 and 1, and 0 where a latent weight is 0.
        scale: (1 or C_out, 1, ...); None: there is none.
    """

    values: Tensor
    scale: Tensor | None

    @property
    def whole(self) -> Tensor:
        """Values times scale, in the shape of values."""
        return self.values if self.scale is None else self.values * self.scale


@torch.no_grad()
def binary_weights(net: nn.Module) -> dict[str, BinaryWeights]:
    """
    Give the binary weights of each layer of a network that has such, by the layer's name.

    The weights in `net.state_dict()`, and in files of weights, are the latent ones of training,
    real numbers whose signs these are.

    Raises:
        UsageError: a method's layer has another product, which has no such weights.
    """
    found: dict[str, BinaryWeights] = {}
    for name, layer in binary_layers(net):
        if isinstance(layer.W, nn.Identity):
            continue
        if type(layer).operate is not BinaryLayer.operate:
            message = (
                f"`{name}` is a {type(layer).__name__}, whose product is not values times a "
                "scale; `bench deploy` writes the network as it computes"
            )
            raise UsageError(message)
        options = layer.options
        made: Tensor | tuple[Tensor, Tensor] = layer.W(latent(layer.weight, options))
        scale = None if options.scale == "none" else magnitude(layer.weight, options)
        values, scale = made if isinstance(made, tuple) else (made, scale)
        found[name] = BinaryWeights(values.detach().clone(), scale)
    return found
