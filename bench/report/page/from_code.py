"""
What only the code can tell: f and f' drawn, proofs of verdicts, where a suite's values are from.

It is the code as it is now; the board's notes say where that is not what the records were made by.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from pydantic import ValidationError

from bench.errors import BenchError
from bench.leaderboard.trace import RowTrace
from bench.nn.contract import Surrogate
from bench.planning import explain
from bench.properties.certificates import certify
from bench.properties.verdicts import knob_in_training
from bench.registry import ESTIMATORS
from bench.report.figures import gallery
from bench.report.figures.style import label, styled
from bench.report.page.page_figures import PageFigure, page_figure
from bench.report.page.property_cards import Proof, Proofs, estimators
from bench.results import local_code, plan_owner
from bench.spec.cell import Ref, Role
from bench.spec.composition import compose, digest
from bench.spec.plan import Plan


def proofs(ref: Ref) -> Proofs:
    """Of each form of a configured estimator's f, or why there are none."""
    plugin = _built(ref)
    if not isinstance(plugin, Surrogate):
        return Proofs({}, plugin)
    try:
        return Proofs(_of_forms(plugin), "")
    except Exception as error:  # whatever a stranger's f raises
        return Proofs({}, f"not proved: f of {ref.name} raises {type(error).__name__}: {error}")


def estimator_figures(rows: Iterable[RowTrace]) -> list[PageFigure]:
    """f and f' of every estimator that can be drawn, in one figure; none of none."""
    built = ((name, _built(ref)) for name, ref in estimators(rows).values())
    shown = [
        gallery.EstimatorCurves(label(name), f, "W")
        for name, f in built
        if isinstance(f, Surrogate) and _drawable(f)
    ]
    if not shown:
        return []
    with styled():
        return [page_figure("gallery", gallery.CAPTION, gallery.draw(shown, "Estimators"))]


def origins(plan: Plan) -> str:
    """The text of `bench show suite`, or why there is none."""
    if not plan_owner.is_own(plan):
        return "The suite's file is somebody else's; what it said is in the plan."
    path = Path(plan.source)
    try:
        document = compose(path, plan.overrides)
        text = explain.describe(path, plan.overrides)
    except BenchError as error:
        return f"The suite cannot be read where it was: {error}"
    changed = digest(document) != plan.source_digest
    caution = "The suite changed since it ran; this is what it says now.\n\n"
    return caution + text if changed else text


def _built(ref: Ref) -> Surrogate | str:
    """The estimator, or why it has no f to speak of; another's code of its name is not run."""
    if file := local_code.other_code(ESTIMATORS, ref):
        return f"not proved: {ref.name} is not what `{file}` is now"
    try:
        plugin = ESTIMATORS.build(ref.name, ref.params)
    except (BenchError, ValidationError) as error:
        return f"not proved: {ref.name} cannot be loaded: {error}"
    return plugin if isinstance(plugin, Surrogate) else ""


def _of_forms(plugin: Surrogate) -> dict[Role | None, list[Proof]]:
    printed, weights = (_told(plugin, form) for form in (None, "W"))
    alike = knob_in_training(plugin, "W") == knob_in_training(plugin, "A")
    return {None: printed, "W": weights, "A": weights if alike else _told(plugin, "A")}


def _told(plugin: Surrogate, form: Role | None) -> list[Proof]:
    return [Proof(found.proved, found.text) for found in certify(plugin, form)]


def _drawable(f: Surrogate) -> bool:
    """Does f answer, and f'?"""
    z = torch.tensor([-1.0, 0.5], dtype=torch.float64)
    try:
        knob = torch.tensor(f.path(0.5, "W"), dtype=torch.float64)
        return f.f(z, knob).shape == f.df(z, knob).shape == z.shape
    except Exception:  # whatever a stranger's f raises; `bench check` says what
        return False
