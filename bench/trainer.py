"""The one training loop. It knows nothing of suites, names, files or records."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.binary import Clock
from bench.cell import Recipe
from bench.data import Dataset
from bench.errors import DataError
from bench.indicators import Probe
from bench.record import LayerIndicators

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


CURVES = ("train_loss", "test_acc", "test_top5", "lr")


def train(
    model: nn.Module,
    clock: Clock,
    data: Dataset,
    recipe: Recipe,
    seed: int,
    *,
    compiled: bool = False,
    watch: Watch = lambda _: None,
) -> Outcome:
    """
    Train in place and measure once per epoch.

    Args:
        model: on the device of `data`.
        clock: progress is set once before each epoch, as in the reference.
        seed: of data order and augmentation; the model's initialization is the caller's.
        compiled: run forward and backward of full batches through `torch.compile`.
        watch: called as training goes on; it must not touch the model.

    Raises:
        DataError: an epoch had nothing to train on.

    Stops, with `diverged`, at the first epoch whose loss or weights are not finite; that
    epoch leaves nothing in the curves.
    """
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    loop = _Loop(model, data, recipe, seed, compiled, watch)
    outcome = Outcome()
    for e in range(recipe.epochs):
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
    outcome.images_per_s = loop.images_per_s
    return outcome


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
    ) -> None:
        self.model, self.data, self.recipe, self.watch = model, data, recipe, watch
        self.rng = torch.Generator().manual_seed(seed)
        self.optimizer = optimizer(model, recipe)
        self.probe = Probe(model, recipe.histograms) if recipe.indicators == "on" else None
        self.full_step = torch.compile(self.loss_of, dynamic=False) if compiled else self.loss_of
        self.seconds: list[float] = []
        self.loss = math.nan

    @property
    def images_per_s(self) -> float | None:
        """Training throughput; the first epoch warms up and does not count if others follow."""
        seconds = self.seconds[1:] or self.seconds
        return len(seconds) * self.data.sizes["train"] / sum(seconds) if seconds else None

    def loss_of(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.model(images), labels)

    def epoch(self, e: int, lr: float) -> str:
        """One pass over the training split; returns why it diverged, or nothing."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.model.train()
        started = time.perf_counter()
        size, n = self.recipe.batch_size, self.data.sizes["train"]
        device = next(self.model.parameters()).device
        total, seen, images = torch.zeros((), device=device), 0, None
        for step, (images, labels) in enumerate(self.data.epoch(size, self.rng)):
            loss_of = self.full_step if len(images) == size else self.loss_of
            loss = loss_of(images, labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if self.probe:
                self.probe.step()
            self.optimizer.step()
            total += loss.detach() * len(images)
            seen += len(images)
            self.watch(Progress(e, self.recipe.epochs, step * size / n, None, self.images_per_s))
        self.loss = _mean(total, seen, e)
        self.seconds.append(time.perf_counter() - started)
        if not math.isfinite(self.loss):
            return f"the training loss is not finite in epoch {e}"
        for name, weights in self.model.named_parameters():
            if not bool(weights.isfinite().all()):
                return f"{name} is not finite after epoch {e}"
        if self.probe and images is not None:
            self.probe.epoch(e, self.model, images, size)
        return ""


def _mean(total: Tensor, seen: int, e: int) -> float:
    """The mean loss of an epoch, out of which a data set may leave damaged files."""
    if not seen:
        message = f"no batch of epoch {e} had two images left to train on"
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
    """A copy of every parameter and buffer, on the CPU."""
    return {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}


def digest(state: State) -> str:
    """SHA-256 of names, types, shapes and bytes."""
    sha = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        sha.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        sha.update(tensor.contiguous().numpy().tobytes())
    return sha.hexdigest()
