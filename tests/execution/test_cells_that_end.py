"""How cells end and runs stop, with workers that train nothing (`tests/fakes.py`)."""

import contextlib
import importlib.util
import io
import itertools
import signal
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Self, TypeVar

import fakes
import pytest
from rich.console import Console

from bench.base import signals
from bench.base.files import write_file
from bench.errors import BenchError
from bench.execution import executor, journal, session, shutdown, work_queue, worker_process
from bench.execution.events import Elsewhere, Ended, Event, Moved, Retrying, Started, Stopping
from bench.execution.executor import RunResult, execute
from bench.execution.job import Job, Slot
from bench.execution.request import RunRequest, prepare
from bench.execution.settings import Settings
from bench.planning.planner import plan
from bench.results import lease, owner, store
from bench.results.lease import Lease, Leases
from bench.results.lease_files import LeaseFolder
from bench.results.owner import Owner, myself
from bench.results.record import Record
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Workers that train nothing, waits that are short, and this process's signals put back."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    monkeypatch.setattr(worker_process, "run", fakes.run)
    monkeypatch.setattr(work_queue, "CHECK_S", 0.1)
    monkeypatch.setattr(shutdown, "ECHO_S", 0.1)
    monkeypatch.setattr(lease, "BEAT_S", 0.1)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def cells(tiny: Path) -> list[Cell]:
    """Six cells, seeds 0 to 5."""
    return plan(tiny, ["estimators=[ste]", "seeds=0..5"]).cells


E = TypeVar("E", bound=Event)


