"""Average ranks over several sections."""

import pytest
from scipy import stats

from bench.leaderboard.stats.friedman import average_ranks, critical_difference


@pytest.mark.parametrize(
    ("rows", "blocks", "critical"), [(4, 14, 1.25), (5, 30, 1.11), (10, 20, 3.03)]
)  # Demšar (2006), section 3.2.4, and its q of Table 5(a): 2.569, 2.728, 3.164
def test_nemenyis_critical_difference(rows: int, blocks: int, critical: float) -> None:
    """Average ranks must differ by that much."""
    assert critical_difference(rows, blocks) == pytest.approx(critical, abs=0.006)


def test_demsars_decision_trees() -> None:
    """C4.5 with and without tuning on 14 data sets: his ranks, their averages, his chi-square."""
    printed = [
        (4, 3, 2, 1), (1, 2, 3, 4), (4, 1, 2, 3), (4, 1, 3, 2), (4, 2, 3, 1), (1, 2.5, 4, 2.5),
        (3, 2, 4, 1), (2.5, 2.5, 4, 1), (4, 3, 2, 1), (2.5, 2.5, 2.5, 2.5), (4, 2.5, 1, 2.5),
        (3, 2, 4, 1), (4, 1, 2, 3), (3, 1, 4, 2),
    ]  # fmt: skip
    rows = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
    table = {str(i): [1 - rank / 10 for rank in line] for i, line in enumerate(printed)}
    found = average_ranks(
        {name: dict(zip(rows, line, strict=True)) for name, line in table.items()}
    )

    assert found
    assert {k: round(v, 3) for k, v in found.ranks.items()} == {
        "C4.5+m+cf": 1.964, "C4.5+m": 2.0, "C4.5+cf": 2.893, "C4.5": 3.143,
    }  # fmt: skip
    assert list(found.ranks) == ["C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"]
    chi_squares = float(stats.friedmanchisquare(*zip(*table.values(), strict=True))[1])  # pyright: ignore
    assert found.p == pytest.approx(chi_squares, abs=0.005)  # which 14 blocks come near
    chi_square = 12 * 14 / (4 * 5) * (sum(r**2 for r in found.ranks.values()) - 4 * 5**2 / 4)
    assert chi_square == pytest.approx(9.28, abs=0.005)  # his, which does not see the ties
    assert found.groups == [["C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"]]


@pytest.mark.parametrize(
    ("orders", "p"),
    [
        (["abc", "bac", "abc"], 42 / 216),
        (["abcdef", "abcdef"], 1 / 720),
        (["abc", "abc", "abc", "abc"], 1 / 216),
    ],
)
def test_p_of_few_blocks_is_exact(orders: list[str], p: float) -> None:
    """Counted by hand: of all orders of all blocks those that lie as far apart, or farther."""
    found = average_ranks(
        {f"b{i}": {row: -order.index(row) for row in order} for i, order in enumerate(orders)}
    )

    assert found
    assert found.p == pytest.approx(p, abs=0.003)


def test_groups_are_as_long_as_they_can_be() -> None:
    """Runs within the critical difference; one within another is not told twice."""
    blocks = {f"b{i}": {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.6, "e": 0.5} for i in range(10)}
    found = average_ranks(blocks)

    assert found
    assert found.critical == pytest.approx(1.93, abs=0.005)
    assert found.groups == [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"]]


def test_rows_that_a_block_lacks_are_left_out() -> None:
    """Ranks are of the rows that every block has; one block or one row is no comparison."""
    found = average_ranks({"x": {"a": 0.9, "b": 0.8}, "y": {"b": 0.9, "a": 0.8, "c": 1.0}})

    assert found
    assert found.ranks == {"a": 1.5, "b": 1.5}
    assert (found.p, found.without) == (None, ["c"])
    assert average_ranks({"x": {"a": 0.9, "b": 0.8}}) is None
    tied = average_ranks({block: dict.fromkeys("abc", 0.1) for block in "xy"})
    assert tied
    assert (tied.ranks, tied.p) == ({"a": 2.0, "b": 2.0, "c": 2.0}, None)
    assert average_ranks({"x": {"a": 0.9}, "y": {"b": 0.9}}) is None
