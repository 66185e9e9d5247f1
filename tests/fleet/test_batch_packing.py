"""Which cells share a job."""

from samples import cell

from bench.fleet.packing import pack
from bench.spec.cell import Cell, Parent


def cells(n: int) -> list[Cell]:
    return [cell(seed=seed) for seed in range(n)]


def child(of: Cell, seed: int = 0) -> Cell:
    """A cell that begins from the last weights of another."""
    return cell(seed=seed, start=Parent(cell=of))


def names(batches: list[list[Cell]], known: list[Cell]) -> list[list[int]]:
    return [[known.index(one) for one in batch] for batch in batches]


def test_one_cell_a_job_where_nothing_is_known() -> None:
    """What is not measured shares no job, and neither does what has one without a limit."""
    known = cells(3)
    measured = {one.id: 10.0 for one in known[1:]}

    assert sorted(map(len, pack(known, measured, time_s=1000.0))) == [1, 2]
    assert len(pack(known, measured)) == 3


def test_jobs_are_filled_to_four_fifths() -> None:
    """Cells of 10 s fill the 80 s of a job of 100, and twice that where two train at a time."""
    known = cells(20)
    measured = {one.id: 10.0 for one in known}

    assert [*map(len, pack(known, measured, time_s=100.0))] == [8, 8, 4]
    assert [*map(len, pack(known, measured, time_s=100.0, slots=2))] == [16, 4]


def test_the_longest_go_first() -> None:
    """Batches begin with the cells that take longest."""
    known = cells(4)
    measured = {one.id: seconds for one, seconds in zip(known, [5, 30, 10, 20], strict=True)}

    assert names(pack(known, measured, per_job=2), known) == [[1, 3], [2, 0]]


def test_a_chain_shares_a_job() -> None:
    """Cells that follow upon one another stay together, in their order."""
    first = cell(seed=1)
    second = child(first, 1)
    other = cell(seed=2)
    known = [first, other, second]

    assert names(pack(known, {}), known) == [[0, 2], [1]]


def test_a_teacher_of_many_has_a_job_of_its_own() -> None:
    """Cells that wait for the same one are in other batches than it, and those come after its."""
    teacher = cell(seed=9)
    known = [teacher, *(child(teacher, seed) for seed in range(3)), cell(seed=8)]

    found = names(pack(known, {}, per_job=10), known)

    assert sorted(found[0]) == [0, 4]
    assert sorted(found[1]) == [1, 2, 3]
