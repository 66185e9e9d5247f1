"""What sign sees in a trained network: its latent weights, and its latent activations."""

from pathlib import Path

import torch
from torch import Tensor, nn

from bench import gap, model, store
from bench.cell import Role
from bench.errors import UsageError
from bench.gap import Sample
from bench.layers import binary_layers, latent

BATCH = 100


def measured(cell: str, root: Path, data: Path | None) -> dict[Role, Sample]:
    """
    Samples over all binary layers of a recorded cell, with its last weights.

    The activations are those of the first `BATCH` test images.

    Raises:
        UsageError: no such cell, no weights, or no binary layers.
        DataError: the cell's data is not there or changed.
    """
    record = store.named(root, cell)
    net = model.restore(record, root, "last")
    layers = [layer for _, layer in binary_layers(net)]
    if not layers:
        message = f"{record.cell.slug} has no binary layers"
        raise UsageError(message)
    values: dict[Role, list[Tensor]] = {
        "W": [latent(layer.weight, layer.options) for layer in layers]
    }
    binary = [layer.A for layer in layers if not isinstance(layer.A, nn.Identity)]
    if binary:
        found = model.dataset(record.cell, data)
        images, _ = next(iter(found.batches("test", BATCH)))
        values["A"] = _inputs(net, binary, images)
    named = {"W": "latent weights", "A": "latent activations"}
    return {
        role: gap.empirical(
            f"{named[role]} of {record.cell.slug}", torch.cat([x.flatten() for x in v])
        )
        for role, v in values.items()
    }


def _inputs(net: nn.Module, binarizers: list[nn.Module], images: Tensor) -> list[Tensor]:
    """What reaches the binarizers when `images` go through."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].detach())

    hooks = [module.register_forward_pre_hook(keep) for module in binarizers]
    with torch.no_grad():
        net(images.contiguous(memory_format=torch.channels_last))
    for hook in hooks:
        hook.remove()
    return seen
