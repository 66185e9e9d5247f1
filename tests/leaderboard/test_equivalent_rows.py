"""Which rows of a board are shown to be as good as each other."""

from dataclasses import replace

import pytest
from samples import board_of_four

from bench.errors import UsageError
from bench.leaderboard.board import Board
from bench.leaderboard.equivalence import compare_along, compare_to


def two_tables() -> Board:
    """The sections of one board, as a crossed option makes them."""
    board = board_of_four()
    (one,) = board.sections
    return replace(
        board,
        sections=[
            replace(one, backbone=f"resnet20(width=8,gradients={gradients})")
            for gradients in ("float32", "bfloat16")
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
    assert found.together.verdict == "equivalent"
    (order,) = found.orders
    assert order.first == order.second == ["alike", "ste", "worse"]
    assert order.tau == pytest.approx(1)
    assert order.together == found.together  # there is one pair of tables


def test_of_three_values_every_pair_is_compared() -> None:
    """A row's seeds are in two pairs then, so that nothing is said of all pairs together."""
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
