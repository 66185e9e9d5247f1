"""
Training between two steps, as a value: taken, judged and restored bit for bit.

An epoch's order and augmentation are drawn again by the generator as it stood before the epoch, so
a snapshot holds none of the data.
"""

import copy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import exhausted
from bench.nn.coach import Coach
from bench.results.record import CURVES
from bench.spec.cell import Recipe
from bench.train.indicators import IndicatorRecorder
from bench.train.optimizer import Optimizer, optimized
from bench.train.outcome import Outcome
from bench.train.random_state import read_random_state, set_random_state
from bench.train.weights import State, copy_both, set_both, to_cpu

# Torch's fused steps do not look whether these are as large as their parameters.
MOMENTS = ("momentum_buffer", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Snapshot:
    """Training before step `step` of `epoch`. Tensors are copies on the CPU."""

    epoch: int
    step: int
    weights: State  # every parameter and buffer, those of the coach under `coach/`
    optimizer: dict[int, dict[str, Any]]  # its state by parameter
    order: Tensor  # the loop's generator before the epoch
    generators: dict[str, Any]  # the global ones, before this step
    total: Tensor  # of the losses so far in this epoch
    seen: int  # images so far in this epoch
    sums: list[Tensor]  # what the indicators gathered so far in this epoch
    elapsed: float  # seconds so far in this epoch
    seconds: list[float]  # of the epochs that throughput counts
    outcome: Outcome  # so far; without `last`
    empty: int = 0  # batches so far in this epoch that had nothing to train on; they are no steps


class SnapshotMismatch(Exception):
    """The snapshot before step `step` of `epoch` is not of this training; nothing was trained."""

    def __init__(self, epoch: int, step: int, why: str) -> None:
        super().__init__(why)
        self.epoch, self.step = epoch, step


@dataclass
class Position:
    """Where training stands, and the sums of its epoch."""

    epoch: int
    total: Tensor
    step: int = 0
    seen: int = 0
    elapsed: float = 0.0
    generators: dict[str, Any] | None = None  # to be restored before the step
    losses: list[Tensor] = field(default_factory=list[Tensor])  # of this process's steps
    empty: int = 0  # batches that were no steps

    def add(self, loss: Tensor, images: int) -> None:
        """A step is done, of so many images with that mean loss."""
        self.losses.append(loss)
        self.total += loss * images
        self.seen += images
        self.step += 1


@dataclass
class TrainingState:
    """All that steps and epochs change."""

    model: nn.Module
    coach: Coach
    optimizer: Optimizer
    rng: torch.Generator  # of data order and augmentation
    indicators: IndicatorRecorder | None
    at: Position
    seconds: list[float] = field(default_factory=list[float])  # of the epochs that count
    outcome: Outcome = field(default_factory=Outcome)  # so far; without `last`

    @property
    def device(self) -> torch.device:
        return self.at.total.device

    def snapshot(self, order: Tensor, elapsed: float) -> Snapshot:
        """
        Copy all that `restore` needs.

        Args:
            order: state of the generator `rng` before the epoch.
            elapsed: seconds so far in the epoch.
        """
        so_far = replace(
            self.outcome,
            curves=copy.deepcopy(self.outcome.curves),
            unlike=dict(self.outcome.unlike),
            indicators=self.indicators.result() if self.indicators else [],
        )
        state: dict[int, dict[str, Any]] = self.optimizer.state_dict()["state"]
        return Snapshot(
            self.at.epoch,
            self.at.step,
            copy_both(self.model, self.coach),
            {i: {k: to_cpu(v) for k, v in values.items()} for i, values in state.items()},
            order,
            read_random_state(self.device),
            to_cpu(self.at.total),
            self.at.seen,
            self.indicators.sums() if self.indicators else [],
            elapsed,
            [*self.seconds],
            so_far,
            self.at.empty,
        )

    def restore(self, past: Snapshot, recipe: Recipe, images: int) -> None:
        """
        Stand where `past` was taken, in a training by `recipe` on so many images.

        Raises:
            SnapshotMismatch: that was in another training, or nowhere.
        """
        try:
            wrong = self._mismatch(past, recipe, images)
            if not wrong:
                self.rewind(past)
                set_random_state(past.generators, self.device)  # once more before the step
                if self.indicators:
                    self.indicators.restore(past.outcome.indicators, past.sums)
        except Exception as error:  # whatever a snapshot that was made up does to its reader
            if exhausted(error) or isinstance(error, torch.AcceleratorError):
                raise  # not the snapshot's fault
            wrong = f"its content ({type(error).__name__})"
        if wrong:
            raise SnapshotMismatch(past.epoch, past.step, f"{wrong} does not fit")
        self.seconds, self.outcome = past.seconds, past.outcome

    def rewind(self, past: Snapshot) -> None:
        """Set weights, optimizer, order and position as they were; what epochs left stays."""
        set_both(self.model, self.coach, past.weights)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": past.optimizer, "param_groups": groups})
        self.rng.set_state(past.order)
        total = past.total.to(self.device)
        self.at = Position(
            past.epoch, total, past.step, past.seen, past.elapsed, past.generators, empty=past.empty
        )

    def _mismatch(self, past: Snapshot, recipe: Recipe, images: int) -> str:
        """Name what of a snapshot cannot be of this training, or nothing."""
        e, step, so_far = past.epoch, past.step, past.outcome
        parameters, recorder = optimized(self.optimizer), self.indicators
        moments = [
            (v.shape, parameters[i].shape)
            for i, values in past.optimizer.items()
            for name, v in values.items()
            if isinstance(v, Tensor) and (v.dim() or name in MOMENTS)
        ]
        weights, tensors = self.model.state_dict(), copy_both(self.model, self.coach)
        layers = [len(recorder.layers), len(recorder.binary_input)] if recorder else [0, 0]
        sums = [(step, n, 2) for n in layers] if step and layers[0] else []
        fits = {
            "its network": _shapes(past.weights) == _shapes(tensors),
            "its epoch": e < recipe.epochs and (step + past.empty) * recipe.batch_size < images,
            "its optimizer": all(one == other for one, other in moments),
            "its sum of losses": past.total.shape == () and bool(past.total.isfinite()),
            "its curves": {k: len(v) for k, v in so_far.curves.items()} == dict.fromkeys(CURVES, e),
            "its best epoch": so_far.best_epoch in (range(e) if e else [None]),
            "its epochs of other bits": all(epoch in range(e) for epoch in so_far.unlike),
            "its best weights": not e or _shapes(so_far.best) == _shapes(weights),
            "its indicators": [len(x.knob) for x in so_far.indicators]
            == ([e] * sum(layers) if e else []),
            "its gradients": [tuple(part.shape) for part in past.sums] == sums,
        }
        return next((what for what, does in fits.items() if not does), "")


def _shapes(state: State) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in state.items()}
