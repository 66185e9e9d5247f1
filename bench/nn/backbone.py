"""The classes that backbones subclass or are made of. Plugins see them through `bench.plugin`."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from pydantic import Field
from torch import Tensor, nn

from bench.nn.layers import Layers
from bench.spec.plugin import Plugin


class Native(NamedTuple):
    """The images that a backbone is made for; its cost is that of one of them."""

    image: int = 32  # side
    classes: int = 10
    channels: int = 3


def omitted_if(default: object) -> Any:
    """
    Leave a field out of the JSON while it has its default.

    A field that a network gets later has a default that means what was done before, and this, so
    that the cells that were trained keep their names: `bench.spec.cell`.
    """
    return Field(exclude_if=lambda value: value == default)


class Backbone(Plugin):
    """A network whose layers, where they may be binary, come from `layers`."""

    native: ClassVar[Native] = Native()

    @property
    def only_image(self) -> int | None:
        """The side of the only images that the network takes; None: any will do."""
        return None

    @abstractmethod
    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        """
        Return a module mapping images (N, channels, H, W) to logits (N, num_classes).

        Every layer that may be binary comes from `layers`, every other from `torch.nn`. What it
        returns may have `stages`, as `Network` has.
        """


class Network(nn.Sequential):
    """
    Parts in order, for images (N, C, H, W).

    Args:
        image: the side of the only images that it takes; None: any will do.
        stages: indices of the parts whose outputs are those of the network's stages.

    Attributes:
        stages: the names of these parts, as `get_submodule` takes them.

    Raises:
        ValueError: images of another size.
    """

    def __init__(
        self, *parts: nn.Module, image: int | None = None, stages: Iterable[int] = ()
    ) -> None:
        super().__init__(*parts)
        self.image = image
        self.stages: tuple[str, ...] = tuple(map(str, stages))

    def forward(self, input: Tensor) -> Tensor:
        h, w = input.shape[-2:]
        if self.image is not None and (h, w) != (self.image, self.image):
            message = f"images are {h}x{w}, this network needs {self.image}x{self.image}"
            raise ValueError(message)
        for part in self:
            input = part(input)
        return input
