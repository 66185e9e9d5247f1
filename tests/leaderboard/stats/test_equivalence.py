"""Two one-sided tests: that two rows are as good as each other."""

import numpy as np
import pytest
from scipy import stats

from bench.leaderboard.stats.equivalence import needed_for_equivalence, tost, tost_of_differences


def test_the_tests_are_welchs_each_way() -> None:
    """The larger p of two one-sided tests of shifted samples, and the 90 % interval."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(40, 0.5, 7).tolist(), rng.normal(40.1, 0.9, 9).tolist()
    found = tost(a, b, 0.8)

    sides = [
        tuple(stats.ttest_ind([x + shift for x in b], a, equal_var=False, alternative=way))[1]
        for shift, way in ((0.8, "greater"), (-0.8, "less"))
    ]
    interval = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.9)
    assert found.p == pytest.approx(max(sides))
    assert found.difference == pytest.approx(np.mean(b) - np.mean(a))
    assert found.difference + (found.half_width or 0) == pytest.approx(interval.high)


@pytest.mark.parametrize(
    ("b", "margin", "verdict"),
    [
        ([40.0, 40.1, 40.2], 0.5, "equivalent"),
        ([40.0, 40.1, 40.2], 0.05, "not settled"),
        ([42.0, 42.1, 42.2], 0.5, "not equivalent"),
        ([40.0], 0.5, "not settled"),
    ],
)
def test_the_interval_decides(b: list[float], margin: float, verdict: str) -> None:
    """Within the margin, on its edge, outside; of one seed nothing is known."""
    assert tost([40.0, 40.1, 40.2], b, margin).verdict == verdict


def test_differences_of_seeds_are_students() -> None:
    """Both tests of one sample, its 90 % interval; of one difference nothing is known."""
    differences = [0.2, -0.1, 0.3, 0.1, 0.05]
    found = tost_of_differences(differences, 0.5)

    sides = [
        tuple(stats.ttest_1samp(differences, at, alternative=way))[1]
        for at, way in ((-0.5, "greater"), (0.5, "less"))
    ]
    interval = stats.ttest_1samp(differences, 0).confidence_interval(0.9)
    assert found.p == pytest.approx(max(sides))
    assert found.difference + (found.half_width or 0) == pytest.approx(interval.high)
    assert found.verdict == "equivalent"
    assert tost_of_differences([0.1], 0.5).verdict == "not settled"


@pytest.mark.parametrize(("margin", "n"), [(5.0, 3), (3.0, 4), (1.0, 18)])
def test_seeds_that_show_equal_rows_equivalent(margin: float, n: int) -> None:
    """Simulated: with that many the chance is 80 % or more, with one less it is below."""
    root = 2**0.5 / 2
    chances: list[float] = []
    for seeds in (n - 1, n):
        samples = np.random.default_rng(0).normal(0, 1, (2, 40_000, seeds))
        means, parts = samples.mean(2), samples.var(2, ddof=1) / seeds
        nu = parts.sum(0) ** 2 / (parts**2).sum(0) * (seeds - 1)
        half = stats.t.isf(0.05, nu) * np.sqrt(parts.sum(0))
        chances.append(float(np.mean(abs(means[1] - means[0]) + half < margin)))

    assert needed_for_equivalence([-root, root], [-root, root], margin) == n  # variances 1
    assert chances[0] < 0.8 < chances[1]


def test_some_rows_cannot_be_shown_equivalent() -> None:
    """One value, no spread, and a spread that no number of seeds overcomes."""
    assert needed_for_equivalence([0.5], [0.4, 0.5], 1.0) is None
    assert needed_for_equivalence([0.5, 0.5], [0.4, 0.4], 1.0) is None
    assert needed_for_equivalence([-90, 90], [-90, 90], 0.01) is None
