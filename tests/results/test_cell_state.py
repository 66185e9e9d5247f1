"""Cells whose records were made by other code: told, kept, run again only when asked for."""

import io
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from rich.console import Console
from samples import record

from bench.base.files import write_file
from bench.cli import plan_text
from bench.errors import EmptyMatch, UsageError
from bench.execution import executor, session
from bench.execution.events import Ended
from bench.execution.executor import RunResult
from bench.execution.job import Slot
from bench.execution.request import PreparedRun, RunRequest
from bench.execution.settings import Settings
from bench.planning.planner import plan
from bench.results import lease, source_digest, store
from bench.results.cell_state import CellStates
from bench.results.garbage import find_leftovers, report_garbage
from bench.results.lease_files import OLD
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus
from bench.spec.plan import Plan
from bench.train import evaluation

CUT = "left by what was cut short"
Run = Callable[..., tuple[bool, str, str, list[str]]]


def prepared(request: RunRequest, planned: Plan) -> PreparedRun:
    """A run of all the cells of a plan."""
    states = CellStates(request.root, planned.possible)
    return PreparedRun(request, planned, planned.cells, states)


def one_slot() -> tuple[Slot, ...]:
    return (Slot("cpu", 1),)


@pytest.fixture
def planned(tiny: Path) -> Plan:
    """Two cells, ste and reste."""
    return plan(tiny)


