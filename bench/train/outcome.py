"""What training says of itself: while it goes on, and at its end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import Tensor

from bench.results.record import CURVES, Extras, LayerIndicators, Levels
from bench.train.weights import State


@dataclass(frozen=True)
class Progress:
    """Where training stands: `fraction` of `epoch` done; `acc` of the epoch before."""

    epoch: int
    epochs: int
    fraction: float
    acc: float | None
    images_per_s: float | None
    compiling: bool = False  # the next step compiles first


Watch: TypeAlias = Callable[[Progress], None]


@dataclass
class Outcome:
    """What training left behind; `curves` has one value per finished epoch."""

    diverged: str = ""  # why, or nothing
    curves: dict[str, list[float]] = field(default_factory=lambda: {k: [] for k in CURVES})
    indicators: list[LayerIndicators] = field(default_factory=list[LayerIndicators])
    best_epoch: int | None = None  # of those whose network was as binary as it says, if any
    unlike: dict[int, str] = field(default_factory=dict[int, str])  # epoch → why it was not
    levels: Levels | None = None
    extras: Extras | None = None
    best: State = field(default_factory=dict[str, Tensor])  # weights at best_epoch, on the CPU
    last: State = field(default_factory=dict[str, Tensor])  # weights after the last epoch
    images_per_s: float | None = None
    compile_s: float | None = None  # of the step that compiled; no part of any throughput

    def is_best(self, epoch: int, acc: float) -> bool:
        """Is this epoch better than all before it? One that was as binary as it says goes first."""
        if self.best_epoch is None:
            return True
        best = self.curves["test_acc"][self.best_epoch]
        return (epoch not in self.unlike, acc) > (self.best_epoch not in self.unlike, best)
