"""Merges beside each other and `gc`, killed anywhere, or on a disk that fails: nothing is lost."""

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from file_changes import at_change
from samples import record

from bench.errors import BenchError
from bench.results import cell_folders, merge, store
from bench.results.garbage import report_garbage
from bench.results.lease import held
from bench.spec.plan import Plan

SAMPLE = 8
CELLS = 6


@pytest.fixture
def source(tmp_path: Path, planned: Plan) -> Path:
    """A folder of a suite's cells, each measured."""
    root = tmp_path / "source"
    for one in planned.cells:
        path = store.save_record(root, record(one))
        path.with_name("log.txt").write_text("log\n", encoding="utf-8")
    store.save_plan(root, planned)
    return root


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    from bench.planning.planner import plan

    suite = tmp_path / "tiny.yaml"
    suite.write_text(
        "estimators: [ste]\nbackbones: {resnet20: {width: 2}}\n"
        "data: {digits: {train: 64, test: 50}}\n"
        f"seeds: 0..{CELLS - 1}\ntrain: {{epochs: 1, batch_size: 32}}\n",
        encoding="utf-8",
    )
    return plan(suite)


def content(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for kind in ("cells", "suites")
        for path in (root / kind).rglob("*")
        if path.is_file()
    }


def in_child(do: Callable[[], Any]) -> int:
    """The number of a process that does it; its exit code is 3 where that raises."""
    pid = os.fork()
    if pid:
        return pid
    try:
        do()
        os._exit(0)
    except BenchError:
        os._exit(3)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def ended(*pids: int) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def bring(source: Path, root: Path) -> None:
    """Merge; a result that is left to somebody is an error."""
    steps = list(merge.merge_into(source, root))
    assert all(step.settled for step in steps), steps


@pytest.mark.parametrize("failed", [False, True])
def test_merges_of_one_source_at_once(source: Path, tmp_path: Path, *, failed: bool) -> None:
    """Every cell lands once, and each merge ends well; what gave way is in the attic, once."""
    root = tmp_path / "ours"
    if failed:
        for folder in cell_folders.read_folders(source):
            assert folder.record
            store.save_record(root, record(folder.record.cell, status="failed", curves={}))
    merges = [in_child(lambda: bring(source, root)) for _ in range(3)]

    assert ended(*merges) == [0, 0, 0]
    assert content(root) == content(source)
    assert len([*(root / "attic").glob("*")]) == (CELLS if failed else 0)
    assert {path.name for path in root.iterdir()} <= {"cells", "suites", "attic"}


def test_gc_beside_a_merge_takes_nothing_that_it_brings(source: Path, tmp_path: Path) -> None:
    """Cells land before the plan that wants them, and the merge has a folder of its own."""
    root = tmp_path / "ours"
    bring(source, root)
    (root / "suites" / "tiny" / "plan.json").unlink()  # so that nothing here is wanted
    merging = in_child(lambda: [bring(source, root) for _ in range(10)])
    moved = 0
    while not held(root, merge.MERGES):
        pass
    while os.waitpid(merging, os.WNOHANG) == (0, 0):
        if not (root / "suites" / "tiny" / "plan.json").exists():
            continue
        moved += sum("moved to" in line for line in report_garbage(root, move=True))

    assert moved == 0
    assert content(root).keys() == content(source).keys()


def die() -> None:
    os._exit(9)


def fail() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.slow
@pytest.mark.parametrize("what", [die, fail])
def test_a_merge_that_is_cut_short_is_merged_again(
    source: Path, tmp_path: Path, what: Callable[[], None]
) -> None:
    """Before any file operation: what was there is kept, and the next merge brings the rest."""
    changes = int(os.environ.get("CHANGES", "400"))
    numbers = range(1, changes + 1)
    chosen = (
        numbers if "CHANGES" in os.environ else sorted(random.Random(1).sample(numbers, SAMPLE))
    )
    for number in chosen:
        root = tmp_path / f"{number}"
        first = cell_folders.read_folders(source)[0].record
        assert first
        old = store.save_record(root, record(first.cell, status="failed", curves={})).read_bytes()
        arm = at_change(number, what)

        def cut(arm: Callable[[], None] = arm, root: Path = root) -> None:
            arm()
            bring(source, root)

        (code,) = ended(in_child(cut))
        assert code in {0, 3, 9}, number
        assert old in {p.read_bytes() for p in root.rglob("record.json")}, number
        assert ended(in_child(lambda root=root: bring(source, root))) == [0], number
        assert content(root) == content(source), number
        assert held(root) == []
