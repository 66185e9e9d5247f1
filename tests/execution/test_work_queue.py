"""Cells that rest on others: given out when these have left their weights, ended if they cannot."""

from pathlib import Path

import pytest
from samples import cell, record

from bench.execution.events import Elsewhere, Ended, Event
from bench.execution.work_queue import WorkQueue
from bench.results import store
from bench.results.lease import Leases
from bench.results.owner import myself
from bench.spec.cell import Cell, Parent
from bench.spec.cell_status import CellStatus

FIRST = cell(recipe={"epochs": 1})
SECOND = cell(start=Parent(cell=FIRST))
THIRD = cell(start=Parent(cell=SECOND), recipe={"epochs": 3})
ALONE = cell(seed=7)


class Run:
    """A queue, and what it emitted; ends reach it as the executor passes them on."""

    def __init__(self, root: Path, cells: list[Cell]) -> None:
        self.root = root
        self.events: list[Event] = []
        self.leases = Leases(root, myself())
        self.queue = WorkQueue(cells, root, self.leases, self.emit)

    def emit(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Ended):
            self.queue.note_end(event)

    def end(self, of: Cell, status: CellStatus = CellStatus.OK) -> None:
        leave(self.root, of, status)
        self.leases.release(of)
        self.emit(Ended(of.id, status))

    @property
    def blocked(self) -> dict[str, str]:
        ends = [e for e in self.events if isinstance(e, Ended)]
        return {e.cell_id: e.reason for e in ends if e.status is CellStatus.BLOCKED}


def leave(
    root: Path, of: Cell, status: CellStatus = CellStatus.OK, *, weights: bool = True
) -> None:
    """Leave a record and weights, as a worker does."""
    store.save_record(root, record(of) if status is CellStatus.OK else record(of, status=status))
    if weights and status is CellStatus.OK:
        store.weights_path(root, of, "last").write_bytes(b"weights")


def test_a_cell_waits_for_its_parent_and_others_do_not(tmp_path: Path) -> None:
    """Whatever the order in which they are asked for."""
    run = Run(tmp_path, [THIRD, SECOND, FIRST, ALONE])

    assert run.queue.next() == FIRST
    assert run.queue.next() == ALONE
    assert run.queue.next() is None
    run.end(FIRST)
    assert run.queue.next() == SECOND
    assert run.queue.next() is None
    run.end(ALONE)
    run.end(SECOND)
    assert run.queue.next() == THIRD


def test_nothing_is_looked_at_while_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of ten thousand cells asks ten times a second."""
    run = Run(tmp_path, [FIRST, SECOND])
    run.queue.next()
    run.queue.next()

    def fail(_: object) -> str:
        pytest.fail("looked")

    monkeypatch.setattr("bench.execution.parents.Parents.obstacle", fail)
    assert run.queue.next() is None


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (CellStatus.FAILED, "which failed"),
        (CellStatus.DIVERGED, "which diverged"),
        (CellStatus.TIMEOUT, "which took too long"),
        (CellStatus.OUT_OF_MEMORY, "which ran out of memory"),
    ],
)
def test_a_parent_that_comes_to_nothing_ends_all_that_wait_for_it(
    tmp_path: Path, status: CellStatus, word: str
) -> None:
    """Each is told the cell that is to blame; none gets a record."""
    run = Run(tmp_path, [FIRST, SECOND, THIRD])
    run.queue.next()
    run.end(FIRST, status)

    assert run.queue.next() is None
    why = f"waiting for {FIRST.slug}, {word}"
    assert run.blocked == {SECOND.id: why, THIRD.id: why}
    assert run.queue.waiting == []
    assert store.find_record(tmp_path, SECOND) is None


def test_a_parent_of_an_earlier_run_is_as_good(tmp_path: Path) -> None:
    """Its record and its weights are there: a teacher of another suite."""
    leave(tmp_path, FIRST)

    assert Run(tmp_path, [SECOND]).queue.next() == SECOND


def test_what_an_earlier_run_did_not_leave_is_named(tmp_path: Path) -> None:
    """No record, a failure, a record without weights, a record of other code."""
    said: list[str] = []
    for prepare in (
        lambda root: None,
        lambda root: leave(root, FIRST, CellStatus.FAILED),
        lambda root: leave(root, FIRST, weights=False),
        lambda root: leave(root, FIRST.model_copy(update={"core": 99})),
    ):
        root = tmp_path / str(len(said))
        prepare(root)
        run = Run(root, [SECOND])
        assert run.queue.next() is None
        said += run.blocked.values()

    head = f"waiting for {FIRST.slug}"
    again = f"--rerun {FIRST.id}"
    assert said == [
        f"{head}, which has no record; {again} measures it",
        f"{head}, which failed",
        f"{head}: its weights are not there; run it again with {again}",
        f"{head}, which is stale: numeric core 99 -> 1; {again} measures it",
    ]


def test_a_parent_that_another_run_has_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end there is the end of the waiting, good or bad."""
    monkeypatch.setattr("bench.execution.work_queue.CHECK_S", -1.0)
    for status in (CellStatus.OK, CellStatus.FAILED):
        root = tmp_path / status
        other = Leases(root, myself())
        other.take(FIRST)
        run = Run(root, [FIRST, SECOND])

        assert run.queue.next() is None
        assert [e.cell_id for e in run.events if isinstance(e, Elsewhere)] == [FIRST.id]
        leave(root, FIRST, status)
        other.release(FIRST)
        run.queue.next()
        if status is CellStatus.OK:
            assert run.queue.next() == SECOND
        else:
            run.queue.next()
            assert list(run.blocked) == [SECOND.id]


def test_a_parent_of_a_run_that_died_is_trained_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the dead."""
    monkeypatch.setattr("bench.execution.work_queue.CHECK_S", -1.0)
    Leases(tmp_path, myself().model_copy(update={"began": "1"})).take(FIRST)

    assert Run(tmp_path, [FIRST, SECOND]).queue.next() == FIRST


def test_a_failed_parent_that_is_tried_again_keeps_its_children(tmp_path: Path) -> None:
    """Only its last end counts."""
    run = Run(tmp_path, [FIRST, SECOND])
    run.queue.next()
    leave(tmp_path, FIRST, CellStatus.FAILED)
    run.queue.put_back(FIRST)

    assert run.queue.next() == FIRST
    run.end(FIRST)
    assert run.queue.next() == SECOND
    assert run.blocked == {}
