"""
How fast one network trains here: some steps of the product's own loop, and the time between them.

A step lasts from the end of the one before it to its own, so the making of its batch is in it. The
first step of an epoch and a smaller last one are left out, where there are others.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from bench.data.dataset import Dataset
from bench.errors import BenchError
from bench.spec.cell import Recipe
from bench.train import trainer
from bench.train.model import Model
from bench.train.outcome import Progress
from bench.train.ranks import ALONE, Ranks
from bench.train.resource_meter import resident_mib
from bench.train.snapshot import Snapshot


@dataclass(frozen=True)
class StepTimes:
    """Seconds of the steps of one training, and what it took beside."""

    seconds: tuple[float, ...]  # of each step after warm-up
    first_s: float  # until the first step had ended: compilation, warm-up
    batch: int  # images of a step
    peak_mib: float  # of the device on a GPU; of the process on a CPU
    ends: tuple[float, ...] = ()  # of each epoch after its last step: indicators, evaluation

    @property
    def step_s(self) -> float:
        return statistics.median(self.seconds)

    @property
    def images_per_s(self) -> float:
        return self.batch / self.step_s


def time_steps(
    model: Model,
    data: Dataset,
    recipe: Recipe,
    *,
    steps: int = 20,
    warmup: int = 3,
    compiled: bool = False,
    ready: Callable[[], object] = lambda: None,
    ranks: Ranks = ALONE,
) -> StepTimes:
    """
    Train until `steps` steps after the first `warmup` are timed.

    Args:
        model: on the device of `data`; it is trained.
        ready: called after the last step of warm-up, and not timed.
        ranks: the processes that train together, of which this one leads; the others
            `follow_steps` of the same number.

    Raises:
        BenchError: training diverged before.
    """
    device = next(model.net.parameters()).device
    size = data.sizes["train"]
    timer = _StepTimer(device, recipe.batch_size, size, steps, warmup, ready)
    recipe = _lengthen(recipe, steps, warmup)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        outcome = trainer.train(
            model.net,
            model.clock,
            data,
            recipe,
            0,
            coach=model.coach(recipe),
            teacher=model.teacher,
            compiled=compiled,
            watch=timer,
            checkpointer=timer,
            ranks=ranks,
        )
    except trainer.TrainingStopped:
        return timer.times()
    message = f"no pace: {outcome.diverged}"
    raise BenchError(message)


def follow_steps(
    model: Model,
    data: Dataset,
    recipe: Recipe,
    ranks: Ranks,
    *,
    steps: int,
    warmup: int,
    compiled: bool,
) -> None:
    """Take the steps that the process which leads times, until it has enough."""
    recipe = _lengthen(recipe, steps, warmup)
    coach, teacher = model.coach(recipe), model.teacher
    with suppress(trainer.TrainingStopped):
        trainer.train(
            model.net, model.clock, data, recipe, 0,
            coach=coach, teacher=teacher, compiled=compiled, ranks=ranks,
        )  # fmt: skip


def _lengthen(recipe: Recipe, steps: int, warmup: int) -> Recipe:
    """The recipe with epochs for all of the steps, be they one an epoch."""
    return recipe.model_copy(update={"epochs": max(recipe.epochs, warmup + steps + 1)})


class _StepTimer:
    """Hears the loop, and ends it when enough is timed."""

    def __init__(
        self,
        device: torch.device,
        batch: int,
        images: int,
        steps: int,
        warmup: int,
        ready: Callable[[], object],
    ) -> None:
        self.device, self.batch, self.images = device, min(batch, images), images
        self.missing, self.warmup, self.ready = steps, warmup, ready
        self.step = 0  # in its epoch
        self.marks: list[tuple[str, Any]] = [("begin", self._now())]

    def __call__(self, progress: Progress) -> None:
        if progress.compiling:  # of a step that is still to come
            return
        if progress.acc is not None:
            self._mark("end")
            self.step = 0
            return
        full = self.images // self.batch
        counts = self.step < full and (self.step > 0 or full == 1) and self.warmup <= 0
        self._mark("step" if counts else "other")
        self.missing -= counts
        self.step += 1
        self.warmup -= 1
        if self.warmup == 0:
            self.ready()
            self._mark("other")

    def due(self) -> bool:
        return False

    def stopping(self) -> bool:
        return self.missing <= 0

    def keep(self, snapshot: Snapshot) -> None:
        """Nothing of it is of use."""

    def times(self) -> StepTimes:
        """What was timed; waits for the device once, here."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return StepTimes(
            seconds=tuple(self._spans("step")),
            first_s=self._between(*(mark for _, mark in self.marks[:2])),
            batch=self.batch,
            peak_mib=measure_peak_mib(self.device),
            ends=tuple(self._spans("end")),
        )

    def _spans(self, kind: str) -> Iterator[float]:
        """How long each mark of that kind lies after the one before it."""
        for (_, before), (name, mark) in zip(self.marks, self.marks[1:], strict=False):
            if name == kind:
                yield self._between(before, mark)

    def _mark(self, kind: str) -> None:
        self.marks.append((kind, self._now()))

    def _now(self) -> Any:
        """The time on the device: a GPU's is an event in its stream, and nobody waits for it."""
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def _between(self, before: Any, after: Any) -> float:
        if self.device.type != "cuda":
            return after - before
        return before.elapsed_time(after) / 1000


def measure_peak_mib(device: torch.device) -> float:
    """Peak memory: of the device on a GPU, of the process so far on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resident_mib()
