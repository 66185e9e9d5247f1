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

from bench.errors import PluginError
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
POWERS = tuple(10.0**n for n in range(5, -1, -1))  # tried in the place of an infinite limit
STEPS = (1e-100, 1e-30, 1e-12, 1e-9, 1e-6, 1e-3)  # tried from a limit where f has no number
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


def bound(knob: Knobs, variants: tuple[Surrogate, ...]) -> Knobs:
    """Return a learned knob with finite limits in place of infinite ones, which none attains."""
    if knob is None or not knob.learned or all(map(math.isfinite, knob.limits)):
        return knob
    low, high = (_approach(knob, index, variants, full_grid()) for index in (0, 1))
    return dataclasses.replace(knob, limits=(low, high))


def _approach(knob: Knob, index: int, variants: tuple[Surrogate, ...], z: Tensor) -> float:
    """
    The nearest value to the identity end (0) or the sign end (1) at which every f has numbers.

    The last one tried where there is none.
    """
    value = math.nan
    for value in _towards(knob.limits[index], knob.limits[1 - index], knob):
        at = torch.tensor(value, dtype=torch.float64)
        if all(f.f(z, at).isfinite().all() for f in variants):
            break
    return value


def _towards(limit: float, other: float, knob: Knob) -> Iterator[float]:
    """Values on the way from a limit, which is approached, to the other one; the nearest first."""
    if math.isinf(limit):
        unit = math.copysign(max(1.0, abs(other) if math.isfinite(other) else 1.0), limit)
        yield from (unit * power for power in (POWERS[1:] if knob.integer else POWERS))
    elif knob.integer:
        yield limit
    else:
        inward = math.copysign(1.0, other - limit)
        yield limit or inward * 1e-300
        yield from (limit + inward * step for step in STEPS)


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

    Raises:
        PluginError: f is not a number somewhere, and nothing else speaks against it.
    """
    return _judge(variants, knob, at, baseline)  # pyright: ignore[reportArgumentType]


@functools.cache  # frozen models do hash, pyright's complaint aside
def _judge(
    variants: tuple[Surrogate, ...], knob: Knobs, at: Knobs, baseline: Baseline
) -> Properties:
    worst = find_violation(variants, bound(at, variants), baseline)
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
        low, high = (min(max(end, -POWERS[0]), POWERS[0]) for end in sorted(knob.limits))
        ends = (low + 1e-3, high - 1e-3)
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
    """
    Where |sign z - f| exceeds |sign z - b| most; beyond [-3, 3] only if nowhere within.

    Raises:
        PluginError: nowhere, but f is not a number in all places.
    """
    z = full_grid()
    far = torch.tensor([s * r for r in (4.0, 10.0, 1e2, 1e4) for s in (1, -1)], dtype=z.dtype)
    than = "z" if baseline == "identity" else f"{baseline} of z"
    errors = measure_errors(f, knob)
    found = _most(f, knob, z, errors - measure_baseline_error(z, baseline), than)
    if found.gap > TOLERANCE:
        return found
    refuse_no_number(errors, z, knob)
    beyond = torch.stack([measure_error(f, far, k) for k in list_visited(knob)])
    return _most(f, knob, far, beyond - measure_baseline_error(far, baseline), than)


def _most(f: Surrogate, knob: Knobs, z: Tensor, gaps: Tensor, than: str) -> Witness:
    """The largest of `gaps` (knob values, z) that are numbers; `than` is the baseline's name."""
    gaps = gaps.nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)
    row, column = divmod(int(gaps.argmax()), len(z))
    gap, at, k = gaps[row, column].item(), z[column].item(), list_visited(knob)[row]
    return Witness(z=at, knob=k, gap=gap, text=_rational_text(f, knob, at, k, gap, than))


def refuse_no_number(errors: Tensor, z: Tensor, knob: Knobs) -> None:
    """
    Refuse to judge by errors (knob values, z) that are not all numbers.

    Raises:
        PluginError: one is none.
    """
    wrong = errors.isnan()
    if bool(wrong.any()):
        row, column = divmod(int(wrong.flatten().int().argmax()), len(z))
        where = f"z = {z[column]:g}{_at(knob, list_visited(knob)[row])}"
        message = f"f is not a number at {where}, so nothing can be said of it"
        raise PluginError(message)


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
    path = bound(knob, variants)
    if not any_change(torch.cat([measure_errors(f, path) for f in variants])):
        return "not", UNCHANGED
    against = [
        *find_missed_ends(variants[0], knob),
        *_rises(path, measure_errors(variants[0], path)),
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
    low, high = (errors.nan_to_num(nan=x) for x in (math.inf, -math.inf))
    return bool((high.max(0).values - low.min(0).values).max() > TOLERANCE)


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
        near = _approach(knob, index, (f,), z)
        value = f.f(z, torch.tensor(near, dtype=torch.float64))
        target = z if name == "identity" else torch.sign(z)
        gaps = (value - target).abs().nan_to_num(nan=0.0, posinf=math.inf)  # NaN says nothing
        place = int(gaps.argmax())
        gap = gaps[place].item()
        if gap > REACHED[name]:
            text = (
                f"{name} is not reached as {knob.name} → {limit:g}: f({z[place].item():.3g}) "
                f"stays {gap:.4g} away"
            )
            yield Witness(z=None, knob=limit if math.isfinite(limit) else None, gap=gap, text=text)


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