@pytest.fixture
def run(tmp_path: Path, planned: Plan, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call `session.run` with a trainer that only writes a record; which cells ran comes last."""
    ran: list[str] = []
    asked: list[str] = []

    def execute(
        cells: list[Cell], settings: Settings, _watch: object, _owner: object, *, remeasure: bool
    ) -> RunResult:
        ran.extend(cell.slug for cell in cells)
        assert remeasure == bool(asked)
        for cell in cells:
            store.save_record(settings.root, record(cell, weights_digest="new"))
        return RunResult(ended={cell.id: Ended(cell.id, status=CellStatus.OK) for cell in cells})

    monkeypatch.setattr(executor, "execute", execute)

    def call(*rerun: str, allow_stale: bool = False) -> tuple[bool, str, str, list[str]]:
        ran.clear()
        asked[:] = rerun
        out, err = (Console(width=200, file=io.StringIO()) for _ in range(2))
        request = RunRequest(
            Path(planned.source),
            tmp_path / "r",
            rerun=rerun,
            allow_stale=allow_stale,
            paths=True,
        )
        ok = session.run(prepared(request, planned), one_slot, out, err)
        texts = (console.file.getvalue() for console in (out, err))  # type: ignore[attr-defined]
        return ok, *texts, list(ran)

    return call


def older(cell: Cell, file: str = "bench/trainer.py") -> Cell:
    """The cell as it was before `file` changed."""
    return cell.model_copy(update={"numerics": cell.numerics | {file: "0" * 16}})


def test_states_of_cells(planned: Plan, tmp_path: Path) -> None:
    """Recorded, failed, stale with its reason, to run; a stale failure is nothing."""
    ste, reste = planned.cells

    def states() -> list[tuple[str, str]]:
        return [(s.state, s.note) for s in CellStates(tmp_path, planned.cells).by_id.values()]

    store.save_record(tmp_path, record(older(ste), status="failed", curves={}))
    assert states() == [("to run", ""), ("to run", "")]
    store.save_record(tmp_path, record(older(ste)))
    store.save_record(tmp_path, record(reste, status="failed", reason="no", curves={}))
    assert states() == [("stale", "bench/trainer.py changed"), ("failed", "failed: no")]
    store.save_record(tmp_path, record(ste))
    assert states()[0] == ("recorded", "")


def test_the_newest_of_several_wins(planned: Plan, tmp_path: Path) -> None:
    """Of several stale records the one that was made last is told and shown."""
    ste = planned.cells[0]
    for day, file in (("02", "bench/data.py"), ("03", "bench/layers.py"), ("01", "bench/lane.py")):
        origin = record().provenance.model_copy(update={"started": f"2026-01-{day}T00:00:00+00:00"})
        store.save_record(tmp_path, record(older(ste, file), provenance=origin))
    standings = CellStates(tmp_path, [ste])
    (shown,) = standings.records(stale=True)

    assert {i: s.note for i, s in standings.stale.items()} == {ste.id: "bench/layers.py changed"}
    assert shown.cell == ste
    assert shown.provenance.started.startswith("2026-01-03")
    assert standings.records(stale=False) == []


def test_a_record_in_an_older_versions_folder_counts(planned: Plan, tmp_path: Path) -> None:
    """A folder whose id an earlier version computed otherwise still holds its cell's record."""
    ste = planned.cells[0]
    path = store.save_record(tmp_path, record(ste)).parent
    path.rename(path.with_name(f"{ste.name}__0123456789ab"))

    assert CellStates(tmp_path, [ste]).by_id[ste.id].state == "recorded"
    assert store.find_cell_path(tmp_path, ste).name.endswith("0123456789ab")


def test_stale_cells_are_neither_run_nor_used(planned: Plan, tmp_path: Path, run: Run) -> None:
    """A run does what is missing, names what is stale, leaves it out, and ends with an error."""
    ste, reste = planned.cells
    store.save_record(tmp_path / "r", record(older(ste)))
    ok, out, err, ran = run()

    assert (ok, ran) == (False, [reste.slug])
    assert "2 cells, 0 recorded, 1 stale, 1 to run" in out
    assert "1 of 2 cells recorded, 1 stale." in out
    assert f"  {store.cell_path(tmp_path / 'r', reste) / 'record.json'}\n" in out
    assert f"stale: {ste.slug}: bench/trainer.py changed" in err
    assert "stale: 1 cell was measured by other code or on other data; --rerun stale" in err
    lines = [*plan_text.describe_plan(planned, CellStates(tmp_path / "r", planned.cells))]
    assert lines[0].endswith("seed 0 (bench/trainer.py changed)")
    assert lines[0].startswith(f"{ste.id}  stale   ")
    assert "1 recorded, 1 stale, 0 to run" in lines[-1]


def test_stale_records_are_shown_if_allowed(planned: Plan, tmp_path: Path, run: Run) -> None:
    """With --allow-stale the run ends well, and rows that rest on stale records say so."""
    for cell in planned.cells:
        store.save_record(tmp_path / "r", record(older(cell)))
    ok, out, _, ran = run(allow_stale=True)

    assert (ok, ran) == (True, [])
    assert "ste (stale)" in out
    assert "0 of 2 cells recorded, 2 stale." in out
    assert "stale: ste on resnet20, 1/1, 1 of 1 seed, bench/trainer.py changed" in out


def test_rerun_does_exactly_what_it_is_told(planned: Plan, tmp_path: Path, run: Run) -> None:
    """stale: those with only a stale record; failed: those that failed; nothing is exit 4."""
    ste, reste = planned.cells
    store.save_record(tmp_path / "r", record(older(ste)))
    with pytest.raises(EmptyMatch, match=r"--rerun failed: no such cell .* has 1 stale, 1 to run"):
        run("failed")
    ok, _, _, ran = run("stale")
    assert (ok, ran) == (True, [ste.slug])
    assert store.find_record(tmp_path / "r", older(ste)) is not None  # until `bench gc`
    store.save_record(tmp_path / "r", record(reste, status="failed", reason="no", curves={}))
    with pytest.raises(EmptyMatch):
        run("stale")
    assert run("failed")[3] == [reste.slug]
    with pytest.raises(EmptyMatch, match="--rerun failed stale: no such cell"):
        run("failed", "stale")


def test_rerun_finds_what_failed_before_it_was_mended(
    planned: Plan, tmp_path: Path, run: Run
) -> None:
    """A cell of mended code takes the place of the one that failed, and only while it lacks."""
    ste, reste = planned.cells
    store.save_record(tmp_path / "r", record(older(ste), status="failed", curves={}))
    store.save_record(tmp_path / "r", record(older(reste)))
    assert run("failed")[3] == [ste.slug]
    with pytest.raises(EmptyMatch):
        run("failed")


def test_rerun_takes_names_as_everything_does(planned: Plan, tmp_path: Path, run: Run) -> None:
    """An id, the beginning of a name, or a part that one cell has; measured cells, too."""
    ste, reste = planned.cells
    store.save_record(tmp_path / "r", record(ste))
    assert run(ste.id)[3] == [ste.slug]
    assert run("ste-")[3] == [ste.slug]
    assert run("reste")[3] == [reste.slug]
    with pytest.raises(UsageError, match=r"`resnet20` names 2 cells of this suite: ste-res"):
        run("resnet20")
    with pytest.raises(EmptyMatch, match="--rerun `x y` names no cell of this suite; `bench plan`"):
        run("x y")


def test_an_edited_record_is_not_used(planned: Plan, tmp_path: Path, run: Run) -> None:
    """A number that was changed by hand is in no table: its cell runs again."""
    ste, reste = planned.cells
    path = store.save_record(tmp_path / "r", record(ste))
    path.write_text(path.read_text(encoding="utf-8").replace("0.6,0.5", "0.6,0.999", 1), "utf-8")
    _, out, _, ran = run()

    assert ran == [ste.slug, reste.slug]
    assert "99.9" not in out


def test_an_empty_table_replaces_none(planned: Plan, tmp_path: Path, run: Run) -> None:
    """Where all records have become stale, the plan and the table of before stay."""
    root = tmp_path / "r"
    home = store.suite_path(root, "tiny")
    for cell in planned.cells:
        store.save_record(root, record(older(cell)))
    store.save_plan(root, planned.model_copy(update={"baseline": None}))
    write_file(home / "leaderboard.md", "before")
    before = files(root)
    ok, out, err, ran = run()

    assert (ok, ran, files(root)) == (False, [], before)
    assert "0 of 2 cells recorded, 2 stale." in out
    assert f"note: all records are stale; the table in `{home}` stays as it was" in err
    run(allow_stale=True)
    assert "stale" in (home / "leaderboard.md").read_text(encoding="utf-8")
    assert store.find_plan(root, "tiny") == planned


@pytest.fixture
def littered(planned: Plan, tmp_path: Path) -> tuple[Path, dict[Path, str]]:
    """A results folder with a bit of everything, and what gc should say of it."""
    root = tmp_path / "r"
    ste, reste = planned.cells
    store.save_plan(root, planned)
    wanted = store.save_record(root, record(ste))
    part = write_file(wanted.with_name(".record.json.abcd_123"), "half")
    damaged = write_file(store.cell_path(root, reste) / "record.json", "{")
    aside = write_file(damaged.with_name("record.json.damaged-2"), "{")
    points = damaged.parent / "checkpoints"
    write_file(points / "000001-00000002" / "state.pt", "sound")
    write_file(points / ".part" / ".state.pt.abcd_123", "half")
    write_file(points / "000001-00000001.damaged" / "state.pt", "{")
    scratch = [root / ".merge-abcd_123", root / ".doctor-abcd_123"]
    for path in scratch:
        write_file(path / "x" / ".y.abcd_123", "half")
    trial = write_file(root / "jobs" / "try-0123abcd" / "facts.0", "{}").parent
    batch = write_file(root / "batches" / "1.json", '{"submission":"try-0123abcd"}')
    link = root / "cells" / "link"
    link.symlink_to(tmp_path)
    told = "its record is damaged: Invalid JSON: EOF while parsing an object at line 1 column 1"
    return root, {
        store.save_record(root, record(older(ste))).parent: "stale: bench/trainer.py changed",
        store.save_record(root, record(seeded(ste, 9))).parent: "no kept plan wants it",
        damaged: told,
        aside: "a damaged record that was set aside",
        points / ".part": "a checkpoint that was cut short",
        points / "000001-00000001.damaged": "a damaged checkpoint",
        part: CUT,
        **dict.fromkeys(scratch, CUT),
        **dict.fromkeys(
            (trial, batch), "of jobs that were to try or measure a machine, and were cut short"
        ),
        link: f"a link, to `{tmp_path}`",
    }


def seeded(cell: Cell, seed: int) -> Cell:
    return cell.model_copy(update={"seed": seed})


def files(root: Path) -> dict[Path, bytes]:
    found = (p for p in root.rglob("*") if p.is_file() and "attic" not in p.parts)
    return {p: p.read_bytes() for p in found}


def test_gc_lists_and_moves_what_nobody_wants(littered: tuple[Path, dict[Path, str]]) -> None:
    """Orphans, stale and damaged records, cut writes: listed, moved if asked, and brought back."""
    root, reasons = littered
    before = files(root)
    *lines, sums = report_garbage(root, move=False)

    assert {leftover.path: leftover.reason for leftover in find_leftovers(root)} == reasons
    assert len(lines) == len(reasons)
    assert sums.endswith("--move takes them to the attic, nothing is deleted")
    assert files(root) == before
    *_, sums = report_garbage(root, move=True)
    assert {p.name for p in files(root)} == {"record.json", "plan.json", "state.pt"}
    assert len(files(root)) == 3
    assert [*report_garbage(root, move=True)] == ["0 left over, 0.0 MB"]
    subprocess.run(sums.split("back with: ")[1].split(), check=True)
    assert files(root) == before


def test_gc_leaves_what_a_run_works_on(littered: tuple[Path, dict[Path, str]]) -> None:
    """A folder with a lease stays, and so does every half-written file while a run is at work."""
    root, reasons = littered
    orphan = next(path for path, reason in reasons.items() if reason == "no kept plan wants it")
    (orphan / OLD).write_text("{}", encoding="utf-8")
    lines = [*report_garbage(root, move=True)]
    left = {leftover.path: leftover.held for leftover in find_leftovers(root)}

    assert sum("a run is at work there, so it stays" in line for line in lines) == 4
    assert {reasons[path] for path in left} == {"no kept plan wants it", CUT}
    assert all(left.values())


def test_gc_asks_again_before_it_moves(
    littered: tuple[Path, dict[Path, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that takes a cell after it was listed keeps its folder."""
    root, reasons = littered
    orphan = next(path for path, reason in reasons.items() if reason == "no kept plan wants it")
    idle = lease.idle

    def late(root: Path, home: Path | None) -> AbstractContextManager[None]:
        if home != root / "garbage" / "all":
            write_file(orphan / OLD, "{}")
        return idle(root, home)

    monkeypatch.setattr(lease, "idle", late)
    *_, sums = report_garbage(root, move=True)

    assert (orphan / "record.json").is_file()
    assert sums.startswith(f"{len(reasons) - 4} left over")


def test_gc_does_not_guess(planned: Plan, tmp_path: Path) -> None:
    """Without a plan that can be read nobody knows what is wanted; no folder is an error, too."""
    write_file(store.suite_path(tmp_path, "tiny") / "plan.json", "{")

    with pytest.raises(UsageError, match="is damaged, or of another version"):
        find_leftovers(tmp_path)
    with pytest.raises(UsageError, match="is no results folder: there is no such folder"):
        find_leftovers(tmp_path / "nowhere")
    mine = write_file(tmp_path / "home" / ".notes.original", "not of a cut write")
    with pytest.raises(UsageError, match="is no results folder: it has no folder `cells`"):
        find_leftovers(mine.parent)


def test_old_records_are_stale(planned: Plan, tmp_path: Path, run: Run) -> None:
    """A record that is older than digests is shown when asked for, and says what it is."""
    bare = {"numerics": dict[str, str]()}
    for cell in planned.cells:
        refs = {
            role: getattr(cell, role).model_copy(update={"source": ""})
            for role in ("weights", "activations", "backbone")
        }
        store.save_record(tmp_path / "r", record(cell.model_copy(update=refs | bare)))
    ok, out, _, ran = run()

    assert (ok, ran) == (False, [])
    assert f"stale, not used: 2 cells, {source_digest.OLD}; " in out


MINE = """\"\"\"Mine.\"\"\"

from bench.plugin import Surrogate


class Mine(Surrogate):
    def value(self, z, _, /):
        return z * 0.5
"""


@pytest.mark.slow
def test_an_edited_plugin_from_end_to_end(tiny: Path, tmp_path: Path) -> None:
    """A comment changes nothing; a constant makes its cells stale, and runs for no old record."""
    mine, root = tmp_path / "plugins" / "mine.py", tmp_path / "r"
    mine.parent.mkdir()
    text = tiny.read_text(encoding="utf-8").replace("[ste, reste]", "[ste, mine]")
    tiny.write_text(text + "plugins: [./plugins]\n", encoding="utf-8")
    settings = Settings(root=root, data=tmp_path, slots=(Slot("cpu", 1),))
    said = Console(width=200, file=io.StringIO())

    def bench(source: str, *rerun: str) -> tuple[bool, Plan]:
        mine.write_text(source, encoding="utf-8")
        fresh = plan(tiny)
        request = RunRequest(tiny, root, data=tmp_path, rerun=rerun)
        return session.run(prepared(request, fresh), one_slot, said, said), fresh

    changed = MINE.replace("0.5", "0.25")
    ok, first = bench(MINE)
    assert ok
    assert bench(MINE.replace("Mine.", "My very own.")) == (True, first)
    ok, second = bench(changed)
    standings = CellStates(root, second.cells)
    assert not ok
    assert [s.note for s in standings.stale.values()] == [f"{mine} changed"]
    (old,) = (c for c in first.cells if c not in second.cells)
    with pytest.raises(UsageError, match="is not the `mine` that"):
        list(evaluation.measure_again(old.id, root, None))
    assert bench(changed, "stale") == (True, second)
    assert CellStates(root, second.cells).stale == {}
    assert store.find_record(root, old) is not None
    result = executor.execute([old.model_copy(update={"seed": 1})], settings, lambda _: None)
    assert f"{mine} changed since {old.name[:-1]}1" in result.failed[0].reason
