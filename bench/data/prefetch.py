"""
A batch on its way to the device: copied by a stream of its own while the present one trains.

A copy overlaps training if its source is pinned, if it is begun before the batch is wanted, and if
the stream that trains waits for that copy alone. On the CPU the same calls go to torch's streams
that do nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class PendingCopy:
    """Tensors on their way, and the event that ends it; `CopyStream.wait_for` them before use."""

    tensors: tuple[Tensor, ...]
    event: Any


class CopyStream:
    """The side stream of one device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.api: Any = torch.cuda if device.type == "cuda" else torch.cpu
        self.side = torch.cuda.Stream(device) if device.type == "cuda" else torch.cpu.Stream()

    def start_copy(self, *tensors: Tensor) -> PendingCopy:
        """Begin to copy; returns at once where the device is a GPU."""
        with self.api.stream(self.side):
            moved = tuple(self._pinned(x).to(self.device, non_blocking=True) for x in tensors)
        return PendingCopy(moved, self.side.record_event())

    def wait_for(self, sent: PendingCopy) -> tuple[Tensor, ...]:
        """
        The tensors, for use by the present stream.

        It waits for their copy, not for one sent later; the side stream leaves their memory alone
        until the present one is done with it.
        """
        now = self.api.current_stream(self.device)
        now.wait_event(sent.event)
        for x in sent.tensors:
            if x.is_cuda:
                x.record_stream(now)
        return sent.tensors

    def _pinned(self, x: Tensor) -> Tensor:
        return x.pin_memory() if self.device.type == "cuda" else x


@cache
def copy_stream(device: torch.device) -> CopyStream:
    """Return the one copy stream to `device`: each stream keeps freed memory of its own."""
    return CopyStream(device)


def prefetch(items: Iterable[T], n: int) -> Iterator[T]:
    """The same items, each after the `n` that follow it were made."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > n:
            yield waiting.popleft()
    yield from waiting
