"""Rational and flexible, against Table 3 of the ReSTE paper and the figures worked out for it."""

import math

import pytest
import torch

from bench.plugin import Surrogate
from bench.properties import verdicts
from bench.registry import ESTIMATORS

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


def surrogate(name: str, **params: object) -> Surrogate:
    built = ESTIMATORS.build(name, dict(params))
    assert isinstance(built, Surrogate)
    return built
