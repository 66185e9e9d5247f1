"""
Figures of a study of f against sign, on a grid: what papers print, to be compared with.

    gap(z) = |sign z - f(z)| - |sign z - b(z)|,   b the identity, or hardtanh = clipped STE

A positive gap is a violation of rational. `Gap` is one f at one value of its knob; `Course`
follows the error along the knob, which is what flexible asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bench.nn.contract import Surrogate
from bench.properties.estimating_error import (
    ROUNDING,
    STEP,
    TOLERANCE,
    WeightedSample,
    half_grid,
    measure_baseline_error,
    measure_error,
)
from bench.spec.choices import Baseline


def ratio(
    f: Surrogate, knob: float, sample: WeightedSample, baseline: Baseline = "identity"
) -> float:
    """‖sign z - f(z)‖ / ‖sign z - b(z)‖ over `sample`."""
    against = sample.norm(measure_baseline_error(sample.z, baseline))
    return (sample.norm(measure_error(f, sample.z, knob)) / against).item()


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
        z = half_grid()[1:]
        gaps = measure_error(f, z, knob) - measure_baseline_error(z, baseline)
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
        z = half_grid()[1:]
        errors = torch.stack([measure_error(f, z, k) for k in knobs])
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
