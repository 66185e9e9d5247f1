"""Batches as a process trains on them: its share of each, and what all processes said of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from bench.data.dataset import Split
from bench.train.ranks import Ranks
from bench.train.snapshot import Snapshot


class Checkpointer(Protocol):
    """Who keeps snapshots. The first two are asked before every step, so they must be quick."""

    def due(self) -> bool:
        """Is it time for one?"""
        ...

    def stopping(self) -> bool:
        """Is training to end here, with a last one?"""
        ...

    def keep(self, snapshot: Snapshot) -> None: ...


@dataclass(frozen=True)
class Batch:
    """
    A process's share of a batch, and what all processes said of it.

    Args:
        count: images of the whole batch.
        own: those of this process; where it is 0 there is one image that does not count.
        stopping, due: does any process want to stop, or a snapshot?
    """

    images: Tensor
    labels: Tensor
    count: int
    own: int
    stopping: bool
    due: bool


def every_batch(
    shares: Iterable[Split], asked: Checkpointer | None, ranks: Ranks
) -> Iterator[Batch]:
    """
    Yield a process's shares of batches; one word goes between processes for each.

    Args:
        shares: images and labels; each process has as many, and some may be empty.
        asked: before each batch whether to stop, and for snapshots.
    """
    for images, labels in shares:
        own = len(images)
        stopping = asked is not None and asked.stopping()
        due = asked is not None and not stopping and asked.due()
        count, stop, keep = ranks.total(own, stopping, due)
        if count and not own:  # the steps of all processes have the same sums in them
            images, labels = images.new_zeros(1, *images.shape[1:]), labels.new_zeros(1)
        yield Batch(images, labels, int(count), own, stop > 0, keep > 0)
