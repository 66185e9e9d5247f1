"""
On what a verdict of rational and flexible rests: the same question under other definitions.

`bench.spec.choices.READINGS` says what each asks of rational. b, the baseline, is the identity or
hardtanh (the clipped STE); f is the printed formula (pure) or what trains (truncated). Flexible
under an L2 definition asks that the norm, not the error at each z, never rises. Table 3 of Wu et
al. is p, identity, pure.
"""

import dataclasses
from collections.abc import Iterable

import torch

from bench.nn.contract import Knob, Surrogate
from bench.properties import estimating_error, verdicts
from bench.properties.criterion import BASELINES, DEFINITIONS, FORMS, Criterion
from bench.properties.estimating_error import TOLERANCE, WeightedSample
from bench.spec.cell import Role
from bench.spec.choices import PropertyDefinition
from bench.spec.plan import Properties, Witness

NEARLY = 1e-8  # a violation that no float32 training sees


def judge_by(
    surrogate: Surrogate, criterion: Criterion, measured: dict[Role, WeightedSample] | None = None
) -> Properties:
    """
    Judge a surrogate by one criterion.

    Args:
        measured: what the definition `trained` integrates over, by role.
    """
    pure = criterion.form == "pure"
    f = surrogate.pure() if pure else surrogate
    at = verdicts.knob_in_training(f, "W")
    along = f.knob() if pure else at
    match criterion.definition:
        case "l2-uniform":
            return _norms(f, [("W", estimating_error.uniform_sample())], criterion)
        case "l2-normal":
            return _norms(f, [("W", estimating_error.normal_sample())], criterion)
        case "trained":
            return _norms(f, (measured or {}).items(), criterion)
        case "p-fixed":
            return verdicts.judge((f,), along, at, criterion.baseline)
        case "p" | "end":
            held = at if criterion.definition == "p" else knob_at_end(at)
            return verdicts.judge(verdicts.list_variants(f), along, held, criterion.baseline)


def knob_at_end(knob: Knob | None) -> Knob | None:
    """The knob held at the end of its path; a learned one may end anywhere."""
    if knob is None or knob.learned:
        return knob
    return dataclasses.replace(knob, start=knob.end)


def holds_nearly(properties: Properties) -> bool:
    """Not rational, by so little that it is at tolerance 1e-8."""
    return properties.rational_witness is not None and properties.rational_witness.gap <= NEARLY


def _norms(
    f: Surrogate, samples: Iterable[tuple[Role, WeightedSample]], criterion: Criterion
) -> Properties:
    """The verdicts with norms over samples in the place of every z."""
    worst: list[Witness] = []
    against: list[Witness] = []
    changes = False
    for role, sample in samples:
        trained = verdicts.knob_in_training(f, role)
        ends = f.knob(role) if criterion.form == "pure" else trained
        at, along = verdicts.bound(trained, (f,)), verdicts.bound(ends, (f,))
        limit = sample.norm(
            estimating_error.measure_baseline_error(sample.z, criterion.baseline)
        ).item()
        worst += _excess(_path(f, sample, at), limit, at, sample)
        path = _path(f, sample, along)
        against += _rise(path, along, sample)
        against += [w for w in verdicts.find_missed_ends(f, ends) if w not in against]
        changes = changes or verdicts.any_change(path[:, None])
    flexible, witness = ("not", verdicts.UNCHANGED)
    if changes:
        flexible, witness = verdicts.sum_up(against)
    return Properties(
        rational="no" if worst else "yes",
        flexible=flexible,
        rational_witness=max(worst, key=lambda w: w.gap, default=None),
        flexible_witness=witness,
    )


def _path(f: Surrogate, sample: WeightedSample, knob: Knob | None) -> torch.Tensor:
    """‖sign z - f‖ at every visited value of the knob."""
    values = verdicts.list_visited(knob)
    errors = torch.stack([estimating_error.measure_error(f, sample.z, k) for k in values])
    verdicts.refuse_no_number(errors, sample.z, knob)
    return torch.stack([sample.norm(error) for error in errors])


def _excess(
    norms: torch.Tensor, limit: float, knob: Knob | None, sample: WeightedSample
) -> list[Witness]:
    """Where ‖sign z - f‖ exceeds the baseline's norm, `limit`, most; and up to where it does."""
    over = norms - limit
    row = int(over.argmax())
    if over[row] <= TOLERANCE:
        return []
    values = verdicts.list_visited(knob)
    wrong = [values[i] for i in range(len(values)) if over[i] > TOLERANCE]
    where = f", {knob.name} = {values[row]:.4g}" if knob else ""
    span = f" ({knob.name} from {wrong[0]:.4g} to {wrong[-1]:.4g})" if knob else ""
    factor = norms[row].item() / limit
    text = f"on {sample.name}{where}: error {factor:.4g} times the baseline's{span}"
    return [Witness(z=None, knob=values[row], gap=over[row].item(), text=text)]


def _rise(norms: torch.Tensor, knob: Knob | None, sample: WeightedSample) -> list[Witness]:
    """(b) of the norm."""
    rise = estimating_error.Rise.along(norms[:, None])
    if rise.largest <= TOLERANCE or knob is None:
        return []
    peak = verdicts.list_visited(knob)[rise.row]
    text = f"on {sample.name} the error rises by {rise.largest:.4g} to {knob.name} = {peak:.3g}"
    return [Witness(z=None, knob=peak, gap=rise.largest, text=text)]


def judge_by_all(
    surrogate: Surrogate, measured: dict[Role, WeightedSample] | None = None
) -> dict[Criterion, Properties]:
    """Every criterion, `trained` if there is something measured."""
    asked: list[PropertyDefinition] = [d for d in DEFINITIONS if d != "trained" or measured]
    criteria = [Criterion(d, b, form) for form in FORMS for b in BASELINES for d in asked]
    return {criterion: judge_by(surrogate, criterion, measured) for criterion in criteria}


def list_turns(surrogate: Surrogate, properties: dict[Criterion, Properties]) -> list[str]:
    """What turns a verdict of Table 3: one change of the criterion, or a strict inequality."""
    lines = [line for criterion in properties if (line := _turn(properties, criterion))]
    if _equal(surrogate.pure()):
        lines.append("≤ rather than <: both sides are equal at every z")
    return lines


def _turn(properties: dict[Criterion, Properties], criterion: Criterion) -> str:
    """How the answer differs from Table 3's; empty unless one thing about the criterion does."""
    default = dataclasses.astuple(Criterion())
    changed = [a for a, b in zip(dataclasses.astuple(criterion), default, strict=True) if a != b]
    if len(changed) != 1:
        return ""
    then, now = properties[Criterion()], properties[criterion]
    turned = [
        f"{name} {getattr(then, name)} → {getattr(now, name)}"
        for name in ("rational", "flexible")
        if getattr(then, name) != getattr(now, name)
    ]
    if holds_nearly(now):
        turned.append("rational at tolerance 1e-8")
    return f"{changed[0]}: {', '.join(turned)}" if turned else ""


def _equal(f: Surrogate) -> bool:
    """Whether f is as far from sign as the identity at every z."""
    z = estimating_error.full_grid()
    off = verdicts.measure_errors(
        f, verdicts.knob_in_training(f, "W")
    ) - estimating_error.measure_baseline_error(z)
    return bool(off.abs().max() <= TOLERANCE)
