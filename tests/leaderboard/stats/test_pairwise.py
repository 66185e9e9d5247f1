"""Which rows can be told apart: textbook numbers, other programs' numbers, and error rates."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from bench.leaderboard.stats.intervals import QUANTILES, quantile
from bench.leaderboard.stats.pairwise import (
    RankInterval,
    adjusted,
    apart,
    dunnett,
    freedom,
    rank_intervals,
    welch,
)

# Dunnett (1955), as scipy's documentation has it: blood counts under two drugs and a control.
CONTROL = [7.40, 8.50, 7.20, 8.24, 9.84, 8.32]
DRUG_A = [9.76, 8.80, 7.68, 9.36]
DRUG_B = [12.80, 9.68, 12.16, 9.20, 10.55]

accuracies = st.lists(st.integers(0, 100).map(lambda x: x / 100), min_size=2, max_size=8)


def samples(rng: np.random.Generator, rows: int, seeds: int) -> list[list[float]]:
    return [list(map(float, row)) for row in rng.normal(0.9, 0.01, (rows, seeds))]


def test_quantiles_are_scipys() -> None:
    """Those that are written down, and the next."""
    theirs = special.stdtrit(range(1, len(QUANTILES) + 2), 0.975)
    ours = [quantile(n) for n in range(1, len(QUANTILES) + 2)]
    assert ours == pytest.approx(theirs, rel=1e-14)


@given(accuracies, accuracies)
def test_welch_is_scipys(a: list[float], b: list[float]) -> None:
    """The p value is the library's wherever two samples have a spread."""
    if min(len(set(a)), len(set(b))) > 1:
        theirs = tuple(stats.ttest_ind(a, b, equal_var=False))
        assert welch([a, b]) == pytest.approx([theirs[1]], abs=1e-9)
        parts = float(np.var(a, ddof=1)) / len(a), float(np.var(b, ddof=1)) / len(b)
        nu = freedom(parts, (len(a), len(b)))
        assert min(len(a), len(b)) - 1 <= nu + 1e-9
        assert nu <= len(a) + len(b) - 2 + 1e-9


def test_without_spread_nothing_is_told_apart() -> None:
    """One seed, or seeds that agree to the digit, say nothing of the noise."""
    assert welch([[0.5], [0.9, 0.8]]) == [1]
    assert welch([[0.5, 0.5], [0.9, 0.9]]) == [1]
    assert welch([]) == welch([[0.5, 0.6]]) == []
    assert apart([[0.9], [0.5], [0.1]]) == set()


def test_holms_and_benjaminis_steps() -> None:
    """The example of Benjamini and Hochberg's paper: 15 p values, 3 by Holm's, 4 by theirs."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
         0.4262, 0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip

    assert sum(x <= 0.05 for x in adjusted(p, "holm")) == 3
    assert sum(x <= 0.05 for x in adjusted(p, "fdr")) == 4
    assert adjusted(p, "fdr") == pytest.approx(stats.false_discovery_control(p))
    assert adjusted([0.01, 0.04, 0.03], "holm") == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([], "holm") == adjusted([], "fdr") == []


def test_dunnetts_blood_counts() -> None:
    """Drug B differs from the control and drug A does not, as in the paper."""
    a, b = dunnett([DRUG_A, DRUG_B], CONTROL)

    assert a == pytest.approx(0.620, abs=2e-3)
    assert b == pytest.approx(0.0058, abs=3e-4)
    assert dunnett([DRUG_A, DRUG_B], CONTROL) == [a, b]
    assert all(map(math.isnan, dunnett([[0.5], [0.6]], [0.7])))


def test_rank_intervals_and_tiers() -> None:
    """Of 1 > 3 alone: the first is in doubt with the second, and so is the second with all."""
    assert rank_intervals(3, set()) == [RankInterval(1, 3, 1)] * 3
    assert rank_intervals(3, {(0, 2)}) == [
        RankInterval(1, 2, 1),
        RankInterval(1, 3, 1),
        RankInterval(2, 3, 2),
    ]
    assert rank_intervals(3, {(0, 1), (0, 2)}) == [
        RankInterval(1, 1, 1),
        RankInterval(2, 3, 2),
        RankInterval(2, 3, 2),
    ]
    assert rank_intervals(0, set()) == []


@given(st.integers(1, 7).flatmap(
    lambda n: st.tuples(st.just(n), st.sets(st.sampled_from([*combinations(range(n), 2), (0, n)])))
))  # fmt: skip
def test_a_tier_holds_no_pair_that_differs(case: tuple[int, set[tuple[int, int]]]) -> None:
    """Whatever the pairs are, tiers are runs, and a place's interval holds its position."""
    n, better = case[0], {(i, j) for i, j in case[1] if j < case[0]}
    found = rank_intervals(n, better)

    assert [p.tier for p in found] == sorted(p.tier for p in found)
    assert not any(found[i].tier == found[j].tier for i, j in better)
    assert all(p.first <= i <= p.last for i, p in enumerate(found, start=1))


@pytest.mark.parametrize("seeds", [3, 5])
def test_of_equal_rows_few_are_told_apart(seeds: int) -> None:
    """Six rows that do not differ: in at most 5 % of tables is any pair told apart."""
    rng = np.random.default_rng(seeds)
    wrong = sum(bool(apart(samples(rng, 6, seeds))) for _ in range(600))

    assert wrong / 600 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 600)


@pytest.mark.slow
def test_dunnetts_error_is_the_stated_one() -> None:
    """Of equal rows one differs from the control in 5 % of tables."""
    rng = np.random.default_rng(0)
    tables = (samples(rng, 4, 4) for _ in range(300))
    wrong = sum(min(dunnett(rows[1:], rows[0])) < 0.05 for rows in tables)

    assert abs(wrong / 300 - 0.05) <= 2.5 * math.sqrt(0.05 * 0.95 / 300)


def test_a_gap_is_found() -> None:
    """Two groups of rows, far from each other, are two tiers; their members are not told apart."""
    rng = np.random.default_rng(1)
    rows = samples(rng, 4, 5)
    rows[2:] = [[x - 0.1 for x in row] for row in rows[2:]]
    rows.sort(key=lambda row: -sum(row))

    assert [p.tier for p in rank_intervals(4, apart(rows))] == [1, 1, 2, 2]
