"""
The indicators e (estimating error) and s (gradient instability), observed while training.

An observer: it changes no number of training. What a step leaves behind stays on the device
until the epoch ends. Records keep raw values per layer and epoch; `leaderboard` turns
them into the definitions of the paper, of its code, and a scale-free one.
"""

import math
import sys
from collections.abc import Iterable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from bench.nn.contract import Surrogate, SurrogateBinarizer
from bench.nn.layers import BinaryLayer, binary_inputs, binary_layers, latent, latent_inputs
from bench.results.record import Histogram, LayerIndicators
from bench.spec.cell import Role
from bench.train.ranks import ALONE, Ranks

BINS = 64
Layers: TypeAlias = list[tuple[str, BinaryLayer]]


class IndicatorRecorder:
    """Watches every binary layer of one model."""

    def __init__(
        self, model: nn.Module, histogram_epochs: Iterable[int], ranks: Ranks = ALONE
    ) -> None:
        self.ranks = ranks
        self.layers: Layers = binary_layers(model)
        self.binary_input: Layers = binary_inputs(self.layers)
        for _, layer in self.binary_input:
            layer.tap = torch.zeros(2, device=layer.weight.device, requires_grad=True)
        self.histogram_epochs = set(histogram_epochs)
        self.steps: list[tuple[Tensor, Tensor]] = []  # per step: (layers, 2) sums for W and A
        self.sizes: dict[tuple[str, Role], int] = {}
        self.rows: dict[tuple[str, Role], list[dict[str, float]]] = {}
        self.histograms: dict[tuple[str, Role], list[Histogram]] = {}

    @torch.no_grad()
    def record_step(self) -> None:
        """Gather Σ|g| and Σg² of every latent tensor; call between backward and zero_grad."""
        if not self.layers:
            return
        grads = [_gradient(layer.weight) for _, layer in self.layers]
        norms = (torch._foreach_norm(grads, order) for order in (1, 2))  # pyright: ignore
        ones, twos = (torch.stack(list(n)) for n in norms)
        taps = [_gradient(layer.tap) for _, layer in self.binary_input if layer.tap is not None]
        activations = torch.stack(taps) if taps else ones.new_zeros(0, 2)
        self.steps.append((torch.stack([ones, twos.square()], 1), activations))
        for _, layer in self.binary_input:
            if layer.tap is not None:
                layer.tap.grad = None

    @torch.no_grad()
    def finish_epoch(self, epoch: int, model: nn.Module, last: Tensor, batch_size: int) -> None:
        """
        Reduce the epoch's steps, and measure e.

        A sum that overflows float32 stands as the largest double.

        Args:
            last: the epoch's last batch as training saw it, or this process's share of it.
            batch_size: of a full step; every step but the last has it.
        """
        if not self.layers:
            return
        inputs = latent_inputs(model, last)
        for index, role in enumerate(("W", "A")):
            named: Layers = self.layers if role == "W" else self.binary_input
            sums = torch.stack([step[index] for step in self.steps]).cpu().double()
            for position, (name, layer) in enumerate(named):
                z = latent(layer.weight, layer.options) if role == "W" else inputs[name]
                ranks = ALONE if role == "W" else self.ranks  # weights are the same everywhere
                full = z.numel() if role == "W" else z.shape[1:].numel() * batch_size
                sizes = torch.full((len(sums),), full, dtype=torch.float64)
                binarizer = layer.W if role == "W" else layer.A
                errors = _errors(z, binarizer, role, ranks)
                sizes[-1] = errors["n"]
                row = _moments(sums[:, position], sizes) | errors
                self.sizes[name, role] = full
                self.rows.setdefault((name, role), []).append(_finite(row))
                if epoch in self.histogram_epochs:
                    gradient = layer.weight.grad if role == "W" else None
                    self._histogram(epoch, (name, role), z, binarizer, gradient, ranks)
        self.steps.clear()

    def result(self) -> list[LayerIndicators]:
        """What was seen, one entry per layer and role."""
        return [
            LayerIndicators(
                layer=name,
                role=role,
                n_grad=self.sizes[name, role],
                histograms=self.histograms.get((name, role), []),
                **{key: [row[key] for row in rows] for key in rows[0]},  # pyright: ignore[reportArgumentType]
            )
            for (name, role), rows in self.rows.items()
        ]

    def sums(self) -> list[Tensor]:
        """What this epoch's steps left so far, for W and A: (steps, layers, 2) each, on the CPU."""
        return [torch.stack(parts).cpu() for parts in zip(*self.steps, strict=True)]

    def restore(self, seen: list[LayerIndicators], sums: list[Tensor]) -> None:
        """Go on from a `result` and the `sums` of the epoch that had begun."""
        for x in seen:
            lists = x.model_dump(exclude={"layer", "role", "n_grad", "histograms"})
            rows = zip(*lists.values(), strict=True)
            self.sizes[x.layer, x.role] = x.n_grad
            self.rows[x.layer, x.role] = [dict(zip(lists, row, strict=True)) for row in rows]
            self.histograms[x.layer, x.role] = list(x.histograms)
        if sums:
            device = self.layers[0][1].weight.device
            weights, activations = (part.to(device).unbind() for part in sums)
            self.steps = list(zip(weights, activations, strict=True))

    def _histogram(
        self,
        epoch: int,
        key: tuple[str, Role],
        z: Tensor,
        binarizer: nn.Module,
        gradient: Tensor | None,
        ranks: Ranks,
    ) -> None:
        kept = self.histograms.setdefault(key, [])
        if gradient is not None:
            kept.append(_histogram(epoch, "gradient", gradient))
        if isinstance(binarizer, SurrogateBinarizer):
            error = torch.sign(z) - binarizer.surrogate.f(z, binarizer.over(z))
            kept.append(_histogram(epoch, "error", error, ranks))


