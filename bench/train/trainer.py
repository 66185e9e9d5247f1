"""
The one training loop. It knows nothing of suites, names, files or records.

Between any two steps it can hand out a `Snapshot`, and it goes on from one bit for bit.
"""

import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bench.data.dataset import Dataset
from bench.errors import DataError, UsageError
from bench.nn.clock import Clock
from bench.nn.coach import Coach
from bench.nn.compiler import compile_step
from bench.results.record import CURVES
from bench.spec.cell import Recipe
from bench.train import extras
from bench.train.batches import Batch, Checkpointer, every_batch
from bench.train.divergence import first_bad_step, name_culprit, name_spoilt_parameter
from bench.train.indicators import IndicatorRecorder
from bench.train.learning_rate import epoch_progress, learning_rate
from bench.train.levels import A_FEW, MANY, NOTHING, Claim, counted
from bench.train.observer import Observer
from bench.train.optimizer import make_optimizer
from bench.train.outcome import Outcome, Progress, Watch
from bench.train.random_state import read_random_state, set_random_state
from bench.train.ranks import ALONE, Ranks
from bench.train.snapshot import Position, Snapshot, TrainingState
from bench.train.weights import copy_both, copy_weights, set_both

EVAL_BATCH = 500


class TrainingStopped(Exception):
    """Training ended between two steps because it was asked to; `epoch` had begun."""

    def __init__(self, epoch: int, step: int) -> None:
        super().__init__(f"stopped in epoch {epoch + 1}, before step {step + 1}")
        self.epoch, self.step = epoch, step


def train(
    model: nn.Module,
    clock: Clock,
    data: Dataset,
    recipe: Recipe,
    seed: int,
    *,
    coach: Coach | None = None,
    teacher: nn.Module | None = None,
    claim: Claim = NOTHING,
    compiled: bool = False,
    watch: Watch = lambda _: None,
    resume: Snapshot | None = None,
    checkpointer: Checkpointer | None = None,
    ranks: Ranks = ALONE,
) -> Outcome:
    """
    Train in place and measure once per epoch, up to one that is not finite: no curve has it.

    Args:
        model: on the device of `data`.
        clock: progress is set once before each epoch, as in the reference.
        seed: of data order and augmentation; the model's initialization is the caller's.
        coach: gives the loss and acts around steps; None: cross entropy, and nothing else.
        teacher: what the coach learns from, on the same device; it is left in evaluation mode.
        claim: how binary the network says that it is; the best epoch is one in which it was.
        compiled: run forward and backward of full batches through `torch.compile`.
        watch: called as training goes on; it must not touch the model.
        resume: go on from there, with a model that was built alike; used up by it.
        checkpointer: offered snapshots, if it asks.
        ranks: the processes that train together, all called alike; the outcome of the first counts.

    Raises:
        DataError: an epoch had nothing to train on.
        UsageError: the coach asks for what is not there, its loss is no single number, or `ranks`.
        SnapshotMismatch: `resume` is not of this training; the model is spoilt.
        TrainingStopped: the checkpointer asked for it, and has its snapshot.
    """
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    coach = coach or Coach(recipe)
    loop = _Loop(model, coach, teacher, data, recipe, seed, compiled, watch, checkpointer, ranks)
    if resume:
        loop.resume(resume)
    outcome = loop.state.outcome
    for e in range(loop.first, recipe.epochs):
        clock.set(epoch_progress(recipe, e))
        lr = learning_rate(recipe, e)
        outcome.diverged = loop.epoch(e, lr)
        if outcome.diverged:
            break
        loop.confirm(f"after epoch {e + 1}")
        acc, top5 = _evaluate(loop, e, claim)
        for name, value in zip(CURVES, (loop.loss, acc, top5, lr), strict=True):
            outcome.curves[name].append(value)
        watch(Progress(e + 1, recipe.epochs, 0.0, acc, loop.images_per_s))
    outcome.last = copy_weights(model)
    outcome.indicators = loop.indicators.result() if loop.indicators else []
    outcome.images_per_s, outcome.compile_s = loop.images_per_s, loop.compile_s
    return outcome


def _evaluate(loop: "_Loop", e: int, claim: Claim) -> tuple[float, float]:
    """Return the accuracies after epoch e; the outcome keeps what is best and what multiplies."""
    outcome, last = loop.state.outcome, e + 1 == loop.recipe.epochs
    claim = claim if loop.ranks.leads else NOTHING
    with counted(loop.model, claim, MANY if last else A_FEW) as seen:
        accuracies = accuracy(loop.model, loop.data, loop.ranks)
    if why := seen.unlike():
        outcome.unlike[e] = why
    if outcome.is_best(e, accuracies[0]):
        outcome.best_epoch, outcome.best = e, copy_weights(loop.model)
    if last and seen.image is not None:
        outcome.levels = seen.levels(outcome.unlike)
        outcome.extras = extras.measure(loop.model, loop.coach, seen.image, claim.folds)
    return accuracies


