"""
How far f is from sign, beside how far a baseline is: every figure of a study, on a grid.

    gap(z) = |sign z - f(z)| - |sign z - b(z)|,   b the identity, or hardtanh = clipped STE

A positive gap is a violation of rational. `Gap` is one f at one value of its knob; `Course`
follows the error along the knob, which is what flexible asks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.nn.contract import Surrogate
from bench.spec.choices import Baseline

STEP = 5e-4
TOLERANCE = 1e-9  # of rational and of rises, float64
ROUNDING = 1e-12  # what a violating fraction does not count

BASELINES: dict[Baseline, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "hardtanh": lambda z: z.clamp(-1, 1),
}


@dataclass(frozen=True)
class Sample:
    """Values of z, each with a weight: a distribution for the L2 norm."""

    name: str
    z: Tensor  # (n,)
    weight: Tensor  # (n,)

    def norm(self, error: Tensor) -> Tensor:
        """Root of the mean square of `error` (..., n) over the sample, shaped (...)."""
        return ((error**2 * self.weight).sum(-1) / self.weight.sum()).sqrt()


def half() -> Tensor:
    """z in [0, 3] by 5e-4, float64."""
    return torch.arange(round(3 / STEP) + 1, dtype=torch.float64) * STEP


def grid() -> Tensor:
    """z in [-3, 3] by 5e-4, 0 among them, float64; z ≥ 0 first, so that a tie names them."""
    return torch.cat([half(), -half()[1:]])


def uniform() -> Sample:
    """U(-1, 1), on the grid."""
    z = grid()
    z = z[z.abs() <= 1]
    return Sample("U(-1, 1)", z, torch.ones_like(z))


def normal(deviation: float = 1.0) -> Sample:
    """N(0, deviation²) cut at ±3, on the grid."""
    z = grid()
    return Sample(f"N(0, {deviation:g}²)", z, torch.exp(-((z / deviation) ** 2) / 2))


def empirical(name: str, values: Tensor, most: int = 20_000) -> Sample:
    """Measured values, each with the same weight; evenly spaced ones where there are many."""
    z = values.detach().flatten().double()
    z = z[:: max(1, -(-len(z) // most))]
    return Sample(name, z, torch.ones_like(z))


def error(f: Surrogate, z: Tensor, knob: float) -> Tensor:
    """|sign z - f(z)|; infinite where f is not a number."""
    value = f.f(z, torch.tensor(knob, dtype=torch.float64))
    return (torch.sign(z) - value).abs().nan_to_num(nan=math.inf)


def of_baseline(z: Tensor, baseline: Baseline = "identity") -> Tensor:
    """|sign z - b(z)|."""
    return (torch.sign(z) - BASELINES[baseline](z)).abs()


def ratio(f: Surrogate, knob: float, sample: Sample, baseline: Baseline = "identity") -> float:
    """‖sign z - f(z)‖ / ‖sign z - b(z)‖ over `sample`."""
    against = sample.norm(of_baseline(sample.z, baseline))
    return (sample.norm(error(f, sample.z, knob)) / against).item()


@dataclass(frozen=True)
class Gap:
    """The gap of one f over z in (0, 3]."""

    inner: float  # fraction of (0, 1] that violates
    all: float  # fraction of (0, 3] that violates
    at_one: float  # gap at z = 1
    largest: float
    z: float  # where it is largest

    @classmethod
    def of(cls, f: Surrogate, knob: float, baseline: Baseline = "identity") -> "Gap":
        """Measure f at one value of its knob."""
        z = half()[1:]
        gaps = error(f, z, knob) - of_baseline(z, baseline)
        wrong = gaps > ROUNDING
        place = int(gaps.argmax())
        return cls(
            inner=wrong[z <= 1].double().mean().item(),
            all=wrong.double().mean().item(),
            at_one=gaps[round(1 / STEP) - 1].item(),
            largest=gaps[place].item(),
            z=z[place].item(),
        )


@dataclass(frozen=True)
class Rise:
    """The largest rise of an error along the knob, above its lowest value so far."""

    largest: float
    column: int
    row: int  # where on the way

    @classmethod
    def of(cls, path: Tensor) -> "Rise":
        """Args: path: errors (knob values, columns), in the knob's order."""
        above = path - torch.cummin(path, 0).values
        rise = above.max(0).values.nan_to_num(nan=math.inf)
        column = int(rise.argmax())
        return cls(
            largest=rise[column].item(),
            column=column,
            row=int(above[:, column].argmax()),
        )


@dataclass(frozen=True)
class Course:
    """What flexible asks of f on its way along the knob, over z in (0, 3]."""

    start: float  # sup |f - z| on (0, 1] at the first knob value
    end: float  # sup |f - sign| on [.05, 3] at the last
    rising: float  # fraction of (0, 3] whose error rises somewhere
    rise: float  # the largest sum of rises, falls between them not counted
    z: float  # and where
    l2: tuple[float, float, float]  # ‖1 - f‖ on U(0, 1): first, largest, last

    @classmethod
    def of(cls, f: Surrogate, knobs: Sequence[float]) -> "Course":
        """Follow f along `knobs`, in this order."""
        z = half()[1:]
        errors = torch.stack([error(f, z, k) for k in knobs])
        value = f.f(z, torch.tensor(knobs[0], dtype=torch.float64))
        rises = errors.diff(dim=0).clamp(min=0).sum(0)
        column = int(rises.argmax())
        l2 = errors[:, z <= 1].square().mean(1).sqrt()
        return cls(
            start=(value - z).abs()[z <= 1].max().item(),
            end=errors[-1][z >= 0.05 - STEP / 2].max().item(),
            rising=(rises > TOLERANCE).double().mean().item(),
            rise=rises[column].item(),
            z=z[column].item(),
            l2=(l2[0].item(), l2.max().item(), l2[-1].item()),
        )
