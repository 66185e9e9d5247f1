"""Records that are told from an index: the same numbers, and never against their files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import cell, record, row

from bench.errors import EnvironmentProblem
from bench.results import cell_folders, equilibrium, record_index, store
from bench.results.indexed_record import IndexedRecord
from bench.results.record import LayerIndicators, Record
from bench.results.record_index import FORM, RecordIndex
from bench.spec.cell import Cell
from bench.spec.plan import Plan

FACTS = (
    "curves_digest",
    "epochs",
    "last_acc",
    "best_acc",
    "last_top5",
    "best_top5",
    "measured",
    "never_binary",
)
LAYER = LayerIndicators(
    layer="a", role="W", n=[4], zeros=[0], n_grad=4, grad_mean_last=[0.1], grad_var_last=[0.2],
    grad_mean=[0.3], grad_var=[0.4], error_now_used=[0.5], error_now_pure=[0.6],
    error_end_used=[0.7], error_end_pure=[0.8], knob=[1.0],
)  # fmt: skip


@pytest.fixture(autouse=True)
def _all_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """One record is worth an index, and files just written are settled."""
    monkeypatch.setattr(record_index, "WORTH", 1)
    monkeypatch.setattr(record_index, "SETTLED_S", -60)


@pytest.fixture
def kept(tmp_path: Path) -> list[Record]:
    """Two records in a folder, of an end and of a divergence."""
    first = record(cell(seed=0), indicators=[LAYER])
    second = record(cell(seed=1), status="diverged", reason="the loss", curves={}, best_epoch=None)
    for each in (first, second):
        store.save_record(tmp_path, each)
    return [first, second]


def find(root: Path, *cells: Cell) -> list[Record | None]:
    """The records of cells, as a process of its own finds them."""
    index = RecordIndex(root)
    found = [index.find_record(each) for each in cells]
    index.keep()
    return found


def paths(root: Path) -> list[Path]:
    """The files of indices."""
    return [*(Path(os.environ["BENCH_CACHE"]) / "records").glob("*")]


def test_what_is_told_is_what_was_read(tmp_path: Path, kept: list[Record]) -> None:
    """Every field and every number that tables take; curves come from the file when asked for."""
    cells = [each.cell for each in kept]
    read, told = find(tmp_path, *cells), find(tmp_path, *cells)

    for whole, short in zip(read, told, strict=True):
        assert whole
        assert isinstance(short, IndexedRecord)
        assert not isinstance(whole, IndexedRecord)
        assert [getattr(short, name) for name in FACTS] == [getattr(whole, name) for name in FACTS]
        for definition in equilibrium.DEFINITIONS:
            pair = equilibrium.indicators(whole, definition)
            assert equilibrium.indicators(short, definition) == pair
        assert "curves" not in vars(short)
        for name in Record.model_fields:
            assert getattr(short, name) == getattr(whole, name), name
        assert short.model_dump_json() == whole.model_dump_json()
        assert store.seal_holds(short)


def test_an_archive_is_chosen_without_reading_records(
    tmp_path: Path, kept: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a suite's cells that the index knows no file is read; the folders are the same."""
    cells = [each.cell for each in kept]
    rows = [row("ste", cells)]
    plan = Plan(suite="s", source="s", source_digest="0", baseline=None, rows=rows)
    store.save_plan(tmp_path, plan)
    read, _ = cell_folders.select_folders(tmp_path, [])
    find(tmp_path, *cells)
    monkeypatch.setattr(store, "read_record", None)
    for names in ([], ["s"]):
        told, plans = cell_folders.select_folders(tmp_path, names, told=True)
        assert [plan.suite for plan in plans] == ["s"]
        assert [(kept.home, kept.state) for kept in told] == [(r.home, r.state) for r in read]


def test_of_thousands_that_are_read_curves_are_not_kept(
    tmp_path: Path, kept: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are what an index tells at once, and nothing is lost of them."""
    monkeypatch.setattr(record_index, "WHOLE", 1)
    first, second = find(tmp_path, *(each.cell for each in kept))

    assert "curves" in vars(first)
    assert "curves" not in vars(second)
    assert second == find(tmp_path, kept[1].cell)[0]
    assert second
    assert (second.curves, second.cell) == (kept[1].curves, kept[1].cell)


def test_a_file_that_changed_is_read(tmp_path: Path, kept: list[Record]) -> None:
    """Also one of the same size, with its old time put back; a damaged one is no record."""
    of = kept[0].cell
    find(tmp_path, of)
    path = store.cell_path(tmp_path, of) / "record.json"
    before = path.stat()
    store.save_record(tmp_path, kept[0].model_copy(update={"parameters": 7}))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (found,) = find(tmp_path, of)
    assert found
    assert found.parameters == 7

    path.write_bytes(path.read_bytes().replace(b'"parameters":7', b'"parameters":8'))
    assert find(tmp_path, of) == [None]
    path.unlink()
    assert find(tmp_path, of) == [None]


DAMAGE: dict[str, Callable[[str], str]] = {
    "cut": lambda text: text[:-20],
    "changed": lambda text: text.replace('"last_acc":0.5', '"last_acc":0.9'),
    "empty": lambda text: "",
    "of another version": lambda text: text.replace(FORM, "records 1"),
    "no text": lambda text: "\0\ud800".encode("utf-8", "surrogatepass").decode("latin-1") * 9,
}


@pytest.mark.parametrize("how", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_index_is_made_again(
    tmp_path: Path, kept: list[Record], how: Callable[[str], str]
) -> None:
    """It is not believed, and the next one is whole."""
    of = kept[0].cell
    find(tmp_path, of)
    (path,) = paths(tmp_path)
    whole = path.read_text("utf-8")
    damaged = how(whole)
    assert damaged != whole
    path.write_text(damaged, "utf-8")

    (found,) = find(tmp_path, of)
    assert found
    assert not isinstance(found, IndexedRecord)
    assert found.last_acc == kept[0].last_acc
    assert isinstance(find(tmp_path, of)[0], IndexedRecord)


def test_where_no_index_can_be_written_records_are_read(
    tmp_path: Path, kept: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache folder that is a file costs time alone."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))

    for _ in range(2):
        (found,) = find(tmp_path, kept[0].cell)
        assert found
        assert not isinstance(found, IndexedRecord)


def test_a_link_is_not_told_from_an_index(tmp_path: Path, kept: list[Record]) -> None:
    """A cell's folder that leads out of the results is refused, indexed or not."""
    of = kept[0].cell
    find(tmp_path / ".", of)
    home = store.cell_path(tmp_path, of)
    home.rename(tmp_path.with_name(f"{tmp_path.name}-away"))
    home.symlink_to(tmp_path.with_name(f"{tmp_path.name}-away"))

    with pytest.raises(EnvironmentProblem, match="leads out of the results folder"):
        find(tmp_path, of)


def test_curves_of_a_file_that_is_gone_are_a_problem(tmp_path: Path, kept: list[Record]) -> None:
    """One line, with what to do."""
    of = kept[0].cell
    find(tmp_path, of)
    (found,) = find(tmp_path, of)
    assert found
    (store.cell_path(tmp_path, of) / "record.json").unlink()

    with pytest.raises(EnvironmentProblem, match="run the command again"):
        _ = found.curves


def test_the_copy_of_a_cell_has_its_own_id() -> None:
    """An id that was asked for does not go over to a cell of another seed."""
    one = cell(seed=0)
    first = one.id
    other = one.model_copy(update={"seed": 1})

    assert other.id == cell(seed=1).id != first
    assert one.id == first
    assert one == cell(seed=0)
