"""On what each verdict of Table 3 rests, definition by definition."""

import math

import pytest
import torch
from error_figures import Course, Gap, ratio

from bench.plugin import Knob, Surrogate
from bench.properties import estimating_error, study, verdicts
from bench.properties.criterion import Criterion
from bench.properties.estimating_error import WeightedSample
from bench.registry import ESTIMATORS
from bench.spec.cell import Role
from bench.spec.choices import Baseline, FormName, PropertyDefinition
from bench.spec.plan import Properties

TABLE_3 = {
    "dsq": ("no", "little"), "ste": ("yes", "not"), "ede": ("no", "little"),
    "fda": ("no", "little"), "rbnn": ("no", "little"), "reste": ("yes", "yes"),
}  # fmt: skip


def surrogate(name: str, **params: object) -> Surrogate:
    built = ESTIMATORS.build(name, dict(params))
    assert isinstance(built, Surrogate)
    return built


def verdict(
    name: str,
    definition: PropertyDefinition = "p",
    baseline: Baseline = "identity",
    form: FormName = "pure",
    **params: object,
) -> Properties:
    return study.judge_by(surrogate(name, **params), Criterion(definition, baseline, form))


@pytest.mark.parametrize("name", TABLE_3)
def test_table_3_is_p_identity_pure(name: str) -> None:
    """The default question gives the printed pairs, the same as the leaderboard's columns."""
    found = study.judge_by(surrogate(name), Criterion())

    assert (found.rational, found.flexible) == TABLE_3[name]
    assert found == verdicts.judge_printed(surrogate(name))


RATIONAL: list[tuple[str, PropertyDefinition, Baseline, FormName, str]] = [
    ("dsq", "p-fixed", "identity", "pure", "yes"),  # its bounds are what breaks it
    ("dsq", "end", "identity", "pure", "no"),
    ("rbnn", "end", "identity", "pure", "yes"),  # the last 28 % of its schedule
    ("ede", "end", "identity", "pure", "no"),  # by 4e-9
    ("rbnn", "l2-uniform", "identity", "pure", "yes"),
    ("rbnn", "l2-normal", "identity", "pure", "no"),
    ("ede", "l2-uniform", "identity", "pure", "no"),
    ("ede", "l2-normal", "identity", "pure", "yes"),
    ("fda", "l2-normal", "identity", "pure", "yes"),
    ("dsq", "l2-normal", "identity", "pure", "yes"),
    ("reste", "p", "hardtanh", "pure", "no"),
    ("reste", "p", "hardtanh", "truncated", "no"),
    ("reste", "end", "hardtanh", "truncated", "no"),
    ("ste", "p", "hardtanh", "pure", "no"),
    ("ste", "p", "hardtanh", "truncated", "yes"),  # it is hardtanh
    ("dsq", "p-fixed", "hardtanh", "pure", "yes"),
    ("rbnn", "end", "hardtanh", "pure", "yes"),
]


@pytest.mark.parametrize(("name", "definition", "baseline", "form", "rational"), RATIONAL)
def test_fragilities_of_rational(
    name: str, definition: PropertyDefinition, baseline: Baseline, form: FormName, rational: str
) -> None:
    """One change of the definition, the baseline or the form turns many a verdict."""
    found = verdict(name, definition, baseline, form)

    assert found.rational == rational
    assert (found.rational_witness is None) == (rational == "yes")


def test_ede_fails_at_the_end_by_4e_9() -> None:
    """Within 4e-9 of z = 1: reported as rational at tolerance 1e-8; at no other definition."""
    found = verdict("ede", "end")

    assert found.rational_witness
    assert found.rational_witness.z == pytest.approx(1, abs=1e-8)
    assert found.rational_witness.gap == pytest.approx(4.1e-9, rel=0.05)
    assert study.holds_nearly(found)
    assert not study.holds_nearly(verdict("ede"))


def test_ede_beats_ste_in_the_mean_from_t_1_13() -> None:
    """On U(-1, 1) EDE is worse than the identity for t < 1.13 alone, on N(0, 1) never."""
    f, uniform = surrogate("ede"), estimating_error.uniform_sample()

    assert ratio(f, 1.129, uniform) > 1 > ratio(f, 1.131, uniform)
    assert all(ratio(f, t, estimating_error.normal_sample()) < 1 for t in (0.1, 0.5, 1, 1.13, 10))


@pytest.mark.parametrize("t", [0.01, 0.5, 1, 1.3, 10])
def test_rbnn_beats_ste_in_the_mean_at_every_t(t: float) -> None:
    """On U(-1, 1), while it fails definition P until t = √2."""
    assert ratio(surrogate("rbnn"), t, estimating_error.uniform_sample()) < 1


