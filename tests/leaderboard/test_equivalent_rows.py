"""Which rows of a board are shown to be as good as each other."""

from dataclasses import replace
from statistics import stdev
from typing import TypeAlias

import pytest
from samples import ACCS, board_of_four
from scipy import stats

from bench.errors import UsageError
from bench.leaderboard.board import Board
from bench.leaderboard.equivalence import compare_along, compare_to

Accuracies: TypeAlias = dict[str, dict[int, float | None]]


def two_tables(other: Accuracies = ACCS) -> Board:
    """Two sections, as a crossed option makes them; the second may have other accuracies."""
    boards = board_of_four(), board_of_four(other)
    return replace(
        boards[0],
        sections=[
            replace(board.sections[0], backbone=f"resnet20(width=8,gradients={gradients})")
            for board, gradients in zip(boards, ("float32", "bfloat16"), strict=True)
        ],
    )


def test_rows_are_compared_with_themselves() -> None:
    """Along what the labels differ in, which need not be named; what lost a seed is left out."""
    found = compare_along(two_tables(), "", 0.5)

    assert [(row.first.label, row.backbone, row.differ) for row in found.rows] == [
        (label, "resnet20(width=8)", ("float32", "bfloat16")) for label in ("alike", "ste", "worse")
    ]
    assert {row.found.difference for row in found.rows} == {0}
    assert {row.found.verdict for row in found.rows} == {"equivalent"}
    assert found.together
    assert found.together.difference == 0  # of every seed, so that nothing is known of its spread
    assert found.together.half_width is None
    (order,) = found.orders
    assert order.first == order.second == ["alike", "ste", "worse"]
    assert order.tau == pytest.approx(1)
    assert order.together == found.together  # there is one pair of tables


def test_all_rows_together_are_compared_seed_by_seed() -> None:
    """Rows of a seed move together here, so that more rows tell no more than one."""
    moved = {0: -0.010, 1: -0.016, 2: -0.013, 3: -0.013}
    other: Accuracies = {
        row: {seed: acc and acc + moved[seed] for seed, acc in accs.items()}
        for row, accs in ACCS.items()
    }
    together = compare_along(two_tables(other), "", 0.5).together

    assert together
    assert together.difference == pytest.approx(-0.013)
    assert together.half_width == pytest.approx(stats.t.isf(0.05, 3) * stdev(moved.values()) / 2)
    assert together.verdict == "equivalent"


def test_rows_of_equal_means_are_in_no_order() -> None:
    """Kendall's τ counts no tie as an agreement; of one table without an order there is none."""
    level: Accuracies = {row: {0: 0.5, 1: 0.6} for row in ACCS}
    flat = compare_along(two_tables(level), "", 0.5).orders[0]
    half = compare_along(two_tables({**ACCS, "alike": ACCS["ste"]}), "", 0.5).orders[0]

    assert flat.tau is None
    assert half.tau == pytest.approx((2 / 3) / (2 / 3) ** 0.5)  # τ-b with one tie of three pairs


def test_of_three_values_every_pair_is_compared() -> None:
    """These are differences of several kinds, so that nothing is said of all of them together."""
    board = two_tables()
    more = replace(board.sections[0], backbone="resnet20(width=8,gradients=float16)")
    found = compare_along(replace(board, sections=[*board.sections, more]), "gradients", 0.5)

    assert [order.differ for order in found.orders] == [
        ("float32", "bfloat16"), ("float32", "float16"), ("bfloat16", "float16"),
    ]  # fmt: skip
    assert len(found.rows) == 9
    assert all(order.together for order in found.orders)
    assert found.together is None


def test_rows_are_compared_with_one() -> None:
    """Of their own table."""
    found = compare_to(board_of_four(), "ste", 0.02)

    assert [(row.second.label, row.found.verdict) for row in found.rows] == [
        ("alike", "equivalent"),
        ("worse", "not equivalent"),
    ]
    assert found.together is None


def test_what_cannot_be_compared_is_said() -> None:
    """Another key, no key, another row."""
    with pytest.raises(UsageError, match="did you mean `gradients`"):
        compare_along(two_tables(), "gradient", 0.5)
    with pytest.raises(UsageError, match="--to ROW"):
        compare_along(board_of_four(), "", 0.5)
    with pytest.raises(UsageError, match="no row `lost`"):
        compare_to(board_of_four(), "lost", 0.5)
