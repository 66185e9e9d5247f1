"""Variances that are `statistics`' own, to the bit."""

import statistics

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.leaderboard.stats import exact

floats = st.floats(allow_nan=False, allow_infinity=False)
accuracies = st.integers(0, 10_000).map(lambda x: x / 10_000)


@given(st.lists(floats, min_size=2, max_size=12) | st.lists(accuracies, min_size=2, max_size=12))
@example([0.1, 0.1])
@example([5e-324, 0.0])
@example([1.0, 2.0, 2**53])
def test_they_are_pythons(values: list[float]) -> None:
    """Also where they are 0, subnormal, or beyond floats."""
    for ours, theirs in (
        (exact.variance, statistics.variance),
        (exact.stdev, statistics.stdev),
    ):
        try:
            expected = theirs(values)
        except OverflowError:
            with pytest.raises(OverflowError):
                ours(values)
        else:
            assert ours(values) == expected
