"""
Rational and flexible, computed from f itself (definition P).

Rational: for every knob value that training may visit and every z,
    |sign z - f(z)| ≤ |sign z - z|,       f is nowhere further from sign than the identity.
Flexible: (a) along the knob's admissible range identity is reached at one end and sign at the
    other, and (b) for no z does |sign z - f(z)| rise on the way through the visited range.
Not flexible: no parameter changes the error. Little flexible: otherwise.

The printed f has its truncation off; a field that the method also trains (DSQ's bounds) takes
several values there. The f that trains is judged beside it, as configured.
Source: Wu et al., ICCV 2023, sec. 3.3; the paper gives words, definition P makes them exact.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator
from itertools import product
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from bench.nn.contract import Knob, Surrogate
from bench.properties.estimating_error import (
    TOLERANCE,
    Rise,
    full_grid,
    measure_baseline_error,
    measure_error,
)
from bench.spec.cell import Role
from bench.spec.choices import Baseline
from bench.spec.plan import Properties, Witness

REACHED = {"identity": 1e-3, "sign": 1e-2}  # of (a), largest deviation at a limit
KNOBS = 201  # values tried in the visited range
UNCHANGED = Witness(z=None, knob=None, gap=0.0, text="no parameter changes the error")


Knobs: TypeAlias = Knob | None


def judge_printed(surrogate: Surrogate) -> Properties:
    """The verdicts on the formula as its paper prints it."""
    base = surrogate.pure()
    return judge(list_variants(base), base.knob(), knob_in_training(base, "W"))


def judge_trained(surrogate: Surrogate, role: Role) -> Properties:
    """The verdicts on f as `role` trains with it: truncated, at its configured parameters."""
    at = knob_in_training(surrogate, role)
    return judge((surrogate,), at, at)


def list_variants(surrogate: Surrogate) -> tuple[Surrogate, ...]:
    """The surrogate, then what its trainable fields may turn it into."""
    fields = surrogate.trainable
    values = product(*fields.values()) if fields else ()
    others = (surrogate.model_copy(update=dict(zip(fields, v, strict=True))) for v in values)
    return (surrogate, *others)


def knob_in_training(surrogate: Surrogate, role: Role) -> Knobs:
    """The knob with the range that its schedule really visits: `fixed` stays at the end."""
    knob = surrogate.knob(role)
    if knob is None or knob.learned:
        return knob
    return dataclasses.replace(knob, start=surrogate.path(0.0, role))


def judge(
    variants: tuple[Surrogate, ...], knob: Knobs, at: Knobs, baseline: Baseline = "identity"
) -> Properties:
    """
    Verdicts on the first of `variants`, whose trainable fields may make it the others.

    Args:
        variants: f as configured, and what its trainable fields may turn it into.
        knob: flexible is judged along its range.
        at: rational is judged over the range that training visits.
        baseline: what f must not be further from sign than.
    """
    return _judge(variants, knob, at, baseline)  # pyright: ignore[reportArgumentType]


@functools.cache  # frozen models do hash, pyright's complaint aside
def _judge(
    variants: tuple[Surrogate, ...], knob: Knobs, at: Knobs, baseline: Baseline
) -> Properties:
    worst = find_violation(variants, at, baseline)
    verdict, witness = judge_flexible(variants, knob)
    return Properties(
        rational="no" if worst else "yes",
        flexible=verdict,
        rational_witness=worst,
        flexible_witness=witness,
    )


@functools.lru_cache(maxsize=12)  # 20 MB each
def _errors(f: Surrogate, knob: Knobs) -> Tensor:
    """|sign z - f(z)| on the grid for every visited value of the knob (values, z)."""
    z = full_grid()
    return torch.stack([measure_error(f, z, k) for k in list_visited(knob)])


def measure_errors(f: Surrogate, knob: Knobs) -> Tensor:
    """|sign z - f(z)| on the grid for every visited value of the knob (values, z)."""
    return _errors(f, knob)  # pyright: ignore[reportArgumentType]


def list_visited(knob: Knobs) -> list[float]:
    """Values that the knob takes in training, from the identity end towards the sign end."""
    if knob is None:
        return [0.0]
    ends = (knob.start, knob.end)
    if knob.learned:  # anywhere between its limits, which it never attains
        ends = tuple(sorted((min(knob.limits) + 1e-3, max(knob.limits) - 1e-3)))
    low, high = sorted(max(end, knob.floor) for end in ends)
    if knob.integer:
        step = max(1, int(high - low) // KNOBS)
        whole = dict.fromkeys([*range(int(low), int(high) + 1, step), int(high)])
        values = [float(n) for n in whole]
    elif low > 0 and high / low > 10:
        values = [low * (high / low) ** (i / (KNOBS - 1)) for i in range(KNOBS)]
    else:
        values = [low + (high - low) * i / (KNOBS - 1) for i in range(KNOBS)]
    return values if knob.limits[0] < knob.limits[1] else values[::-1]


def find_violation(
    variants: tuple[Surrogate, ...], at: Knobs, baseline: Baseline = "identity"
) -> Witness | None:
    """Where f is further from sign than the baseline, by most; None if nowhere."""
    worst = max((_worst_gap(f, at, baseline) for f in variants), key=lambda w: w.gap)
    return worst if worst.gap > TOLERANCE else None


def _worst_gap(f: Surrogate, knob: Knobs, baseline: Baseline) -> Witness:
    """Where |sign z - f| exceeds |sign z - b| most; beyond [-3, 3] only if nowhere within."""
    z = full_grid()
    far = torch.tensor([s * r for r in (4.0, 10.0, 1e2, 1e4) for s in (1, -1)], dtype=z.dtype)
    than = "z" if baseline == "identity" else f"{baseline} of z"
    found = _most(f, knob, z, measure_errors(f, knob) - measure_baseline_error(z, baseline), than)
    if found.gap > TOLERANCE:
        return found
    beyond = torch.stack([measure_error(f, far, k) for k in list_visited(knob)])
    return _most(f, knob, far, beyond - measure_baseline_error(far, baseline), than)


def _most(f: Surrogate, knob: Knobs, z: Tensor, gaps: Tensor, than: str) -> Witness:
    """The largest of `gaps` (knob values, z), to what `than` calls the baseline."""
    row, column = divmod(int(gaps.argmax()), len(z))
    gap, at, k = gaps[row, column].item(), z[column].item(), list_visited(knob)[row]
    return Witness(z=at, knob=k, gap=gap, text=_rational_text(f, knob, at, k, gap, than))


def _rational_text(f: Surrogate, knob: Knobs, z: float, k: float, gap: float, than: str) -> str:
    at = torch.tensor(k, dtype=torch.float64)
    value = f.f(torch.tensor([z], dtype=torch.float64), at).item()
    fields = "".join(f", {name} = {getattr(f, name):g}" for name in f.trainable)
    return (
        f"at z = {z:g}{_at(knob, k)}{fields}: f = {value:.4g}, "
        f"further from {math.copysign(1, z):g} than {than} is, by {gap:.4g}"
    )


def judge_flexible(
    variants: tuple[Surrogate, ...], knob: Knobs
) -> tuple[Literal["yes", "little", "not"], Witness | None]:
    """The verdict on the first of `variants` and what stands against it."""
    if not any_change(torch.cat([measure_errors(f, knob) for f in variants])):
        return "not", UNCHANGED
    against = [
        *find_missed_ends(variants[0], knob),
        *_rises(knob, measure_errors(variants[0], knob)),
    ]
    return sum_up(against)


def sum_up(against: list[Witness]) -> tuple[Literal["yes", "little"], Witness | None]:
    """Flexible if nothing stands against it, else little: the worst witness, all the texts."""
    if not against:
        return "yes", None
    text = "; ".join(w.text for w in against)
    worst = max(against, key=lambda w: w.gap)
    return "little", worst.model_copy(update={"text": text})


def any_change(errors: Tensor) -> bool:
    """Whether any error (parameters, z) depends on a parameter."""
    return bool((errors.max(0).values - errors.min(0).values).max() > TOLERANCE)


def find_missed_ends(f: Surrogate, knob: Knobs) -> Iterator[Witness]:
    """(a): the ends of the admissible range that are not reached."""
    domains = {
        "identity": torch.linspace(1 / 60, 1, 60, dtype=torch.float64),
        "sign": torch.linspace(0.05, 3, 60, dtype=torch.float64),
    }
    for index, (name, half) in enumerate(domains.items()):
        z = torch.cat([half, -half])
        if knob is None:
            continue
        limit = knob.limits[index]
        near = _near(limit, knob)
        value = f.f(z, torch.tensor(near, dtype=torch.float64))
        target = z if name == "identity" else torch.sign(z)
        gaps = (value - target).abs().nan_to_num(nan=math.inf)
        place = int(gaps.argmax())
        gap = gaps[place].item()
        if gap > REACHED[name]:
            text = (
                f"{name} is not reached as {knob.name} → {limit:g}: f({z[place].item():.3g}) "
                f"stays {gap:.4g} away"
            )
            yield Witness(z=None, knob=limit if math.isfinite(limit) else None, gap=gap, text=text)


def _near(limit: float, knob: Knob) -> float:
    """A value as good as the limit in float64."""
    if math.isinf(limit):
        return 1e4 if knob.integer else 1e5
    return 1e-300 if limit == 0 and not knob.integer else limit


def _rises(knob: Knobs, path: Tensor) -> Iterator[Witness]:
    """(b): the z whose error rises most along the visited range."""
    rise = Rise.along(path)
    if rise.largest > TOLERANCE and knob is not None:
        at, gap = full_grid()[rise.column].item(), rise.largest
        peak = list_visited(knob)[rise.row]
        text = f"at z = {at:g} the error rises by {gap:.4g} on the way to {knob.name} = {peak:.3g}"
        yield Witness(z=at, knob=peak, gap=gap, text=text)


def _at(knob: Knobs, value: float) -> str:
    return f", {knob.name} = {value:.4g}" if knob else ""
