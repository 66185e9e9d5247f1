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
from typing import Literal

import torch
from torch import Tensor

from bench.cell import Role
from bench.plan import Properties, Witness
from bench.plugin import Knob, Surrogate

STEP = 5e-4
TOLERANCE = 1e-9  # of rational and (b), float64
REACHED = {"identity": 1e-3, "sign": 1e-2}  # of (a), largest deviation at a limit
KNOBS = 201  # values tried in the visited range


def printed(surrogate: Surrogate) -> Properties:
    """The verdicts on the formula as its paper prints it."""
    base, fields = surrogate.pure(), surrogate.trainable
    values = product(*fields.values()) if fields else ()
    others = (base.model_copy(update=dict(zip(fields, v, strict=True))) for v in values)
    return judge((base, *others), base.knob(), _seen(base, "W"))  # pyright: ignore[reportArgumentType]


def trained(surrogate: Surrogate, role: Role) -> Properties:
    """The verdicts on f as `role` trains with it: truncated, at its configured parameters."""
    seen = _seen(surrogate, role)
    return judge((surrogate,), seen, seen)  # pyright: ignore[reportArgumentType]


def _seen(surrogate: Surrogate, role: Role) -> Knob | None:
    """The knob with the range that its schedule really visits: `fixed` stays at the end."""
    knob = surrogate.knob(role)
    if knob is None or knob.learned:
        return knob
    return dataclasses.replace(knob, start=surrogate.path(0.0, role))


@functools.cache  # frozen models do hash, pyright's complaint aside
def judge(variants: tuple[Surrogate, ...], knob: Knob | None, seen: Knob | None) -> Properties:
    """
    Verdicts on the first of `variants`, whose trainable fields may make it the others.

    Args:
        variants: f as configured, and what its trainable fields may turn it into.
        knob: flexible is judged along its range.
        seen: rational is judged over the range that training visits.
    """
    z = grid()
    at_seen = [_errors(f, z, seen) for f in variants]
    cases = zip(variants, at_seen, strict=True)
    worst = max((_worst_gap(f, seen, z, e) for f, e in cases), key=lambda w: w.gap)
    errors = at_seen if knob == seen else [_errors(f, z, knob) for f in variants]
    rational = worst.gap <= TOLERANCE
    flexible, witness = _flexible(variants[0], knob, z, errors)
    return Properties(
        rational="yes" if rational else "no",
        flexible=flexible,
        rational_witness=None if rational else worst,
        flexible_witness=witness,
    )


def _errors(f: Surrogate, z: Tensor, knob: Knob | None) -> Tensor:
    """|sign z - f(z)| for every visited value of the knob (values, z)."""
    return torch.stack([error(f, z, k) for k in visited(knob)])


def grid() -> Tensor:
    """z in [-3, 3] by 5e-4, 0 among them, float64; z ≥ 0 first, so that a tie names them."""
    half = torch.arange(round(3 / STEP) + 1, dtype=torch.float64) * STEP
    return torch.cat([half, -half[1:]])


def visited(knob: Knob | None) -> list[float]:
    """Values that the knob takes in training, from the identity end towards the sign end."""
    if knob is None:
        return [0.0]
    ends = (knob.start, knob.end)
    if knob.learned:  # anywhere between its limits, which it never attains
        ends = tuple(sorted((min(knob.limits) + 1e-3, max(knob.limits) - 1e-3)))
    low, high = sorted(max(end, knob.floor) for end in ends)
    if knob.integer:
        step = max(1, int(high - low) // KNOBS)
        values = [float(n) for n in range(int(low), int(high) + 1, step)]
    elif low > 0 and high / low > 10:
        values = [low * (high / low) ** (i / (KNOBS - 1)) for i in range(KNOBS)]
    else:
        values = [low + (high - low) * i / (KNOBS - 1) for i in range(KNOBS)]
    return values if knob.limits[0] < knob.limits[1] else values[::-1]


def error(f: Surrogate, z: Tensor, knob: float) -> Tensor:
    """|sign z - f(z)|; infinite where f is not a number."""
    value = f.f(z, torch.tensor(knob, dtype=torch.float64))
    return (torch.sign(z) - value).abs().nan_to_num(nan=math.inf)


def _worst_gap(f: Surrogate, knob: Knob | None, z: Tensor, errors: Tensor) -> Witness:
    """Where |sign z - f| exceeds |sign z - z| most; beyond [-3, 3] only if nowhere within."""
    far = torch.tensor([s * r for r in (4.0, 10.0, 1e2, 1e4) for s in (1, -1)], dtype=z.dtype)
    beyond = _errors(f, far, knob)
    for domain, seen in ((z, errors), (far, beyond)):
        gaps = seen - (torch.sign(domain) - domain).abs()
        row, column = divmod(_argmax(gaps), len(domain))
        gap, at, k = gaps[row, column].item(), domain[column].item(), visited(knob)[row]
        found = Witness(z=at, knob=k, gap=gap, text=_rational_text(f, knob, at, k, gap))
        if gap > TOLERANCE:
            break
    return found


def _rational_text(f: Surrogate, knob: Knob | None, z: float, k: float, gap: float) -> str:
    at = torch.tensor(k, dtype=torch.float64)
    value = f.f(torch.tensor([z], dtype=torch.float64), at).item()
    fields = "".join(f", {name} = {getattr(f, name):g}" for name in f.trainable)
    return (
        f"at z = {z:g}{_at(knob, k)}{fields}: f = {value:.4g}, "
        f"further from {math.copysign(1, z):g} than z is, by {gap:.4g}"
    )


def _flexible(
    base: Surrogate, knob: Knob | None, z: Tensor, errors: list[Tensor]
) -> tuple[Literal["yes", "little", "not"], Witness | None]:
    """The verdict and what stands against it."""
    if not _varies(torch.cat(errors)):
        still = Witness(z=None, knob=None, gap=0.0, text="no parameter changes the error")
        return "not", still
    against = [*_ends(base, knob), *_rises(knob, errors[0], z)]
    if not against:
        return "yes", None
    text = "; ".join(w.text for w in against)
    worst = max(against, key=lambda w: w.gap)
    return "little", worst.model_copy(update={"text": text})


def _varies(errors: Tensor) -> bool:
    return bool((errors.max(0).values - errors.min(0).values).max() > TOLERANCE)


def _ends(f: Surrogate, knob: Knob | None) -> Iterator[Witness]:
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
        place = _argmax(gaps)
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


def _rises(knob: Knob | None, path: Tensor, z: Tensor) -> Iterator[Witness]:
    """(b): the z whose error rises most along the visited range."""
    lowest = torch.cummin(path, 0).values
    rise = (path - lowest).max(0).values
    place = _argmax(rise)
    gap = rise[place].item()
    if gap > TOLERANCE and knob is not None:
        at = z[place].item()
        values = visited(knob)
        peak = values[_argmax(path[:, place] - lowest[:, place])]
        text = f"at z = {at:g} the error rises by {gap:.4g} on the way to {knob.name} = {peak:.3g}"
        yield Witness(z=at, knob=peak, gap=gap, text=text)


def _argmax(x: Tensor) -> int:
    return int(x.argmax())


def _at(knob: Knob | None, value: float) -> str:
    return f", {knob.name} = {value:.4g}" if knob else ""
