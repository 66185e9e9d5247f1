"""
How far f is from sign, beside how far a baseline is, on a grid of z or over a sample of it.

    gap(z) = |sign z - f(z)| - |sign z - b(z)|,   b the identity, or hardtanh = clipped STE

A positive gap is a violation of rational. A rise of the error along the knob is what flexible
rules out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.nn.contract import Surrogate
from bench.spec.choices import Baseline

STEP = 5e-4
TOLERANCE = 1e-9  # of rational and of rises, float64
ROUNDING = 1e-12  # what a violating fraction does not count

BASELINE_FUNCTIONS: dict[Baseline, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "hardtanh": lambda z: z.clamp(-1, 1),
}


@dataclass(frozen=True)
class WeightedSample:
    """Values of z, each with a weight: a distribution for the L2 norm."""

    name: str
    z: Tensor  # (n,)
    weight: Tensor  # (n,)

    def norm(self, error: Tensor) -> Tensor:
        """Root of the mean square of `error` (..., n) over the sample, shaped (...)."""
        return ((error**2 * self.weight).sum(-1) / self.weight.sum()).sqrt()


def half_grid() -> Tensor:
    """z in [0, 3] by 5e-4, float64."""
    return torch.arange(round(3 / STEP) + 1, dtype=torch.float64) * STEP


def full_grid() -> Tensor:
    """z in [-3, 3] by 5e-4, 0 among them, float64; z ≥ 0 first, so that a tie names them."""
    return torch.cat([half_grid(), -half_grid()[1:]])


def uniform_sample() -> WeightedSample:
    """U(-1, 1), on the grid."""
    z = full_grid()
    z = z[z.abs() <= 1]
    return WeightedSample("U(-1, 1)", z, torch.ones_like(z))


def normal_sample(deviation: float = 1.0) -> WeightedSample:
    """N(0, deviation²) cut at ±3, on the grid."""
    z = full_grid()
    return WeightedSample(f"N(0, {deviation:g}²)", z, torch.exp(-((z / deviation) ** 2) / 2))


def empirical_sample(name: str, values: Tensor, most: int = 20_000) -> WeightedSample:
    """Measured values, each with the same weight; evenly spaced ones where there are many."""
    z = values.detach().flatten().double()
    z = z[:: max(1, -(-len(z) // most))]
    return WeightedSample(name, z, torch.ones_like(z))


def measure_error(f: Surrogate, z: Tensor, knob: float) -> Tensor:
    """|sign z - f(z)|; NaN where f is not a number."""
    value = f.f(z, torch.tensor(knob, dtype=torch.float64))
    return (torch.sign(z) - value).abs()


def measure_baseline_error(z: Tensor, baseline: Baseline = "identity") -> Tensor:
    """|sign z - b(z)|."""
    return (torch.sign(z) - BASELINE_FUNCTIONS[baseline](z)).abs()


@dataclass(frozen=True)
class Rise:
    """The largest rise of an error along the knob, above its lowest value so far."""

    largest: float
    column: int
    row: int  # where on the way

    @classmethod
    def along(cls, path: Tensor) -> "Rise":
        """Args: path: errors (knob values, columns), in the knob's order."""
        lowest = torch.cummin(path.nan_to_num(nan=math.inf, posinf=math.inf), 0).values
        above = (path - lowest).nan_to_num(nan=0.0, posinf=math.inf)  # what is no number, is none
        rise = above.max(0).values
        column = int(rise.argmax())
        return cls(
            largest=rise[column].item(),
            column=column,
            row=int(above[:, column].argmax()),
        )
