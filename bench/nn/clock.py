"""Training progress, and the knobs that are set from it before each epoch."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Dial(nn.Module):
    """
    One knob's current value, shared by all layers that use it.

    A 0-d float64 tensor: refilling it never recompiles a graph and never waits for a
    device, and, being 0-d, it leaves float32 and bfloat16 arithmetic in their own dtype.
    """

    value: Tensor

    def __init__(self, path: Callable[[float], float]) -> None:
        super().__init__()
        self.path = path
        self.register_buffer("value", torch.zeros((), dtype=torch.float64), persistent=False)
        self.set(0.0)

    def set(self, p: float) -> None:
        """Turn the dial to progress p in [0, 1]."""
        self.value.fill_(self.path(p))


class Clock:
    """Training progress p in [0, 1], and every dial that follows it."""

    def __init__(self) -> None:
        self.p = 0.0
        self.dials: dict[object, Dial] = {}

    def dial(self, key: object, path: Callable[[float], float]) -> Dial:
        """Return the dial named `key`, made on first use; `path` maps p to the knob."""
        if key not in self.dials:
            self.dials[key] = Dial(path)
        return self.dials[key]

    def set(self, p: float) -> None:
        """Move to progress p."""
        self.p = p
        for dial in self.dials.values():
            dial.set(p)