class _Loop:
    """The steps of an epoch, and what is kept between epochs."""

    def __init__(
        self,
        model: nn.Module,
        coach: Coach,
        teacher: nn.Module | None,
        data: Dataset,
        recipe: Recipe,
        seed: int,
        compiled: bool,
        watch: Watch,
        checkpointer: Checkpointer | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        ranks.join(model)
        self.model, self.data, self.recipe = model, data.shared(ranks.share), recipe
        self.ranks = ranks
        self.fewest = 1 if ranks.size == 1 else data.fewest  # images of a batch that trains
        self.watch, self.checkpointer = watch, checkpointer
        self.device = next(model.parameters()).device
        self.coach = coach.to(self.device).train()
        self.observer = Observer(model, coach, teacher and teacher.eval())
        rng, optimizer = torch.Generator().manual_seed(seed), make_optimizer(model, recipe, coach)
        on = recipe.indicators == "on"
        self.indicators = IndicatorRecorder(model, recipe.histograms, ranks) if on else None
        self.state = TrainingState(model, coach, optimizer, rng, self.indicators, self._start_of(0))
        self.full_step = self.loss_of
        if compiled:
            self.full_step = compile_step(self.loss_of, self.device, alone=ranks.size == 1)
        self.compiling = compiled  # not yet done
        self.replays = compiled and self.device.type == "cuda" and ranks.size == 1
        self.compile_s: float | None = None
        self.began: Snapshot | None = None  # where this process began its epoch
        self.first = 0  # the first epoch of this process
        self.loss = math.nan  # mean, of the epoch that ended last
        self.confirmed = False  # that all processes are alike

    def resume(self, past: Snapshot) -> None:
        """Stand where `past` was taken; raises SnapshotMismatch if that was not here."""
        self.state.restore(past, self.recipe, self.data.sizes["train"])
        self.first = past.epoch

    @property
    def images_per_s(self) -> float | None:
        """Training throughput, without a process's first epoch, which warms up, if it can be."""
        seconds = self.state.seconds[1:] or self.state.seconds
        return len(seconds) * self.data.sizes["train"] / sum(seconds) if seconds else None

    def loss_of(self, images: Tensor, labels: Tensor) -> Tensor:
        logits = self.model(images)
        return self.coach.loss(logits, labels, self.observer.take(images))

    def begin_epoch(self, e: int, lr: float) -> None:
        for group in self.state.optimizer.param_groups:
            group["lr"] = lr * group.get("factor", 1.0)
        self.model.train()
        with torch.no_grad():
            self.coach.begin_epoch(e, lr)

    def epoch(self, e: int, lr: float) -> str:
        """One pass over the training split; returns why it diverged, or nothing."""
        state, at = self.state, self.state.at
        self.begin_epoch(e, lr)
        size, order = self.recipe.batch_size, state.rng.get_state()
        started, images = time.perf_counter() - at.elapsed, None
        compiled = 0  # images of a step that compiled, which is not timed
        self.began = None
        for step, batch in self.batches():
            images = batch.images[: batch.own]
            self.offer_snapshot(batch, order, time.perf_counter() - started)
            began = time.perf_counter()
            compiling = self.compiling and batch.count == size
            if compiling:
                self.tell(step, compiling=True)
            loss = self.step(batch)
            if compiling:
                self.compiling, self.compile_s = False, time.perf_counter() - began
                started, compiled = started + self.compile_s, size
            at.add(loss, batch.count)
            self.tell(step)
            self.confirm(f"after step {step + 1} of epoch {e + 1}", once=True)
        self.loss = _mean(at.total, at.seen, e)
        timed = at.seen - compiled  # images
        if timed and (e > self.first or not state.seconds):
            state.seconds.append((time.perf_counter() - started) * at.seen / timed)
        diverged = self.diverged(e)
        if not diverged and self.indicators and images is not None:
            self.indicators.finish_epoch(e, self.model, images, size)
        state.at = self._start_of(e + 1)
        return diverged

    def confirm(self, when: str, *, once: bool = False) -> None:
        """See that all processes are alike, `once` but for the ends of epochs."""
        if self.ranks.size > 1 and not (once and self.confirmed):
            self.confirmed = True
            state = copy_both(self.model, self.coach)
            self.ranks.confirm(state, read_random_state(self.device), when)

    def _start_of(self, epoch: int) -> Position:
        return Position(epoch, torch.zeros((), device=self.device))

    def tell(self, step: int, *, compiling: bool = False) -> None:
        """Say where the epoch stands."""
        fraction = step * self.recipe.batch_size / self.data.sizes["train"]
        epoch, epochs = self.state.at.epoch, self.recipe.epochs
        self.watch(Progress(epoch, epochs, fraction, None, self.images_per_s, compiling))

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """What is left of the epoch, the global generators as they were when it was left."""
        at, size = self.state.at, self.recipe.batch_size
        step = at.step
        if step:
            self.tell(step)  # where training goes on
        shares = self.data.epoch(size, self.state.rng, step + at.empty)
        for batch in every_batch(shares, self.checkpointer, self.ranks):
            if batch.count < self.fewest:
                at.empty += 1
                continue
            if at.generators:
                set_random_state(at.generators, self.device)
                at.generators = None
            yield step, batch
            step += 1

    def offer_snapshot(self, batch: Batch, order: Tensor, elapsed: float) -> None:
        """
        Keep a snapshot if one is asked for, before a step, its batch at hand.

        None is kept after an epoch's last step: the indicators still need the gradients. Nor of an
        epoch that is spoilt already: to name the culprit takes one from before.

        Raises:
            TrainingStopped: it was asked for.
        """
        if self.began is None:
            self.began = self.state.snapshot(order, elapsed)
        wanted = self.checkpointer and (batch.stopping or batch.due)
        if self.checkpointer and wanted and bool(self.state.at.total.isfinite()):
            self.checkpointer.keep(self.state.snapshot(order, elapsed))
        if batch.stopping:
            raise TrainingStopped(self.state.at.epoch, self.state.at.step)

    def step(self, batch: Batch, eager: bool = False) -> Tensor:
        """One update; returns the mean loss before it."""
        full = batch.count == self.recipe.batch_size and not eager
        with torch.no_grad():
            self.coach.before_step()
        if full and self.replays:
            torch.compiler.cudagraph_mark_step_begin()
        self.ranks.leave_out(self.model, not batch.own)
        loss = (self.full_step if full else self.loss_of)(batch.images, batch.labels)
        if loss.ndim:
            message = f"the loss of {type(self.coach).__name__} has the shape {tuple(loss.shape)}"
            raise UsageError(f"{message}; it must be one number")
        self.state.optimizer.zero_grad(set_to_none=True)
        loss = self.ranks.backward(loss, batch.own / batch.count, (self.model, self.coach))
        with torch.no_grad():
            self.coach.after_backward()
            if self.indicators:
                self.indicators.record_step()
            self.state.optimizer.step()
            self.coach.after_step()
        return loss

    def diverged(self, e: int) -> str:
        """What of epoch e is not finite, or nothing."""
        if math.isfinite(self.loss):
            name = name_spoilt_parameter(self.model) or name_spoilt_parameter(self.coach)
            return f"{name} is not finite after epoch {e + 1}" if name else ""
        end, culprit = copy_both(self.model, self.coach), ""
        bad = first_bad_step(self.state.at.losses)
        if self.began and bad is not None:
            bad += self.began.step
            steps = self.steps_again(self.began)
            culprit = name_culprit(self.model, steps, bad, self.step, self.ranks)
        set_both(self.model, self.coach, end)
        return f"the training loss is not finite in epoch {e + 1}{culprit and ': '}{culprit}"

    def steps_again(self, began: Snapshot) -> Iterator[tuple[int, Batch]]:
        """
        The batches of this process's epoch once more, everything as it was before them.

        Raises:
            TrainingStopped: asked for; the snapshot from which the epoch began here is kept.
        """
        self.state.rewind(began)
        for step, batch in self.batches():
            if batch.stopping:
                if self.checkpointer:
                    self.checkpointer.keep(began)
                raise TrainingStopped(self.state.at.epoch, self.state.at.step)
            yield step, batch


def _mean(total: Tensor, seen: int, e: int) -> float:
    """The mean loss of an epoch, out of which a data set may leave damaged files."""
    if not seen:
        message = f"no batch of epoch {e + 1} had two images left to train on"
        raise DataError(message)
    return total.item() / seen


@torch.no_grad()
def accuracy(model: nn.Module, data: Dataset, ranks: Ranks = ALONE) -> tuple[float, float]:
    """
    Fractions of the test split, in [0, 1], whose class has the highest logit, and one of the top 5.

    With K < 5 classes it is the top K. Of several processes each has its share of `data`.

    Raises:
        DataError: not one image could be read.
    """
    model.eval()
    k = min(5, data.num_classes)
    right = torch.zeros(2, dtype=torch.int64, device=next(model.parameters()).device)
    seen = 0
    for images, labels in data.batches("test", EVAL_BATCH):
        logits = model(images.contiguous(memory_format=torch.channels_last))
        first = logits.argmax(1) == labels
        among = (logits.topk(k).indices == labels[:, None]).any(1)
        right += torch.stack([first, first | among]).sum(1)  # ties: top 5 contains top 1
        seen += len(labels)
    first, among, seen = ranks.total(int(right[0]), int(right[1]), seen)
    if not seen:
        message = f"{data.label}: no image of the test split could be read"
        raise DataError(message)
    return first / seen, among / seen
