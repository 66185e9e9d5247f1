"""What sign sees in a trained network: its latent weights, and its latent activations."""

from pathlib import Path

import torch
from torch import Tensor

from bench.errors import UsageError
from bench.nn.layers import binary_inputs, binary_layers, latent, latent_inputs
from bench.properties import estimating_error
from bench.properties.estimating_error import WeightedSample
from bench.results import cell_folders
from bench.spec.cell import Role
from bench.train import evaluation, model

BATCH = 100


def sample_latents(cell: str, root: Path, data: Path | None) -> dict[Role, WeightedSample]:
    """
    Samples over all binary layers of a recorded cell, with its last weights.

    The activations are those of the first `BATCH` test images.

    Raises:
        UsageError: no such cell, no weights, or no binary layers.
        DataError: the cell's data is not there or changed.
    """
    record = cell_folders.find_record(root, cell)
    net = model.load_recorded(record, root, "last")
    layers = binary_layers(net)
    if not layers:
        message = f"{record.cell.slug} has no binary layers"
        raise UsageError(message)
    values: dict[Role, list[Tensor]] = {
        "W": [latent(layer.weight, layer.options) for _, layer in layers]
    }
    if binary_inputs(layers):
        dataset = evaluation.load_recorded_dataset(record, root, data)
        images, _ = next(iter(dataset.batches("test", BATCH)))
        images = images.contiguous(memory_format=torch.channels_last)
        values["A"] = [*latent_inputs(net, images).values()]
    named = {"W": "latent weights", "A": "latent activations"}
    return {
        role: estimating_error.empirical_sample(
            f"{named[role]} of {record.cell.slug}", torch.cat([x.flatten() for x in v])
        )
        for role, v in values.items()
    }