def test_against_the_clipped_ste() -> None:
    """ReSTE is worse for every z > 1: by .442 at z = 3, o = 3; cut at 1.5, by .1447."""
    pure, cut = surrogate("reste").pure(), surrogate("reste")
    whole, part = Gap.of(pure, 3, "hardtanh"), Gap.of(cut, 3, "hardtanh")

    assert (whole.largest, whole.z) == (pytest.approx(0.442, abs=5e-4), 3)
    assert (whole.inner, whole.all) == (0, pytest.approx(2 / 3, abs=1e-3))
    assert (part.largest, part.z) == (pytest.approx(0.1447, abs=5e-5), pytest.approx(1.5))
    assert part.all == pytest.approx(2 / 3, abs=1e-3)
    assert Gap.of(surrogate("ede"), 10, "hardtanh").largest == pytest.approx(4e-9, rel=0.1)
    assert Gap.of(surrogate("rbnn"), 1.4143, "hardtanh").largest <= estimating_error.TOLERANCE


def test_ede_moves_away_before_it_moves_towards() -> None:
    """The errors at z = .5 of EDE and RBNN along t, as worked out."""
    half = torch.tensor([0.5], dtype=torch.float64)
    ede = [
        estimating_error.measure_error(surrogate("ede"), half, t).item()
        for t in (0.1, 0.5, 1, 2, 10)
    ]
    knobs = (0.01, 0.1, 0.5, 1, math.sqrt(2), 10)
    rbnn = [estimating_error.measure_error(surrogate("rbnn"), half, t).item() for t in knobs]

    assert ede == pytest.approx([0.5004, 0.5102, 0.5379, 0.2384, 9e-5], abs=6e-5)
    assert rbnn == pytest.approx([0.2941, 0.3054, 0.3554, 0.4179, 0.2500, 0], abs=6e-5)


@pytest.mark.slow
def test_what_each_verdict_rests_on() -> None:
    """Every single change that turns a verdict is named; STE's rests on ≤."""

    def rests(name: str) -> list[str]:
        f = surrogate(name)
        return study.list_turns(f, study.judge_by_all(f))

    assert "p-fixed: rational no → yes" in rests("dsq")
    assert "end: rational no → yes" in rests("rbnn")
    assert "end: rational at tolerance 1e-8" in rests("ede")
    assert rests("reste") == ["hardtanh: rational yes → no", "truncated: flexible yes → little"]
    assert rests("ste") == [
        "hardtanh: rational yes → no",
        "≤ rather than <: both sides are equal at every z",
    ]


def test_truncated_reste_moves_gradually_but_not_to_sign() -> None:
    """Its (b) holds and its (a) fails: flexible as printed, little flexible as it trains."""
    cut = verdict("reste", form="truncated")

    assert (verdict("reste").flexible, cut.flexible) == ("yes", "little")
    assert cut.flexible_witness
    assert "rises" not in cut.flexible_witness.text


def test_on_measured_values() -> None:
    """All values beyond 1: RBNN at t = .01 overshoots, which U(-1, 1) does not see."""
    values = torch.tensor([2.5, -2.5, 3.0])
    measured: dict[Role, WeightedSample] = {
        "W": estimating_error.empirical_sample("three values", values)
    }
    found = study.judge_by(surrogate("rbnn"), Criterion("trained"), measured)
    inner: dict[Role, WeightedSample] = {
        "W": estimating_error.empirical_sample("small values", values / 10)
    }

    assert found.rational == "no"
    assert found.rational_witness
    assert "on three values, t = 0.01: error" in found.rational_witness.text
    assert study.judge_by(surrogate("rbnn"), Criterion("trained"), inner).rational == "yes"


def test_a_sample_is_thinned_evenly() -> None:
    """At most so many values, in double precision, each with the same weight."""
    sample = estimating_error.empirical_sample("many", torch.arange(100_000.0))

    assert len(sample.z) == 20_000
    assert sample.z.dtype == torch.float64
    assert sample.z[1] == 5
    assert sample.norm(torch.full_like(sample.z, 2.0)) == 2


def test_a_course_of_one_value_never_rises() -> None:
    """STE has no knob: the same start, largest and last L2 error."""
    assert len(set(Course.of(surrogate("ste"), [0.0]).l2)) == 1


def test_dsq_would_be_flexible_if_alpha_went_to_1() -> None:
    """Its verdict rests on α < 1/2: with α → 1 allowed the identity is reached, and (b) holds."""
    f = surrogate("dsq")
    wide = Knob("α", 0.999, 0.001, limits=(1 - 1e-9, 0))

    assert verdicts.judge_flexible((f,), wide)[0] == "yes"
    assert verdicts.judge_flexible((f,), f.knob())[0] == "little"