class Heard:
    """What a run told, in order; `on` is done when an event of that kind comes."""

    def __init__(self, **on: "object") -> None:
        self.events: list[Event] = []
        self.on = on

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        deed = self.on.get(event.kind)
        if callable(deed):
            deed(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def ends(self, cells: list[Cell]) -> list[str]:
        status = {event.cell_id: event.status for event in self.of(Ended)}
        return [status.get(cell.id, "") for cell in cells]


def settings(root: Path, *deeds: str, slots: int = 2, **more: float) -> Settings:
    one = Settings(root=root, data=Path("data"), slots=(Slot("cpu", 1),) * slots, argv=deeds)
    retry = {name: more.pop(name) for name in ("retries", "max_failures") if name in more}
    return replace(one, retry=replace(one.retry, **retry), **more)


def reasons(root: Path, cells: list[Cell]) -> list[str]:
    found = [store.find_record(root, cell) for cell in cells]
    return [record.reason if record else "no record" for record in found]


def leftovers(root: Path) -> list[str]:
    return [home.name for home in lease.held(root)]


def test_each_death_ends_its_own_cell(cells: list[Cell], tmp_path: Path) -> None:
    """A segfault, a kill and three ways to exit: each is named, the next cell is measured."""
    deeds = ("segfault", "kill", "exit 0", "exit 3", "leave", "ok")
    result = execute(cells, settings(tmp_path, *deeds), Heard())

    assert reasons(tmp_path, cells) == [
        "its worker process died (SIGSEGV)",
        "its worker process died (SIGKILL)",
        "its worker process exited (code 0)",
        "its worker process exited (code 3)",
        "SystemExit: enough",
        "",
    ]
    assert len(result.failed) == 5
    assert result.ended[cells[5].id].status == "ok"
    assert leftovers(tmp_path) == []
    logs = [logged(tmp_path, cell) for cell in cells[:5]]
    for log, reason in zip(logs, reasons(tmp_path, cells), strict=False):
        assert log.endswith(f"+00:00 failed: {reason}\n")
    assert "Fatal Python error: Segmentation fault" in logs[0]
    assert "in _segfault" in logs[0]
    assert [log.count("\n") for log in logs[1:]] == [1] * 4


def logged(root: Path, cell: Cell) -> str:
    return (store.cell_path(root, cell) / "log.txt").read_text(encoding="utf-8")


def test_what_a_cell_prints_is_in_its_log(
    cells: list[Cell], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All of it, whoever prints it, and the next line begins a line; the screen stays as it is."""
    execute(cells[:2], settings(tmp_path, "print", "kill", slots=1), Heard())
    first, *rest = logged(tmp_path, cells[0]).splitlines()

    assert "".join(capfd.readouterr()) == ""
    assert first == "from Python"
    assert {"from elsewhere", "from C", "cut"} <= {*rest}
    assert any(line.endswith("UserWarning: a warning") for line in rest)
    assert "from" not in logged(tmp_path, cells[1])


@pytest.mark.linux
def test_what_a_worker_started_ends_with_it(cells: list[Cell], tmp_path: Path) -> None:
    """Programs and copies of itself; and its own end is seen though these hold what it held."""
    execute(cells[:2], settings(tmp_path, "family, kill", "family, exit 0"), Heard())
    told = [path.read_text("utf-8") for path in tmp_path.glob("children-*")]
    children = [int(pid) for words in told for pid in words.split()]

    assert reasons(tmp_path, cells[:2]) == [
        "its worker process died (SIGKILL)",
        "its worker process exited (code 0)",
    ]
    assert len(children) == 4
    while any(owner._began(pid) for pid in children):  # pyright: ignore[reportPrivateUsage]
        time.sleep(0.01)


def test_the_last_lines_name_what_failed(tiny: Path, tmp_path: Path) -> None:
    """Cell, reason and log, on stderr, after the table."""
    out, err = (Console(file=io.StringIO(), width=200) for _ in range(2))
    prepared = prepare(RunRequest(tiny, tmp_path, argv=("fail",)))
    fine = session.run(prepared, lambda: (Slot("cpu", 1),), out, err)

    assert not fine
    assert isinstance(err.file, io.StringIO)
    assert err.file.getvalue().splitlines() == [
        f"failed: {cell.slug}: RuntimeError: no; log: {tmp_path}/cells/{cell.slug}/log.txt"
        for cell in prepared.chosen
    ]


def test_a_kill_for_memory_is_called_so(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel's count of such kills rose meanwhile, the cell ran out of memory."""
    counts = iter([3, 4])
    monkeypatch.setattr(worker_process, "oom_kills", lambda: next(counts))
    execute(cells[:1], settings(tmp_path, "kill"), Heard())
    record = store.find_record(tmp_path, cells[0])

    assert record is not None
    assert record.status == "out_of_memory"
    assert record.reason == "the kernel killed its worker process for want of memory"


def test_a_lost_cell_has_its_own_threads(cells: list[Cell], tmp_path: Path) -> None:
    """Its record says how many the worker had, not the process that writes it."""
    two = replace(settings(tmp_path, "kill"), slots=(Slot("cpu", 2),))
    execute(cells[:1], two, Heard())
    record = store.find_record(tmp_path, cells[0])

    assert record is not None
    assert record.provenance.threads == 2


@pytest.mark.linux
def test_the_kernel_is_asked_for_its_count() -> None:
    """The count is there on Linux, in whichever file this machine has it."""
    files = [p for p in worker_process._counters() if p.is_file()]  # pyright: ignore[reportPrivateUsage]

    assert worker_process.oom_kills() >= 0
    assert any("oom_kill " in path.read_text(encoding="ascii") for path in files)


def test_a_hang_ends_at_the_limit(cells: list[Cell], tmp_path: Path) -> None:
    """A cell that does not end is killed; the record names the limit."""
    heard = Heard()
    result = execute(cells[:1], settings(tmp_path, "hang", timeout_s=1.5), heard)

    assert heard.ends(cells[:1]) == ["timeout"]
    assert reasons(tmp_path, cells[:1]) == ["took longer than 0:00:01.500000 (--timeout)"]
    assert "timeout: took longer than" in logged(tmp_path, cells[0])
    assert len(result.failed) == 1


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock that is days further at each look, for whoever looks at it from now on."""
    real, jumps = time.time, itertools.count(step=10**6)

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=next(jumps))

    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    for module in (work_queue, executor, journal, lease, worker_process):
        monkeypatch.setattr(module, "datetime", Jumping, raising=False)
    monkeypatch.setattr("datetime.datetime", Jumping)


@pytest.mark.usefixtures("jumping")
def test_a_clock_that_jumps_ends_nothing(cells: list[Cell], tmp_path: Path) -> None:
    """Days that pass on the wall clock alone are not a cell's; its journal is whole."""
    heard = Heard()
    book = journal.JournalWriter(tmp_path, "tiny", [], [])
    limits = settings(tmp_path, "slow", "slow", timeout_s=60.0)
    with book:
        execute(cells[:2], limits, partial(session.notify_all, [book, heard]), book.header.owner)
    (run,) = journal.journals(tmp_path)
    told = [event for _, event in run.read()]

    assert heard.ends(cells[:2]) == ["ok", "ok"]
    assert [event.kind for event in told].count("end") == 2
    assert (run.over, run.damaged) == ("done", 0)


@pytest.mark.usefixtures("jumping")
def test_a_clock_that_jumps_ages_no_lease(cells: list[Cell], tmp_path: Path) -> None:
    """Another machine's run keeps its cell, though days pass here on the wall clock."""
    anew = fresh(lease)  # so that even its defaults are taken from that clock
    far = myself().model_copy(update={"place": "elsewhere", "host": "far"})
    path = store.cell_path(tmp_path, cells[0]) / "lease.json"
    write_file(path, Lease(owner=far, beat=1, at="").model_dump_json())
    leases = anew.Leases(tmp_path, anew.myself())

    assert [leases.take(cells[0]).ours for _ in range(3)] == [False] * 3


def fresh(module: ModuleType) -> ModuleType:
    """A copy of a module, imported now."""
    spec = importlib.util.find_spec(module.__name__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


def test_leases_and_journal_have_one_owner(cells: list[Cell], tmp_path: Path) -> None:
    """Whose a lease is stands in the journal of its run."""
    owner = myself()
    path = LeaseFolder(store.cell_path(tmp_path, cells[0])).file(1)
    owners: list[Owner] = []
    heard = Heard(
        progress=lambda _: owners.append(Lease.model_validate_json(path.read_bytes()).owner)
    )
    execute(cells[:1], settings(tmp_path, "ok"), heard, owner)

    assert owners == [owner]


def test_failures_are_tried_again_and_divergence_is_not(cells: list[Cell], tmp_path: Path) -> None:
    """Each further try is said, with the reason; the last one counts."""
    heard = Heard()
    deeds = ("fail once", "diverge", "fail")
    result = execute(cells[:3], settings(tmp_path, *deeds, retries=2), heard)
    starts = [sum(e.cell_id == cell.id for e in heard.of(Started)) for cell in cells[:3]]

    assert starts == [2, 1, 3]
    assert heard.ends(cells[:3]) == ["ok", "diverged", "failed"]
    assert [e.reason for e in heard.of(Retrying) if e.cell_id == cells[2].id] == [
        "RuntimeError: no; try 2 of 3 follows",
        "RuntimeError: no; try 3 of 3 follows",
    ]
    assert [event.cell_id for event in result.failed] == [cells[2].id]


def test_enough_failures_stop_the_run(cells: list[Cell], tmp_path: Path) -> None:
    """After them nothing new starts, what runs is checkpointed, and the error says what is left."""
    heard = Heard()
    limits = settings(tmp_path, "obey", "fail", *["ok"] * 4, max_failures=1)
    with pytest.raises(BenchError) as caught:
        execute(cells, limits, heard)

    assert heard.ends(cells) == ["interrupted", "failed", "", "", "", ""]
    assert str(caught.value) == (
        "stopped after 1 failed cell (--max-failures); 5 of 6 cells left, 1 of them checkpointed; "
        "what is recorded stays, run again to continue"
    )
    assert leftovers(tmp_path) == []


def test_enough_failures_stop_the_run_once(cells: list[Cell], tmp_path: Path) -> None:
    """Cells that end while it stops do not begin the wait again, whether they fail or not."""
    heard = Heard()
    deeds = ("fail", "obey", "fail late", *["ok"] * 3)
    with pytest.raises(BenchError):
        execute(cells, settings(tmp_path, *deeds, slots=3, max_failures=1), heard)

    assert heard.ends(cells) == ["failed", "interrupted", "failed", "", "", ""]
    assert len(heard.of(Stopping)) == 1


def test_after_enough_failures_the_first_signal_is_the_first(
    cells: list[Cell], tmp_path: Path
) -> None:
    """Ctrl-C while cells checkpoint after --max-failures leaves them the time for it."""
    signals.listen()
    heard = Heard(
        stop=lambda _: len(heard.of(Stopping)) == 1 and signal.raise_signal(signal.SIGINT)
    )
    deeds = ("obey late", "fail", *["ok"] * 4)
    with stopped() as caught:
        execute(cells, settings(tmp_path, *deeds, max_failures=1), heard)

    assert [e.exit_code for e in caught] == [130]
    assert [e.reason for e in heard.of(Stopping)] == [
        "waiting for 1 cell to checkpoint; 1 failed (--max-failures)",
        "waiting for 1 cell to checkpoint; Ctrl-C again stops now",
    ]
    assert [(e.status, e.reason) for e in heard.of(Ended) if e.cell_id == cells[0].id] == [
        ("interrupted", "")
    ]


@contextlib.contextmanager
def stopped() -> Generator[list[signals.Stopped], None, None]:
    """Catches what no `pytest.raises` should be asked to: a BaseException that is no exception."""
    found: list[signals.Stopped] = []
    try:
        yield found
    except signals.Stopped as error:
        found.append(error)


@pytest.mark.parametrize(
    ("number", "requeue", "code"),
    [(signal.SIGINT, False, 130), (signal.SIGTERM, False, 143), (signal.SIGUSR1, True, 75)],
)
def test_a_signal_lets_cells_checkpoint(
    cells: list[Cell], tmp_path: Path, number: int, requeue: bool, code: int
) -> None:
    """Once: running cells stop in order, nothing else starts, and the exit code is the signal's."""
    signals.listen(requeue=requeue)
    heard = Heard(progress=lambda _: signal.raise_signal(number))
    with stopped() as caught:
        execute(cells[:3], settings(tmp_path, "obey", "ok", "ok", slots=1), heard)

    assert [e.exit_code for e in caught] == [code]
    assert str(caught[0]) == (
        f"stopped by {signal.Signals(number).name}; 3 of 3 cells left, 1 of them checkpointed; "
        "what is recorded stays, run again to continue"
    )
    assert [e.reason for e in heard.of(Stopping)] == [
        "waiting for 1 cell to checkpoint; Ctrl-C again stops now"
    ]
    assert heard.ends(cells[:3]) == ["interrupted", "", ""]
    assert leftovers(tmp_path) == []


def test_a_second_signal_waits_for_nobody(cells: list[Cell], tmp_path: Path) -> None:
    """Twice: a worker that does not stop is killed at once, and leaves no record."""
    signals.listen()

    def again(_: Event) -> None:
        time.sleep(2 * signals.SAME_S)
        signal.raise_signal(signal.SIGINT)

    heard = Heard(progress=lambda _: signal.raise_signal(signal.SIGINT), stop=again)
    with stopped() as caught:
        execute(cells[:1], settings(tmp_path, "hang"), heard)

    assert [e.exit_code for e in caught] == [130]
    assert [e.reason for e in heard.of(Ended)] == ["stopped before it could checkpoint"]
    assert reasons(tmp_path, cells[:1]) == ["no record"]


def test_two_signals_between_two_looks_are_two(cells: list[Cell], tmp_path: Path) -> None:
    """The second counts, though the run was busy when the first came."""
    signals.listen()

    def twice(_: Event) -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(2 * signals.SAME_S)
        signal.raise_signal(signal.SIGINT)

    heard = Heard(progress=twice)
    with stopped() as caught:
        execute(cells[:1], settings(tmp_path, "hang"), heard)

    assert [e.exit_code for e in caught] == [130]
    assert [e.reason for e in heard.of(Ended)] == ["stopped before it could checkpoint"]


def test_a_worker_that_ignores_the_halt_is_killed(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hang does not outlast the grace that checkpoints are given."""
    monkeypatch.setattr(shutdown, "GRACE_S", 0.3)
    signals.listen()
    heard = Heard(progress=lambda _: signal.raise_signal(signal.SIGTERM))
    with stopped() as caught:
        execute(cells[:1], settings(tmp_path, "hang"), heard)

    assert [e.exit_code for e in caught] == [143]
    assert heard.ends(cells[:1]) == ["interrupted"]


def test_a_signal_sent_twice_at_once_counts_once() -> None:
    """`timeout` sends its signal to the process and to its group."""
    signals.listen()
    with signals.requests() as asked:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    assert asked.numbers == [signal.SIGTERM]


def test_a_worker_stopped_by_hand_goes_on(cells: list[Cell], tmp_path: Path) -> None:
    """SIGTERM to a worker alone ends its cell, with the signal's name, and not the run."""
    heard = Heard()
    execute(cells[:2], settings(tmp_path, "stop", "ok", slots=1), heard)

    assert reasons(tmp_path, cells[:2]) == ["its worker process died (SIGTERM)", ""]


def test_two_runs_share_the_cells(cells: list[Cell], tmp_path: Path) -> None:
    """At once on one folder: every cell is trained once, and both runs know of all."""
    heard = [Heard(), Heard()]
    results: list[RunResult] = []

    def one(watch: Heard) -> None:
        results.append(execute(cells, settings(tmp_path, *["slow"] * 6, slots=1), watch))

    threads = [threading.Thread(target=one, args=[h]) for h in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    starts = [event.cell_id for h in heard for event in h.of(Started)]

    assert sorted(starts) == sorted(cell.id for cell in cells)
    assert all(h.of(Started) for h in heard)
    assert [set(t.ended) for t in results] == [{cell.id for cell in cells}] * 2
    assert heard[0].of(Elsewhere)
    assert leftovers(tmp_path) == []


def test_what_others_have_is_not_waited_for_without_end(cells: list[Cell], tmp_path: Path) -> None:
    """A job with patience trains what is free, and leaves what others hold to them."""
    other = other_run(tmp_path)
    other.take(cells[0])
    heard = Heard()
    result = execute(cells[:3], settings(tmp_path, "", "slow", "slow"), heard, patience_s=0.3)

    assert set(result.ended) == {cell.id for cell in cells[1:3]}
    assert [e.cell_id for e in heard.of(Elsewhere)] == [cells[0].id]
    assert leftovers(tmp_path) == [cells[0].slug]


def test_patience_outlasts_what_another_run_lets_go(cells: list[Cell], tmp_path: Path) -> None:
    """A cell that is free again in time is trained, and so is what waited for nothing else."""
    other = other_run(tmp_path)
    other.take(cells[0])
    heard = Heard(elsewhere=lambda _: other.release(cells[0]))
    result = execute(cells[:1], settings(tmp_path, "ok"), heard, patience_s=30.0)

    assert result.ended[cells[0].id].status == "ok"


def other_run(root: Path) -> Leases:
    return Leases(root, myself())


def failure(cell: Cell, root: Path) -> Record:
    job = Job(cell, root, "cpu", 1, 1, False, root, (), (), 300.0)
    return fakes.record(job, CellStatus.FAILED, "by the other run")


def test_what_another_run_failed_at_is_not_tried_by_us(cells: list[Cell], tmp_path: Path) -> None:
    """We waited for it: its failure is the cell's end, here too."""
    other = other_run(tmp_path)
    other.take(cells[0])

    def end(_: Event) -> None:
        store.save_record(tmp_path, failure(cells[0], tmp_path))
        other.release(cells[0])

    heard = Heard(elsewhere=end)
    result = execute(cells[:1], settings(tmp_path, "ok"), heard)

    assert heard.of(Started) == []
    assert [event.reason for event in result.failed] == ["by the other run"]


def test_what_another_run_lets_go_is_ours(cells: list[Cell], tmp_path: Path) -> None:
    """A cell that is free again without a record is run."""
    other = other_run(tmp_path)
    other.take(cells[0])
    heard = Heard(elsewhere=lambda _: other.release(cells[0]))
    execute(cells[:1], settings(tmp_path, "ok"), heard)

    assert [e.kind for e in heard.events] == ["elsewhere", "start", "progress", "end"]
    assert str(myself()) in heard.of(Elsewhere)[0].reason


def test_a_run_whose_cell_was_taken_over_leaves_it(cells: list[Cell], tmp_path: Path) -> None:
    """It slept too long: its worker is killed, no record is written, and the cell is elsewhere."""
    path = LeaseFolder(store.cell_path(tmp_path, cells[0])).file(2)
    foreign = myself().model_copy(update={"place": "elsewhere", "host": "far"})

    def take(_: Event) -> None:
        if not (tmp_path / "taken").exists():
            (tmp_path / "taken").touch()
            write_file(path, Lease(owner=foreign, beat=1, at="").model_dump_json())

    heard = Heard(progress=take, elsewhere=lambda _: path.unlink())
    execute(cells[:1], settings(tmp_path, "hang once"), heard)

    assert [e.reason for e in heard.of(Elsewhere)] == ["another run took it over"]
    assert [e.kind for e in heard.events if e.kind != "progress"] == [
        "start", "elsewhere", "start", "end",
    ]  # fmt: skip
    assert heard.ends(cells[:1]) == ["ok"]


def test_what_is_measured_is_not_trained_again(cells: list[Cell], tmp_path: Path) -> None:
    """A record that another run wrote since we looked is the cell's end, without a worker."""
    job = Job(cells[0], tmp_path, "cpu", 1, 1, False, tmp_path, (), (), 300.0)
    store.save_record(tmp_path, fakes.record(job, CellStatus.OK))
    heard = Heard()
    result = execute(cells[:1], settings(tmp_path, "fail"), heard)

    assert [(e.status, e.reason) for e in heard.of(Ended)] == [("ok", "by another run")]
    assert len(heard.events) == 1
    assert result.ended[cells[0].id].acc == 0.5


def again(root: Path, cell: Cell, reason: str = "") -> Record:
    """A measurement by an earlier run, with its weights beside it."""
    job = Job(cell, root, "cpu", 1, 1, False, root, (), (), 300.0)
    path = store.save_record(root, fakes.record(job, CellStatus.OK, reason))
    path.with_name("last.safetensors").write_bytes(b"weights")
    found = store.find_record(root, cell)
    assert found
    return found


def test_a_cell_that_runs_anew_is_kept(cells: list[Cell], tmp_path: Path) -> None:
    """Its folder goes to the attic, whole but for the lease; that is told, and it is trained."""
    old = again(tmp_path, cells[0])
    heard = Heard()
    execute(cells[:1], settings(tmp_path, "ok"), heard, remeasure=True)
    (kept,) = (tmp_path / "attic").iterdir()

    assert [e.kind for e in heard.events] == ["moved", "start", "progress", "end"]
    assert heard.of(Moved)[0].reason == str(kept)
    assert kept.name.startswith(f"{cells[0].slug}@")
    assert {p.name for p in kept.iterdir()} == {"record.json", "last.safetensors"}
    assert store.read_record(kept / "record.json") == old
    assert (new := store.find_record(tmp_path, cells[0]))
    assert new != old
    assert leftovers(tmp_path) == []


def test_no_cell_is_moved_before_its_turn(cells: list[Cell], tmp_path: Path) -> None:
    """Ctrl-C in the first cell: the numbers of the others are where they were."""
    signals.listen()
    old = [again(tmp_path, cell) for cell in cells[:3]]
    heard = Heard(progress=lambda _: signal.raise_signal(signal.SIGINT))
    with stopped():
        execute(cells[:3], settings(tmp_path, "obey", "ok", "ok", slots=1), heard, remeasure=True)

    assert [store.find_record(tmp_path, cell) for cell in cells[:3]] == [None, *old[1:]]
    assert len([*(tmp_path / "attic").iterdir()]) == 1


def test_two_runs_anew_measure_once(cells: list[Cell], tmp_path: Path) -> None:
    """What another run has is waited for, and its new measurement is the cell's end here, too."""
    old = again(tmp_path, cells[0])
    other = other_run(tmp_path)
    other.take(cells[0])

    def end(_: Event) -> None:
        again(tmp_path, cells[0], "anew")
        other.release(cells[0])

    heard = Heard(elsewhere=end)
    execute(cells[:1], settings(tmp_path, "fail"), heard, remeasure=True)

    assert [e.kind for e in heard.events] == ["elsewhere", "end"]
    assert store.find_record(tmp_path, cells[0]) != old
    assert not (tmp_path / "attic").exists()


def test_a_damaged_record_is_kept(cells: list[Cell], tmp_path: Path) -> None:
    """What cannot be used is moved aside when its cell's turn comes."""
    path = write_file(store.cell_path(tmp_path, cells[0]) / "record.json", "{")
    heard = Heard()
    execute(cells[:1], settings(tmp_path, "ok"), heard)

    assert [e.reason for e in heard.of(Moved)] == [f"{path}.damaged"]
    assert path.with_name("record.json.damaged").read_text(encoding="utf-8") == "{"
    assert heard.ends(cells[:1]) == ["ok"]
