"""The grid of a suite's `tune`: how many settings it has, and which of them a row tries."""

from bench.planning.grid import draw, size


def test_the_sample_of_a_large_grid_is_always_the_same() -> None:
    """A budget below the grid draws points in the grid's order, the same ones each time."""
    grid = {("train", "lr"): [1, 2, 3], ("train", "momentum"): [4, 5, 6]}
    own = {("train", "lr"): 2, ("train", "momentum"): 4}
    first = draw(own, grid, 4)

    assert first == draw(own, grid, 4)
    assert own not in first
    assert len({tuple(p.values()) for p in first}) == 4
    assert [tuple(p.values()) for p in draw(own, grid, 8)] == [
        (a, b) for a in (1, 2, 3) for b in (4, 5, 6) if (a, b) != (2, 4)
    ]
    assert size(own, grid) == 9
    assert size(own | {("train", "lr"): 9}, grid) == 10


def test_a_huge_grid_is_never_written_out() -> None:
    """Sampling costs what is drawn, not what there is: 10^18 points here."""
    grid = {("train", str(i)): list(range(100)) for i in range(9)}
    own = dict.fromkeys(grid, -1)

    assert len(draw(own, grid, 5)) == 5
