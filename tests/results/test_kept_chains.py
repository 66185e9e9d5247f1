"""What cells rest on is kept, travels with them, and is told apart from what nobody needs."""

from collections.abc import Callable
from pathlib import Path

from samples import WEIGHTS, cell, record, row

from bench.leaderboard.resources import chain_cost, chain_epochs
from bench.results import cell_folders, source_digest, store
from bench.results.cell_state import CellStates
from bench.results.garbage import find_leftovers
from bench.results.record import Record
from bench.results.record_diff import diff_records
from bench.spec.cell import Cell, Parent
from bench.spec.plan import Plan
from bench.train.verify import Verifier
from bench.train.weights import digest

Ask = Callable[..., tuple[int, str, str]]

TEACHER = cell(weights=None, activations=None)
FIRST = cell(recipe={"epochs": 3}, teacher=Parent(cell=TEACHER))
LAST = cell(start=Parent(cell=FIRST), teacher=Parent(cell=TEACHER))
ALONE = cell(seed=5)


def left(root: Path, of: Cell) -> Record:
    """The record of a cell, with weights, as a run leaves them."""
    made = record(of, weights_digest=digest(WEIGHTS))
    store.save_record(root, made)
    store.save_weights(store.weights_path(root, of, "last"), WEIGHTS)
    return made


def planned(*cells: Cell) -> Plan:
    return Plan(
        suite="s", source="s.yaml", source_digest="0", baseline=None, rows=[row("ste", [*cells])]
    )


def test_gc_keeps_what_a_kept_cell_rests_on(tmp_path: Path) -> None:
    """A plan names its rows' cells; stages and teachers are theirs."""
    store.save_plan(tmp_path, planned(LAST))
    for each in (TEACHER, FIRST, LAST, ALONE):
        left(tmp_path, each)

    assert [leftover.path.name for leftover in find_leftovers(tmp_path)] == [ALONE.slug]


def test_a_cell_travels_with_what_it_rests_on(tmp_path: Path, ask: Ask) -> None:
    """An archive of one cell has its whole chain; there it can be gone on from."""
    here, there, archive = tmp_path / "here", tmp_path / "there", tmp_path / "a.tar.gz"
    for each in (TEACHER, FIRST, LAST, ALONE):
        left(here, each)
    code, _, _ = ask("export", LAST.id, "-o", archive, "--results", here)
    merged, _, _ = ask("merge", archive, "--results", there)

    assert (code, merged) == (0, 0)
    assert {path.name for path in (there / "cells").iterdir()} == {
        TEACHER.slug, FIRST.slug, LAST.slug,
    }  # fmt: skip
    assert store.weights_path(there, FIRST, "last").is_file()


def test_a_change_above_makes_what_rests_on_it_stale(tmp_path: Path) -> None:
    """With the reason of the cell that changed; what is blind to code finds the record."""
    older = TEACHER.model_copy(update={"numerics": {"bench/nn/sign.py": "a"}})
    newer = TEACHER.model_copy(update={"numerics": {"bench/nn/sign.py": "b"}})
    old, new = cell(teacher=Parent(cell=older)), cell(teacher=Parent(cell=newer))
    left(tmp_path, old)
    (state,) = CellStates(tmp_path, [new]).by_id.values()

    assert state.state == "stale"
    assert state.note == "bench/nn/sign.py changed"
    now = source_digest.now(LAST)
    assert {each.core for each in (*now.ancestry(), now)} == {LAST.core}
    assert {tuple(each.numerics) for each in now.ancestry()} == {tuple(now.numerics)}


def test_what_a_chain_took_is_summed(tmp_path: Path) -> None:
    """Epochs, seconds, and joules where every training counted them."""
    records = {each.id: left(tmp_path, each) for each in (TEACHER, FIRST, LAST)}

    assert chain_epochs(LAST) == 2 + 3 + 2
    assert chain_cost(LAST, records).wall_s == 3.0
    assert chain_cost(LAST, records).energy_j is None
    assert chain_cost(ALONE, {ALONE.id: record(ALONE)}).epochs == 2
    del records[FIRST.id]
    assert chain_cost(LAST, records).wall_s is None


def test_records_that_took_other_weights_say_so() -> None:
    """It is the cause of all that differs after it, so it is told first."""
    a = record(LAST, parents={"start": "a" * 64, "teacher": "b" * 64}, weights_digest="c" * 64)
    b = record(LAST, parents={"start": "d" * 64, "teacher": "b" * 64}, weights_digest="e" * 64)

    assert [found.name for found in diff_records(a, b)] == ["weights of the start", "last weights"]


def test_verify_asks_whether_parents_have_the_weights_that_were_taken(tmp_path: Path) -> None:
    """A parent that was measured again, or came from elsewhere, may have others."""
    for each in (TEACHER, FIRST, LAST):
        left(tmp_path, each)
    taken = {"start": digest(WEIGHTS), "teacher": "a" * 64}
    store.save_record(tmp_path, record(LAST, weights_digest=digest(WEIGHTS), parents=taken))
    verifier = Verifier(tmp_path, None, accuracy=False)
    last, first = (
        verifier.check(cell_folders.read_folder(store.cell_path(tmp_path, each)))
        for each in (LAST, FIRST)
    )

    assert "start" in last.checked
    assert last.wrong == [f"teacher: {TEACHER.slug} has other weights now"]
    assert f"teacher ({TEACHER.slug} is not named by its digest)" in first.unchecked
