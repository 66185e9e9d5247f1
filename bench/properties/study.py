"""
On what a verdict of rational and flexible rests: the same question under other definitions.

    p            |sign z - f| ≤ |sign z - b| for every z, every visited knob, trained bounds varied
    p-fixed      the same with the bounds as configured
    end          the same at the end of the knob's path alone
    l2-uniform   ‖sign z - f‖ ≤ ‖sign z - b‖ on U(-1, 1), every visited knob
    l2-normal    on N(0, 1) cut at ±3
    trained      on the latent weights of a trained network, and on its latent activations

b, the baseline, is the identity or hardtanh (the clipped STE); f is the printed formula (pure) or
what trains (truncated). Flexible under an L2 definition asks that the norm, not the error at each
z, never rises. Table 3 of Wu et al. is p, identity, pure.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

import torch

from bench.nn.contract import Knob, Surrogate
from bench.properties import estimating_error, verdicts
from bench.properties.estimating_error import TOLERANCE, Sample
from bench.spec.cell import Role
from bench.spec.choices import Baseline, FormName, PropertyDefinition
from bench.spec.plan import Properties, Witness

DEFINITIONS: tuple[PropertyDefinition, ...] = get_args(PropertyDefinition)
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
FORMS: tuple[FormName, ...] = get_args(FormName)
NEARLY = 1e-8  # a violation that no float32 training sees


@dataclass(frozen=True)
class Question:
    """One reading of rational and flexible."""

    definition: PropertyDefinition = "p"
    baseline: Baseline = "identity"
    form: FormName = "pure"

    def __str__(self) -> str:
        return f"definition {self.definition}, baseline {self.baseline}, {self.form} f"


def verdict(
    surrogate: Surrogate, question: Question, measured: dict[Role, Sample] | None = None
) -> Properties:
    """
    Answer one question about a surrogate.

    Args:
        measured: what the definition `trained` integrates over, by role.
    """
    pure = question.form == "pure"
    f = surrogate.pure() if pure else surrogate
    at = verdicts.seen(f, "W")
    along = f.knob() if pure else at
    match question.definition:
        case "l2-uniform":
            return _norms(f, [("W", estimating_error.uniform())], question)
        case "l2-normal":
            return _norms(f, [("W", estimating_error.normal())], question)
        case "trained":
            return _norms(f, (measured or {}).items(), question)
        case "p-fixed":
            return verdicts.judge((f,), along, at, question.baseline)
        case "p" | "end":
            held = at if question.definition == "p" else end(at)
            return verdicts.judge(verdicts.variants(f), along, held, question.baseline)


def end(knob: Knob | None) -> Knob | None:
    """The knob held at the end of its path; a learned one may end anywhere."""
    if knob is None or knob.learned:
        return knob
    return dataclasses.replace(knob, start=knob.end)


def nearly(found: Properties) -> bool:
    """Not rational, by so little that it is at tolerance 1e-8."""
    return found.rational_witness is not None and found.rational_witness.gap <= NEARLY


def _norms(f: Surrogate, samples: Iterable[tuple[Role, Sample]], question: Question) -> Properties:
    """The verdicts with norms over samples in the place of every z."""
    worst: list[Witness] = []
    against: list[Witness] = []
    changes = False
    for role, sample in samples:
        at = verdicts.seen(f, role)
        along = f.knob(role) if question.form == "pure" else at
        limit = sample.norm(estimating_error.of_baseline(sample.z, question.baseline)).item()
        worst += _excess(_path(f, sample, at), limit, at, sample)
        path = _path(f, sample, along)
        against += _rise(path, along, sample)
        against += [w for w in verdicts.ends(f, along) if w not in against]
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


def _path(f: Surrogate, sample: Sample, knob: Knob | None) -> torch.Tensor:
    """‖sign z - f‖ at every visited value of the knob."""
    values = verdicts.visited(knob)
    return torch.stack([sample.norm(estimating_error.error(f, sample.z, k)) for k in values])


def _excess(norms: torch.Tensor, limit: float, knob: Knob | None, sample: Sample) -> list[Witness]:
    """Where ‖sign z - f‖ exceeds the baseline's norm, `limit`, most; and up to where it does."""
    over = norms - limit
    row = int(over.argmax())
    if over[row] <= TOLERANCE:
        return []
    values = verdicts.visited(knob)
    wrong = [values[i] for i in range(len(values)) if over[i] > TOLERANCE]
    where = f", {knob.name} = {values[row]:.4g}" if knob else ""
    span = f" ({knob.name} from {wrong[0]:.4g} to {wrong[-1]:.4g})" if knob else ""
    factor = norms[row].item() / limit
    text = f"on {sample.name}{where}: error {factor:.4g} times the baseline's{span}"
    return [Witness(z=None, knob=values[row], gap=over[row].item(), text=text)]


def _rise(norms: torch.Tensor, knob: Knob | None, sample: Sample) -> list[Witness]:
    """(b) of the norm."""
    rise = estimating_error.Rise.of(norms[:, None])
    if rise.largest <= TOLERANCE or knob is None:
        return []
    peak = verdicts.visited(knob)[rise.row]
    text = f"on {sample.name} the error rises by {rise.largest:.4g} to {knob.name} = {peak:.3g}"
    return [Witness(z=None, knob=peak, gap=rise.largest, text=text)]


def study(
    surrogate: Surrogate, measured: dict[Role, Sample] | None = None
) -> dict[Question, Properties]:
    """Every question, `trained` if there is something measured."""
    asked: list[PropertyDefinition] = [d for d in DEFINITIONS if d != "trained" or measured]
    questions = [Question(d, b, form) for form in FORMS for b in BASELINES for d in asked]
    return {question: verdict(surrogate, question, measured) for question in questions}


def rests_on(surrogate: Surrogate, found: dict[Question, Properties]) -> list[str]:
    """What turns a verdict of Table 3: one change of the question, or a strict inequality."""
    lines = [line for question in found if (line := _turn(found, question))]
    if _equal(surrogate.pure()):
        lines.append("≤ rather than <: both sides are equal at every z")
    return lines


def _turn(found: dict[Question, Properties], question: Question) -> str:
    """How the answer differs from Table 3's; empty unless one thing about the question does."""
    default = dataclasses.astuple(Question())
    changed = [a for a, b in zip(dataclasses.astuple(question), default, strict=True) if a != b]
    if len(changed) != 1:
        return ""
    then, now = found[Question()], found[question]
    turned = [
        f"{name} {getattr(then, name)} → {getattr(now, name)}"
        for name in ("rational", "flexible")
        if getattr(then, name) != getattr(now, name)
    ]
    if nearly(now):
        turned.append("rational at tolerance 1e-8")
    return f"{changed[0]}: {', '.join(turned)}" if turned else ""


def _equal(f: Surrogate) -> bool:
    """Whether f is as far from sign as the identity at every z."""
    z = estimating_error.grid()
    off = verdicts.errors(f, verdicts.seen(f, "W")) - estimating_error.of_baseline(z)
    return bool(off.abs().max() <= TOLERANCE)
