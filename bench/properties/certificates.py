"""What can be proved of an estimator's f beyond the grid on which it is judged."""

from bench.nn.contract import Knob, Surrogate
from bench.properties import verdicts
from bench.properties.estimating_error import TOLERANCE, Rise
from bench.properties.proof import certificate, violation
from bench.properties.proof.certificate import Certificate
from bench.spec.cell import Role


def certify(plugin: Surrogate, role: Role | None) -> list[Certificate]:
    """What can be proved beyond the grid, of f as `role` trains with it; if None, as printed."""
    if role is None:
        pure = plugin.pure()
        return _proofs(
            verdicts.list_variants(pure), verdicts.knob_in_training(pure, "W"), pure.knob()
        )
    at = verdicts.knob_in_training(plugin, role)
    return _proofs((plugin,), at, at)


def _proofs(fs: tuple[Surrogate, ...], at: Knob | None, along: Knob | None) -> list[Certificate]:
    within, path = verdicts.bound(at, fs), verdicts.bound(along, fs)
    worst = [(f, w) for f in fs if (w := verdicts.find_violation((f,), within))]
    if worst:
        f, witness = max(worst, key=lambda pair: pair[1].gap)
        z, knob = witness.z or 0.0, witness.knob or 0.0
        found = [violation.locate_violation(f, within, knob, z)]
    else:
        found = [certificate.certify_rational(f, at) for f in fs]
    turns = along is not None and (along.learned or along.start != along.end)
    if turns and Rise.along(verdicts.measure_errors(fs[0], path)).largest <= TOLERANCE:
        found.append(certificate.certify_gradual(fs[0], along))
    return found