def _finite(row: dict[str, float]) -> dict[str, float]:
    """JSON has no infinity."""
    largest = sys.float_info.max
    return {k: v if math.isfinite(v) else largest for k, v in row.items()}


def _gradient(x: Tensor) -> Tensor:
    """The gradient of a leaf; zero where nothing reached it."""
    return torch.zeros_like(x) if x.grad is None else x.grad


def _moments(sums: Tensor, sizes: Tensor) -> dict[str, float]:
    """Mean and unbiased variance of |g| from Σ|g| and Σg² (steps, 2) of `sizes` values."""
    mean = sums[:, 0] / sizes
    var = ((sums[:, 1] - sizes * mean**2) / (sizes - 1)).clamp(min=0)
    return {
        "grad_mean_last": mean[-1].item(),
        "grad_var_last": var[-1].item(),
        "grad_mean": mean.mean().item(),
        "grad_var": var.mean().item(),
    }


def _errors(z: Tensor, binarizer: nn.Module, role: Role, ranks: Ranks) -> dict[str, float]:
    """‖sign(z) - f(z)‖₂ for the four f of a record; 0 for a binarizer that is no surrogate."""
    n, zeros = (int(x) for x in ranks.total(z.numel(), int((z == 0).sum())))
    row: dict[str, float] = {"n": n, "zeros": zeros, "knob": 0.0}
    if not isinstance(binarizer, SurrogateBinarizer):
        names = ("now_used", "now_pure", "end_used", "end_pure")
        return row | {f"error_{name}": 0.0 for name in names}
    used = binarizer.surrogate
    now = binarizer.over(z)
    knob = used.knob(role)
    end = now if knob is None or knob.learned else torch.full_like(now, max(knob.end, knob.floor))
    row["knob"] = now.mean().item()  # of one per channel
    for moment, at in (("now", now), ("end", end)):
        for form, f in (("used", used), ("pure", used.pure())):
            row[f"error_{moment}_{form}"] = ranks.norm(_distance(f, z, at))
    return row


def _distance(f: Surrogate, z: Tensor, knob: Tensor) -> float:
    distance = torch.linalg.vector_norm(torch.sign(z) - f.f(z, knob))  # pyright: ignore
    return distance.item()  # pyright: ignore


def _histogram(epoch: int, quantity: str, x: Tensor, ranks: Ranks = ALONE) -> Histogram:
    x = x.detach().float().cpu().nan_to_num()
    low, high = (x.min().item(), x.max().item()) if x.numel() else (math.inf, -math.inf)
    low, high = ranks.least(low), -ranks.least(-high)
    own: list[float] = torch.histc(x, BINS, low, high).tolist()  # pyright: ignore
    counts = ranks.total(*own)
    return Histogram.model_validate(
        {
            "epoch": epoch,
            "quantity": quantity,
            "low": low,
            "high": high,
            "counts": [int(c) for c in counts],
        }
    )
