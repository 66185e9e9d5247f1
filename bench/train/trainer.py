"""
The one training loop. It knows nothing of suites, names, files or records.

Between any two steps it can hand out a `Snapshot`, and it goes on from one bit for bit. An epoch's
order and augmentation are drawn again by the generator as it stood before the epoch, so a
snapshot holds none of the data.
"""

import copy
import hashlib
import math
import random
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.data.dataset import Dataset
from bench.errors import DataError, exhausted
from bench.nn.clock import Clock
from bench.nn.compiler import graph
from bench.results.record import LayerIndicators
from bench.spec.cell import Recipe
from bench.train.indicators import Probe

State: TypeAlias = dict[str, Tensor]
EVAL_BATCH = 500


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
    best_epoch: int | None = None
    best: State = field(default_factory=dict[str, Tensor])  # weights at best_epoch, on the CPU
    last: State = field(default_factory=dict[str, Tensor])  # weights after the last epoch
    images_per_s: float | None = None
    compile_s: float | None = None  # of the step that compiled; no part of any throughput


CURVES = ("train_loss", "test_acc", "test_top5", "lr")


@dataclass(frozen=True)
class Snapshot:
    """Training before step `step` of `epoch`. Tensors are copies on the CPU."""

    epoch: int
    step: int
    weights: State  # every parameter and buffer
    optimizer: dict[int, dict[str, Any]]  # its state by parameter
    order: Tensor  # the loop's generator before the epoch
    generators: dict[str, Any]  # the global ones, before this step
    total: Tensor  # of the losses so far in this epoch
    seen: int  # images so far in this epoch
    sums: list[Tensor]  # what the probe gathered so far in this epoch
    elapsed: float  # seconds so far in this epoch
    seconds: list[float]  # of the epochs that throughput counts
    outcome: Outcome  # so far; without `last`


class Keeper(Protocol):
    """Who keeps snapshots. The first two are asked before every step, so they must be quick."""

    def due(self) -> bool:
        """Is it time for one?"""
        ...

    def stopping(self) -> bool:
        """Is training to end here, with a last one?"""
        ...

    def keep(self, snapshot: Snapshot) -> None: ...


class Misfit(Exception):
    """The snapshot before step `step` of `epoch` is not of this training; nothing was trained."""

    def __init__(self, epoch: int, step: int, why: str) -> None:
        super().__init__(why)
        self.epoch, self.step = epoch, step


class Stopped(Exception):
    """Training ended between two steps because its keeper asked; `epoch` had begun."""

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
    compiled: bool = False,
    watch: Watch = lambda _: None,
    resume: Snapshot | None = None,
    keeper: Keeper | None = None,
) -> Outcome:
    """
    Train in place and measure once per epoch.

    Args:
        model: on the device of `data`.
        clock: progress is set once before each epoch, as in the reference.
        seed: of data order and augmentation; the model's initialization is the caller's.
        compiled: run forward and backward of full batches through `torch.compile`.
        watch: called as training goes on; it must not touch the model.
        resume: go on from there, with a model that was built alike; used up by it.
        keeper: offered snapshots, if it asks.

    Raises:
        DataError: an epoch had nothing to train on.
        Misfit: `resume` is not of this training; the model is spoilt.
        Stopped: the keeper asked for it, and has its snapshot.

    Stops, with `diverged`, at the first epoch whose loss or weights are not finite; that
    epoch leaves nothing in the curves.
    """
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    loop = _Loop(model, data, recipe, seed, compiled, watch, keeper)
    if resume:
        loop.restore(resume)
    outcome = loop.outcome
    for e in range(loop.at.epoch, recipe.epochs):
        clock.set(progress(recipe, e))
        lr = learning_rate(recipe, e)
        outcome.diverged = loop.epoch(e, lr)
        if outcome.diverged:
            break
        acc, top5 = accuracy(model, data)
        if acc > max(outcome.curves["test_acc"], default=-1.0):
            outcome.best_epoch, outcome.best = e, snapshot(model)
        for name, value in zip(CURVES, (loop.loss, acc, top5, lr), strict=True):
            outcome.curves[name].append(value)
        watch(Progress(e + 1, recipe.epochs, 0.0, acc, loop.images_per_s))
    outcome.last = snapshot(model)
    outcome.indicators = loop.probe.result() if loop.probe else []
    outcome.images_per_s, outcome.compile_s = loop.images_per_s, loop.compile_s
    return outcome


@dataclass
class _Place:
    """Where the loop stands, and the sums of its epoch."""

    epoch: int
    total: Tensor
    step: int = 0
    seen: int = 0
    elapsed: float = 0.0
    generators: dict[str, Any] | None = None  # to be restored before the step
    losses: list[Tensor] = field(default_factory=list[Tensor])  # of this process's steps


