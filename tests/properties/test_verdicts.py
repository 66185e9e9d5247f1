"""Rational and flexible, against Table 3 of the ReSTE paper and the figures worked out for it."""

import math

import pytest
import torch

from bench.errors import PluginError
from bench.plugin import Knob, Role, Surrogate
from bench.properties import verdicts
from bench.properties.criterion import Criterion
from bench.properties.study import judge_by
from bench.registry import ESTIMATORS
from bench.spec.plan import Properties

TABLE_3 = {  # rational, flexible, as printed
    "dsq": ("no", "little"), "ste": ("yes", "not"), "ede": ("no", "little"),
    "fda": ("no", "little"), "rbnn": ("no", "little"), "reste": ("yes", "yes"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE_3)
def test_table_3(name: str) -> None:
    """Definition P, computed on the printed formula, gives Table 3's twelve entries."""
    verdict = verdicts.judge_printed(surrogate(name))

    assert (verdict.rational, verdict.flexible) == TABLE_3[name]
    assert (verdict.rational_witness is None) == (verdict.rational == "yes")
    assert (verdict.flexible_witness is None) == (verdict.flexible == "yes")


@pytest.mark.parametrize(("start", "end"), [(0, 999), (0, 1000), (9, 18), (7, 7), (999, 3)])
def test_whole_knobs_are_visited_to_the_end(start: int, end: int) -> None:
    """However many terms FDA has, its first and last number are tried, in order, each once."""
    values = verdicts.list_visited(surrogate("fda", n_start=start, n_end=end).knob())

    assert (values[0], values[-1]) == (min(start, end), max(start, end))
    assert values == sorted(set(values))


def test_as_they_train() -> None:
    """Truncated ReSTE does not reach sign; DSQ with l, u = ∓1 is rational; RBNN is not."""
    reste = verdicts.judge_trained(surrogate("reste"), "W")
    dsq = verdicts.judge_trained(surrogate("dsq"), "W")

    assert (reste.rational, reste.flexible) == ("yes", "little")
    assert reste.flexible_witness
    assert "sign is not reached as o → inf" in reste.flexible_witness.text
    assert reste.flexible_witness.gap == pytest.approx(0.5, abs=1e-3)
    assert (dsq.rational, dsq.flexible) == ("yes", "little")
    assert dsq.flexible_witness
    assert dsq.flexible_witness.gap == pytest.approx(0.0365, abs=1e-3)
    assert verdicts.judge_trained(surrogate("rbnn"), "A").rational == "no"
    assert verdicts.judge_trained(surrogate("rbnn", t_min=1.4143), "W").rational == "yes"


@pytest.mark.parametrize(
    ("name", "params", "z", "gap"),
    [
        ("ede", {"t_min": 0.1, "t_max": 0.1}, 1.0, 0.0033),
        ("ede", {"t_min": 1, "t_max": 1}, 1.0, 0.2384),
        ("ede", {"t_min": 3, "t_max": 3}, 1.0, 0.0049),
        ("rbnn", {"t_min": 0.01, "t_max": 0.01}, 3.0, 1.1976),
        ("rbnn", {"t_min": 1, "t_max": 1}, 1.0, 0.0858),
        ("rbnn", {"t_min": 1.3, "t_max": 1.3}, 1.0, 0.0065),
        ("fda", {"n_start": 12, "n_end": 12}, 1.0, 0.147),
        ("fda", {"n_start": 18, "n_end": 18}, 1.0, 0.142),
        ("dsq", {"u": 0.8, "alpha": 0.2, "learn": "off"}, 1.0, 0.2),
        ("dsq", {"u": 1.5, "alpha": 0.2, "learn": "off", "l": -1.5}, 1.0, 0.171),
    ],
)
def test_worst_gaps(name: str, params: dict[str, object], z: float, gap: float) -> None:
    """The largest |1-f| - |1-z| and where it is, as worked out on the same grid."""
    witness = verdicts.judge_trained(surrogate(name, **params), "W").rational_witness

    assert witness
    assert witness.z is not None
    assert abs(witness.z) == pytest.approx(z, abs=2e-3)
    assert witness.gap == pytest.approx(gap, abs=6e-4)


@pytest.mark.parametrize(("name", "z", "rise"), [("ede", 1.004, 0.2369), ("rbnn", 0.709, 0.2458)])
def test_rises(name: str, z: float, rise: float) -> None:
    """The largest rise of the error along the knob, and where."""
    witness = verdicts.judge_printed(surrogate(name)).flexible_witness

    assert witness
    assert f"rises by {rise}" in witness.text
    assert f"z = {z:.3f}"[:8] in witness.text


def test_a_fixed_knob_visits_its_end_alone() -> None:
    """Over what training visits: RBNN fixed at t = 10 is rational, and its knob never moves."""
    fixed = surrogate("rbnn", schedule="fixed")

    assert verdicts.judge_printed(fixed).rational == "yes"
    assert verdicts.judge_printed(fixed).flexible == "little"
    assert verdicts.judge_trained(fixed, "W").flexible == "not"
    assert verdicts.judge_trained(surrogate("reste", schedule="fixed"), "A").rational == "yes"


def test_a_new_estimator_is_judged_without_a_test_of_its_own() -> None:
    """A surrogate with a discontinuous, NaN-prone f is not rational, and says where."""

    class Broken(Surrogate):
        formula = "f(z) = log z"
        kind = "wrong"

        def value(self, z: torch.Tensor, _: torch.Tensor, /) -> torch.Tensor:
            return torch.log(z)

    verdict = verdicts.judge_printed(Broken())

    assert verdict.rational == "no"
    assert verdict.rational_witness
    assert math.isinf(verdict.rational_witness.gap)


@pytest.mark.parametrize("limits", [(0.0, math.inf), (0.0, 1e4), (math.inf, 0.0)])
def test_an_unbounded_limit_is_approached(limits: tuple[float, float]) -> None:
    """A learned knob without an end is judged as one with a far end, never by f at infinity."""

    class Softsign(Surrogate):
        formula = "f(z) = (1 + t) z / (1 + t |z|)"
        kind = "softsign"

        def knob(self, role: Role = "W") -> Knob:
            return Knob("t", 1.0, 1.0, limits=limits, learned=True)

        def value(self, z: torch.Tensor, t: torch.Tensor, /) -> torch.Tensor:
            if limits[0] > limits[1]:
                t = 1 / t
            return (1 + t) * z / (1 + t * z.abs())

    for verdict in (judged := verdicts.judge_printed(Softsign())), judge_l2(Softsign()):
        assert (verdict.rational, verdict.flexible) == ("yes", "yes")
    assert judged.rational_witness is None


def judge_l2(surrogate: Surrogate) -> Properties:
    return judge_by(surrogate, Criterion("l2-uniform", "identity", "pure"))


def test_what_is_no_number_is_no_witness() -> None:
    """Of an f that overflows the last finite power is looked at; a NaN elsewhere is refused."""

    class Exponential(Surrogate):
        formula = "f(z) = sign(z) (e^(t|z|) - 1) / (e^t - 1)"
        kind = "exponential"

        def knob(self, role: Role = "W") -> Knob:
            return Knob("t", 1.0, 1.0, limits=(0, math.inf), learned=True)

        def value(self, z: torch.Tensor, t: torch.Tensor, /) -> torch.Tensor:
            return torch.sign(z) * torch.expm1(t * z.abs()) / torch.expm1(t)

    class Gap(Surrogate):
        formula = "f(z) = z where |z| ≤ 1"
        kind = "undefined beyond"

        def value(self, z: torch.Tensor, _: torch.Tensor, /) -> torch.Tensor:
            return torch.where(z.abs() <= 1, z, math.nan)

    verdict = verdicts.judge_printed(Exponential())
    assert verdict.rational == "no"
    assert "nan" not in repr(verdict)
    with pytest.raises(PluginError, match=r"f is not a number at z = 1\.0005, so nothing"):
        verdicts.judge_printed(Gap())


def surrogate(name: str, **params: object) -> Surrogate:
    built = ESTIMATORS.build(name, dict(params))
    assert isinstance(built, Surrogate)
    return built
