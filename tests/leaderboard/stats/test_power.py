"""How many seeds a difference needs."""

import numpy as np
import pytest
from scipy import stats

from bench.leaderboard.stats.power import needed, power


@pytest.mark.parametrize(
    ("effect", "n"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)]
)  # Cohen (1988), Table 2.4.1: two-sided 5 %, power 80 %
def test_cohens_table(effect: float, n: int) -> None:
    """Standardised differences and the sizes of each group that the textbook has for them."""
    assert power(effect, (1, 1), n, 0.05) >= 0.8 > power(effect, (1, 1), n - 1, 0.05)
    root = 2**0.5 / 2
    assert needed([-root, root], [effect - root, effect + root], 0.05) == n  # variances 1


def test_power_is_how_often_a_difference_is_found() -> None:
    """Simulated, with unequal spreads."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (4000, 6)), rng.normal(2, 1.5, (4000, 6))
    p = tuple(stats.ttest_ind(a, b, axis=1, equal_var=False))[1]
    found = float(np.mean(p < 0.05))

    assert power(2, (1, 2.25), 6, 0.05) == pytest.approx(found, abs=0.02)


def test_what_no_number_of_seeds_can_tell() -> None:
    """Equal means, one value, and a difference far below the noise."""
    assert needed([0, 1], [1, 0], 0.05) is None
    assert needed([0.5], [0.1, 0.2], 0.05) is None
    assert needed([0, 1], [0.001, 1], 0.05) is None
    assert needed([0.5, 0.5], [0.6, 0.6], 0.05) is None
