"""f and f' of an estimator as it trains, over z and the progress of training: `bench curve`."""

import math
from collections.abc import Iterable
from fractions import Fraction

import pandas as pd
import torch

from bench.errors import UsageError
from bench.nn.contract import Surrogate
from bench.registry import ESTIMATORS
from bench.spec.cell import Role
from bench.spec.parameters import build


def build_surrogate(name: str, words: list[str]) -> Surrogate:
    """
    The estimator `name` with its parameters, `KEY=VALUE`.

    Raises:
        PluginError: no such estimator, or a broken one.
        UsageError: no such parameter, a value that it does not take, or an estimator without f.
    """
    estimator = build(ESTIMATORS.load(name), name, words)
    if not isinstance(estimator, Surrogate):
        message = f"{name} is no surrogate: it has no f to draw"
        raise UsageError(message)
    return estimator


def tabulate_curve(
    estimator: Surrogate, role: Role, progress: Iterable[float], grid: list[float]
) -> pd.DataFrame:
    """Columns p, knob, z, f, df (f'), one block of the grid after another; in double precision."""
    z = torch.tensor(grid, dtype=torch.float64)
    blocks = [pd.DataFrame(_block(estimator, role, p, z)) for p in progress]
    return pd.concat(blocks, ignore_index=True)


def _block(
    estimator: Surrogate, role: Role, p: float, z: torch.Tensor
) -> dict[str, float | list[float]]:
    knob = torch.tensor(estimator.path(p, role), dtype=torch.float64)
    with torch.no_grad():
        f, df = estimator.f(z, knob), estimator.df(z, knob)
    return {"p": p, "knob": knob.item(), "z": z.tolist(), "f": f.tolist(), "df": df.tolist()}


def space_evenly(low: float, high: float, points: int) -> list[float]:
    """
    Equally spaced, both ends included, each the double nearest to its exact value.

    Borders of f, such as 1.5, are met and not missed by a rounding error.

    Raises:
        UsageError: not two finite numbers, the smaller first.
    """
    if not -math.inf < low < high < math.inf:
        message = f"--from {low:g} --to {high:g}: expected finite numbers, the smaller first"
        raise UsageError(message)
    a, b = Fraction(repr(low)), Fraction(repr(high))
    return [float(a + (b - a) * i / (points - 1)) for i in range(points)]


def parse_progress(text: str) -> list[float]:
    """
    Progress of training, as in `0,0.5,0.999`.

    Raises:
        UsageError: not numbers from 0 to 1 joined by commas.
    """
    try:
        found = [float(word) for word in text.split(",")]
    except ValueError:
        found = [math.nan]
    if not all(0 <= p <= 1 for p in found):
        message = f"--at `{text}`: expected numbers from 0 to 1 joined by commas, as in 0,0.5,0.999"
        raise UsageError(message)
    return found
