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


@pytest.mark.parametrize(
    ("difference", "variances", "n", "alpha"),
    [
        (2, (1, 2.25), 6, 0.05),
        (6, (1, 1), 2, 0.05),  # by known variances .84
        (8, (1, 1), 3, 0.05 / 15),  # .94
        (6, (1, 0), 2, 0.05),
        (6, (1, 30), 3, 0.05),
    ],
)
def test_power_is_how_often_a_difference_is_found(
    difference: float, variances: tuple[float, float], n: int, alpha: float
) -> None:
    """Simulated, with few seeds, unequal spreads and none."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(0, v**0.5, (20_000, n)) for v in variances)
    means, parts = (b + difference).mean(1) - a.mean(1), (a.var(1, ddof=1), b.var(1, ddof=1))
    t = means / np.sqrt(sum(parts) / n)
    nu = sum(parts) ** 2 / sum(part**2 for part in parts) * (n - 1)
    found = float(np.mean(2 * stats.t.sf(abs(t), nu) < alpha))

    assert power(difference, variances, n, alpha) == pytest.approx(found, abs=0.012)


def test_what_no_number_of_seeds_can_tell() -> None:
    """Equal means, one value, and a difference far below the noise."""
    assert needed([0, 1], [1, 0], 0.05) is None
    assert needed([0.5], [0.1, 0.2], 0.05) is None
    assert needed([0, 1], [0.001, 1], 0.05) is None
    assert needed([0.5, 0.5], [0.6, 0.6], 0.05) is None
