"""
What only the code can tell: proofs of verdicts, and where a suite's values are from.

It is the code as it is now; the board's notes say where that is not what the records were made by.
"""

from pathlib import Path

from pydantic import ValidationError

from bench import origin
from bench.cell import Ref, Role
from bench.check_view import certificates
from bench.errors import BenchError
from bench.plan import Plan
from bench.plugin import Surrogate
from bench.properties import seen
from bench.registry import ESTIMATORS
from bench.report.properties import Proof, Proofs


def proofs(ref: Ref) -> Proofs:
    """Of each form of a configured estimator's f, or why there are none."""
    try:
        plugin = ESTIMATORS.build(ref.name, ref.params)
    except (BenchError, ValidationError) as error:
        return Proofs({}, f"not proved: {ref.name} cannot be loaded: {error}")
    if not isinstance(plugin, Surrogate):
        return Proofs({}, "")
    try:
        return Proofs(_of_forms(plugin), "")
    except Exception as error:  # whatever a stranger's f raises
        return Proofs({}, f"not proved: f of {ref.name} raises {type(error).__name__}: {error}")


def _of_forms(plugin: Surrogate) -> dict[Role | None, list[Proof]]:
    printed, weights = (_told(plugin, form) for form in (None, "W"))
    alike = seen(plugin, "W") == seen(plugin, "A")
    return {None: printed, "W": weights, "A": weights if alike else _told(plugin, "A")}


def _told(plugin: Surrogate, form: Role | None) -> list[Proof]:
    return [Proof(found.proved, found.text) for found in certificates(plugin, form)]


def origins(plan: Plan) -> str:
    """The text of `bench show suite`, or why there is none."""
    try:
        return origin.describe(Path(plan.source), plan.overrides)
    except BenchError as error:
        return f"The suite cannot be read where it was: {error}"