class _Loop:
    """The steps of an epoch, and what is kept between epochs."""

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        recipe: Recipe,
        seed: int,
        compiled: bool,
        watch: Watch,
        keeper: Keeper | None = None,
    ) -> None:
        self.model, self.data, self.recipe = model, data, recipe
        self.watch, self.keeper = watch, keeper
        self.device = next(model.parameters()).device
        self.rng = torch.Generator().manual_seed(seed)
        self.optimizer = optimizer(model, recipe)
        self.probe = Probe(model, recipe.histograms) if recipe.indicators == "on" else None
        self.full_step = graph(self.loss_of, self.device) if compiled else self.loss_of
        self.compiling = compiled  # not yet done
        self.replays = compiled and self.device.type == "cuda"
        self.compile_s: float | None = None
        self.at = _Place(0, torch.zeros((), device=self.device))
        self.began: Snapshot | None = None  # where this process began its epoch
        self.first = 0  # the first epoch of this process
        self.seconds: list[float] = []
        self.loss = math.nan
        self.outcome = Outcome()

    def restore(self, past: Snapshot) -> None:
        """
        Stand where `past` was taken.

        Raises:
            Misfit: that was in another training, or nowhere.
        """
        try:
            wrong = self.misfit(past)
            if not wrong:
                self.rewind(past)
                restore_generators(past.generators, self.device)  # once more before the step
                if self.probe:
                    self.probe.restore(past.outcome.indicators, past.sums)
        except Exception as error:  # whatever a snapshot that was made up does to its reader
            if exhausted(error) or isinstance(error, torch.AcceleratorError):
                raise  # not the snapshot's fault
            wrong = f"its content ({type(error).__name__})"
        if wrong:
            raise Misfit(past.epoch, past.step, f"{wrong} does not fit")
        self.first, self.seconds, self.outcome = past.epoch, past.seconds, past.outcome

    def misfit(self, past: Snapshot) -> str:
        """What of a snapshot cannot be of this training, or nothing."""
        e, step, so_far = past.epoch, past.step, past.outcome
        parameters, place = list(self.model.parameters()), step * self.recipe.batch_size
        moments = [
            (v.shape, parameters[i].shape)
            for i, values in past.optimizer.items()
            for v in values.values()
            if isinstance(v, Tensor) and v.dim()
        ]
        probe, buffers = self.probe, dict(self.model.named_buffers())
        rows = [len(probe.layers), len(probe.binary_input)] if probe else [0, 0]
        sums = [(step, n, 2) for n in rows] if step and rows[0] else []
        fits = {
            "its network": _shapes(past.weights) == _shapes(buffers | self.model.state_dict()),
            "its epoch": e < self.recipe.epochs and place < self.data.sizes["train"],
            "its optimizer": all(one == other for one, other in moments),
            "its sum of losses": past.total.shape == () and bool(past.total.isfinite()),
            "its curves": {k: len(v) for k, v in so_far.curves.items()} == dict.fromkeys(CURVES, e),
            "its best epoch": so_far.best_epoch in (range(e) if e else [None]),
            "its best weights": not e or _shapes(so_far.best) == _shapes(self.model.state_dict()),
            "its indicators": [len(x.knob) for x in so_far.indicators] == [e] * sum(rows) * (e > 0),
            "its gradients": [tuple(part.shape) for part in past.sums] == sums,
        }
        return next((what for what, does in fits.items() if not does), "")

    def rewind(self, past: Snapshot) -> None:
        """Set what steps change."""
        restore(self.model, past.weights)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": past.optimizer, "param_groups": groups})
        self.rng.set_state(past.order)
        total = past.total.to(self.device)
        self.at = _Place(past.epoch, total, past.step, past.seen, past.elapsed, past.generators)

    def snapshot(self, order: Tensor, elapsed: float) -> Snapshot:
        """What `restore` needs."""
        so_far = replace(
            self.outcome,
            curves=copy.deepcopy(self.outcome.curves),
            indicators=self.probe.result() if self.probe else [],
        )
        state: dict[int, dict[str, Any]] = self.optimizer.state_dict()["state"]
        return Snapshot(
            self.at.epoch,
            self.at.step,
            weights(self.model),
            {i: {k: _copied(v) for k, v in values.items()} for i, values in state.items()},
            order,
            generators(self.device),
            _copied(self.at.total),
            self.at.seen,
            self.probe.sums() if self.probe else [],
            elapsed,
            [*self.seconds],
            so_far,
        )

    @property
    def images_per_s(self) -> float | None:
        """
        Training throughput.

        A process's first epoch warms up and does not count if there are others.
        """
        seconds = self.seconds[1:] or self.seconds
        return len(seconds) * self.data.sizes["train"] / sum(seconds) if seconds else None

    def loss_of(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.model(images), labels)

    def epoch(self, e: int, lr: float) -> str:
        """One pass over the training split; returns why it diverged, or nothing."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.model.train()
        size, order = self.recipe.batch_size, self.rng.get_state()
        started, images = time.perf_counter() - self.at.elapsed, None
        compiled = 0  # images of a step that compiled, which is not timed
        self.began = None
        for step, images, labels in self.batches():
            self.between(order, time.perf_counter() - started)
            began = time.perf_counter()
            compiling = self.compiling and len(images) == size
            if compiling:
                self.tell(step, compiling=True)
            loss = self.step(images, labels)
            if compiling:
                self.compiling, self.compile_s = False, time.perf_counter() - began
                started, compiled = started + self.compile_s, size
            self.at.losses.append(loss)
            self.at.total += loss * len(images)
            self.at.seen += len(images)
            self.at.step += 1
            self.tell(step)
        self.loss = _mean(self.at.total, self.at.seen, e)
        timed = self.at.seen - compiled  # images
        if timed and (e > self.first or not self.seconds):
            seconds = time.perf_counter() - started
            self.seconds.append(seconds * self.at.seen / timed)
        diverged = self.diverged(e)
        if not diverged and self.probe and images is not None:
            self.probe.epoch(e, self.model, images, size)
        self.at = _Place(e + 1, torch.zeros((), device=self.device))
        return diverged

    def tell(self, step: int, *, compiling: bool = False) -> None:
        """Say where the epoch stands."""
        fraction = step * self.recipe.batch_size / self.data.sizes["train"]
        epoch, epochs = self.at.epoch, self.recipe.epochs
        self.watch(Progress(epoch, epochs, fraction, None, self.images_per_s, compiling))

    def batches(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """
        What is left of the epoch, the global generators as they were when it was left.

        Raises:
            Stopped: the keeper wants that while batches are passed over; it has a later snapshot.
        """
        for step, batch in enumerate(self.data.epoch(self.recipe.batch_size, self.rng)):
            if step < self.at.step:
                if self.keeper and self.keeper.stopping():
                    raise Stopped(self.at.epoch, self.at.step)
                self.tell(self.at.step)  # it takes its time, where images are decoded
                continue
            if self.at.generators:
                restore_generators(self.at.generators, self.device)
                self.at.generators = None
            yield step, *batch

    def between(self, order: Tensor, elapsed: float) -> None:
        """
        The moment before a step, its batch at hand.

        No snapshot is kept after an epoch's last step: the probe still needs the gradients. Nor
        of an epoch that is spoilt already: `culprit` needs one from before.

        Raises:
            Stopped: the keeper wants that.
        """
        if self.began is None:
            self.began = self.snapshot(order, elapsed)
        if not self.keeper:
            return
        stopping = self.keeper.stopping()
        if (stopping or self.keeper.due()) and bool(self.at.total.isfinite()):
            self.keeper.keep(self.snapshot(order, elapsed))
        if stopping:
            raise Stopped(self.at.epoch, self.at.step)

    def step(self, images: Tensor, labels: Tensor, eager: bool = False) -> Tensor:
        """One update; returns the mean loss before it."""
        full = len(images) == self.recipe.batch_size and not eager
        if full and self.replays:
            torch.compiler.cudagraph_mark_step_begin()
        loss = (self.full_step if full else self.loss_of)(images, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.probe:
            self.probe.step()
        self.optimizer.step()
        return loss.detach().clone()  # a replayed graph writes the next one over it

    def diverged(self, e: int) -> str:
        """What of epoch e is not finite, or nothing."""
        if not math.isfinite(self.loss):
            end = weights(self.model)
            where = self.culprit()
            restore(self.model, end)
            return f"the training loss is not finite in epoch {e + 1}{where and ': '}{where}"
        for name, parameter in self.model.named_parameters():
            if not bool(parameter.isfinite().all()):
                return f"{name} is not finite after epoch {e + 1}"
        return ""

    def culprit(self) -> str:
        """
        Which layer spoilt the epoch, at which step; nothing if that cannot be found.

        In the end every layer is spoilt, and to look while training would be to wait for the device
        at each step. So the steps up to the first bad loss are taken again as they were, which
        takes no longer than they did, and that one uncompiled and watched.

        Raises:
            Stopped: the keeper wants that, and has the snapshot from which the epoch began here.
        """
        sound: list[bool] = torch.stack(self.at.losses).isfinite().tolist()  # pyright: ignore
        if self.began is None or all(sound):
            return ""
        bad = self.began.step + sound.index(False)
        self.rewind(self.began)
        for step, images, labels in self.batches():
            if self.keeper and self.keeper.stopping():
                self.keeper.keep(self.began)
                raise Stopped(self.at.epoch, self.at.step)
            if step == bad:
                return self.examined(step, images, labels)
            self.step(images, labels)
        return ""

    def examined(self, step: int, images: Tensor, labels: Tensor) -> str:
        """Which layer spoils a step, or nothing."""
        with _watched(self.model) as spoilt:
            loss = self.step(images, labels, eager=True)
        if spoilt:
            return f"{spoilt[0]} is the first layer whose output is not finite, at step {step + 1}"
        return "" if bool(loss.isfinite()) else f"at step {step + 1}, where every layer's output is"


@contextmanager
def _watched(model: nn.Module) -> Generator[list[str], None, None]:
    """The layers with weights whose output is not finite, in forward order, as they are run."""
    spoilt: list[str] = []

    def look(name: str, module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and not bool(output.isfinite().all()):
            spoilt.append(f"{name or 'the network'} ({type(module).__name__})")

    modules: dict[str, nn.Module] = dict(model.named_modules())  # pyright: ignore
    hooks = [
        module.register_forward_hook(partial(look, name))
        for name, module in modules.items()
        if next(module.parameters(recurse=False), None) is not None
    ]
    try:
        yield spoilt
    finally:
        for hook in hooks:
            hook.remove()


def _mean(total: Tensor, seen: int, e: int) -> float:
    """The mean loss of an epoch, out of which a data set may leave damaged files."""
    if not seen:
        message = f"no batch of epoch {e + 1} had two images left to train on"
        raise DataError(message)
    return total.item() / seen


def progress(recipe: Recipe, e: int) -> float:
    """p of epoch e = 0..E-1: e/E, which never reaches 1, or e/(E-1)."""
    return e / (recipe.epochs if recipe.progress == "e/E" else max(recipe.epochs - 1, 1))


def learning_rate(recipe: Recipe, e: int) -> float:
    """
    The learning rate of epoch e = 0..E-1, constant within it.

    Warm-up, W epochs: lr (e+1)/W. Then, with d = max(W - 1, 0),
    `reference`: lr (1 + cos(π(e - 2d)/(E - d))) / (1 + cos(πd/(E - d))), the released code's
    cosine, which lags d epochs; `clean`: lr (1 + cos(π(e - W)/(E - W))) / 2.
    """
    epochs, warmup = recipe.epochs, recipe.warmup
    if e < warmup:
        return recipe.lr * (e + 1) / warmup
    if recipe.lr_rule == "clean":
        return recipe.lr * (1 + math.cos(math.pi * (e - warmup) / (epochs - warmup))) / 2
    d = max(warmup - 1, 0)
    wave = 1 + math.cos(math.pi * (e - 2 * d) / (epochs - d))
    return recipe.lr * wave / (1 + math.cos(math.pi * d / (epochs - d)))


def optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD or AdamW over all parameters in one group, as in the reference."""
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(
            model.parameters(), recipe.lr, weight_decay=recipe.weight_decay, fused=True
        )
    return torch.optim.SGD(
        model.parameters(),
        recipe.lr,
        recipe.momentum,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


@torch.no_grad()
def accuracy(model: nn.Module, data: Dataset) -> tuple[float, float]:
    """
    Fractions of the test split, in [0, 1], whose class has the highest logit, and one of the top 5.

    With K < 5 classes it is the top K.
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
    top1, top5 = (int(n) / seen for n in right)
    return top1, top5


def snapshot(model: nn.Module) -> State:
    """A copy of every parameter and buffer that a model's state has, on the CPU."""
    return {k: _copied(v) for k, v in model.state_dict().items()}


def weights(model: nn.Module) -> State:
    """A copy of every parameter and buffer, those outside the model's state too, on the CPU."""
    return {k: _copied(v) for k, v in model.named_buffers()} | snapshot(model)


@torch.no_grad()
def restore(model: nn.Module, state: State) -> None:
    """Set what `weights` returned."""
    model.load_state_dict({k: state[k] for k in model.state_dict()})
    for name, buffer in model.named_buffers():
        buffer.copy_(state[name])


def generators(device: torch.device) -> dict[str, Any]:
    """The states of all global random generators, in tensors and plain values."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - plugins may use it
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys, np.int64)), *rest),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_generators(states: dict[str, Any], device: torch.device) -> None:
    """Set what `generators` returned; a GPU's only if there is one on both sides."""
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(states["python"])
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def _shapes(state: State) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in state.items()}


def _copied(value: Any) -> Any:
    return value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else value


def digest(state: State) -> str:
    """SHA-256 of names, types, shapes and bytes."""
    sha = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        sha.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        sha.update(tensor.contiguous().numpy().tobytes())
    return sha.hexdigest()
