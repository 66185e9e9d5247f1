"""The global random generators: read and set, whoever may draw from them."""

import random
from typing import Any

import numpy as np
import torch


def read_random_state(device: torch.device) -> dict[str, Any]:
    """Return the states of all global random generators, in tensors and plain values."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - plugins may use it
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys, np.int64)), *rest),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_state(states: dict[str, Any], device: torch.device) -> None:
    """Set what `read_random_state` returned; a GPU's only if there is one on both sides."""
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(states["python"])
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
