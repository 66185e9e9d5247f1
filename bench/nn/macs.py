"""
What a backbone costs: parameters and multiply-accumulates, binary and real apart.

Counted by building the network on torch's meta device and running one image through it, so
nothing is computed and a net of any size takes no time. A multiply-accumulate (MAC) is two FLOPs.
Convolutions, linear maps and the products of attention count; what works element by element
does not.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.nn.backbone import Backbone, Native
from bench.nn.layers import Layers, binary_layers
from bench.spec.cell import Binarization, Role


@dataclass(frozen=True)
class Cost:
    """The cost of one network and one image; at W/A 1/1 unless it is the real net's."""

    task: Native
    parameters: int
    binary_layers: int
    binary_weights: int
    binary_macs: int
    real_macs: int

    def bits(self, of_weight: int = 1) -> int:
        """Bits of all parameters: `of_weight` of a binary layer's weight, 32 of any other."""
        return of_weight * self.binary_weights + 32 * (self.parameters - self.binary_weights)


def count_cost(backbone: Backbone, *, binary: bool = True, task: Native | None = None) -> Cost:
    """
    Count `backbone`, as a binary or as a real network, at `task` or its native one.

    Raises:
        ValueError: it gives no logits (1, classes).
    """
    image = backbone.only_image or (task or backbone.native).image
    task = (task or backbone.native)._replace(image=image)
    with torch.device("meta"), torch.no_grad():
        net = skeleton(backbone, task, binary=binary).eval()
        counter = FlopCounterMode(display=False)
        with counter:
            check_logits(net(torch.empty(1, task.channels, image, image)), task.classes)
    found = binary_layers(net)
    counts = counter.get_flop_counts()
    flops = sum(sum(counts[f"{type(net).__name__}.{name}"].values()) for name, _ in found)
    return Cost(
        task=task,
        parameters=sum(p.numel() for p in net.parameters()),
        binary_layers=len(found),
        binary_weights=sum(m.weight.numel() for _, m in found),
        binary_macs=flops // 2,
        real_macs=(counter.get_total_flops() - flops) // 2,
    )


def check_logits(logits: object, classes: int) -> None:
    """Raise ValueError, unless these are the logits (1, classes) of one image."""
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != (1, classes):
        message = f"gives {shape} for an image, must be (1, {classes})"
        raise ValueError(message)


def skeleton(backbone: Backbone, task: Native, *, binary: bool = True) -> nn.Module:
    """A network that multiplies what one that is trained does; it binarizes nothing."""
    layers = Layers(_identity if binary else None, Binarization())
    return backbone.build(task.classes, task.channels, layers)


def _identity(_role: Role, _shape: tuple[int, ...]) -> nn.Module:
    return nn.Identity()


def describe_cost(backbone: Backbone, task: Native | None = None) -> str:
    """The cost at `task`, or the native one, as lines of text, binary beside real."""
    one, real = (count_cost(backbone, binary=binary, task=task) for binary in (True, False))
    side, classes, channels = one.task
    return "\n".join(
        (
            f"cost of one image of {side}x{side}x{channels}, {classes} classes:",
            f"  parameters      {one.parameters:,}",
            f"  binary weights  {one.binary_weights:,} in {one.binary_layers} layers",
            f"  MACs, W/A 1/1   {one.binary_macs:,} binary + {one.real_macs:,} real",
            f"  bits, W/A 1/1   {one.bits():,}, real {real.bits():,}",
            f"  MACs, real net  {real.real_macs:,}, parameters {real.parameters:,}",
        )
    )
