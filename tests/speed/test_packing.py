"""How many cells train at once, by what was measured; and when they end."""

import pytest

from bench.speed import packing
from bench.speed.makespan import compute_end_times, find_largest
from bench.speed.throughput import Throughput

RATES = {1: 100.0, 2: 190.0, 4: 300.0, 8: 320.0, 16: 900.0}  # images/s of so many copies together


def throughput(**fields: float | None) -> Throughput:
    given = {"mib": 3000.0, "host_mib": 2000.0, "reserved_mib": 3072.0, "free_mib": 60_000.0}
    return Throughput.model_validate(
        {
            "graph": "g", "place": "1 x cuda:0", "environment": "e", "host": "h", "copies": 1,
            "threads": 1, "images_per_s": 100.0, "epoch_s": 1.0, "start_s": 0.0, "first_s": 0.0,
            "made": "",
        }
        | given
        | fields
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rates", "most", "best"),
    [
        (RATES, 16, 4),  # 8 are not a tenth faster than 4, and 16 are not tried
        (RATES, 3, 2),  # no memory for 4
        ({1: 100.0, 2: 100.0}, 16, 1),
        ({1: 100.0, 2: None}, 16, 1),  # out of memory
        ({1: None}, 16, 1),
    ],
)
def test_copies_double_while_it_pays(rates: dict[int, float | None], most: int, best: int) -> None:
    """Twice as many copies are taken if together they are a tenth faster, and fit."""
    assert packing.double_while_it_pays(rates.__getitem__, most) == best


def test_the_memory_that_is_short_decides() -> None:
    """The GPU's, a context for each process and a margin included, or the host's."""
    assert packing.count_fitting_copies(throughput(), 1e6) == 1 + int(60_000 * 0.95 / 4096)
    assert packing.count_fitting_copies(throughput(), 10_000) == 4
    assert packing.count_fitting_copies(throughput(free_mib=None), 10_000) == 4  # a CPU
    assert (
        packing.count_fitting_copies(throughput(free_mib=1000.0), 1e6) == 1
    )  # the one that was there


def test_layouts_use_every_core() -> None:
    """From one thread for each cell to one cell."""
    assert [(len(way), way[0].threads) for way in packing.list_cpu_layouts(8)] == [
        (8, 1), (4, 2), (2, 4), (1, 8),
    ]  # fmt: skip
    assert [len(way) for way in packing.list_cpu_layouts(1)] == [1]


def test_cells_go_to_the_slot_that_is_free_first() -> None:
    """In their order, after the start; a short one may end before a long one that began sooner."""
    assert compute_end_times([5, 1, 1, 4], 2) == [5, 1, 2, 6]
    assert compute_end_times([1, 1], 4, start_s=10) == [11, 11]
    assert compute_end_times([], 2) == []
    chain = {1: [0], 3: [1]}  # the second waits for the first, the fourth for the second
    assert compute_end_times([5, 1, 2, 1, 9], 2, parents=chain) == [5, 6, 2, 7, 11]


def test_the_largest_that_fits() -> None:
    """Found by halving; 0 if not even 1 fits, the most if all do."""
    assert [find_largest(lambda n: n <= 7, 100), find_largest(lambda _: False, 5)] == [7, 0]
    assert find_largest(lambda _: True, 20) == 20
