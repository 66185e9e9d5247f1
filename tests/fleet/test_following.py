"""What a run that follows jobs makes of what they do; jobs here train nothing."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import samples
from told_engine import ToldEngine

from bench.base import signals
from bench.base.files import create_file
from bench.errors import BenchError, Detached, EnvironmentProblem, UsageError
from bench.execution.events import Elsewhere, Ended, Event, Queued, Retrying, Stopping
from bench.execution.executor import RunResult
from bench.execution.settings import RetryPolicy, Settings
from bench.fleet import submission, submitter
from bench.fleet.batch import Batch
from bench.fleet.board import find_boards
from bench.fleet.cancellation import cancel_cells
from bench.fleet.departure import QUESTION, Leaving
from bench.fleet.engine import Engine, PartlyTaken
from bench.fleet.engines import Engines
from bench.fleet.follow import Follower
from bench.fleet.following import Pace
from bench.fleet.profile import Profile
from bench.fleet.submission import submissions
from bench.results import store
from bench.results.lease import myself
from bench.spec.cell import Cell, Parent
from bench.spec.cell_status import CellStatus
from bench.spec.plan import Plan

NOW = Pace(read_s=0.0, look_s=0.0, settle_s=0.0, later_s=0.2)
OK = CellStatus.OK


class OneEngine(Engines):
    """One engine, whatever the profile."""

    def __init__(self, root: Path, engine: Engine) -> None:
        super().__init__(root)
        self.engine = engine

    def open(self, profile: Profile) -> Engine:
        return self.engine


@dataclass
class Run:
    """Runs of some cells by one engine."""

    root: Path
    cells: list[Cell]
    engine: ToldEngine = field(default_factory=ToldEngine)
    keys: dict[str, object] = field(default_factory=dict[str, object])
    leaving: Leaving = "detach"
    listener: Callable[[Event], None] = lambda _: None
    events: list[Event] = field(default_factory=list[Event])
    notes: list[str] = field(default_factory=list[str])

    @property
    def plan(self) -> Plan:
        rows = [samples.row("ste", self.cells)]
        return Plan(suite="s", source="s.yaml", source_digest="0", baseline="ste", rows=rows)

    def __call__(self, *, remeasure: bool = False, detach: bool = False, **retry: int) -> RunResult:
        asked = {"name": "p", "engine": "slurm", "cells_per_job": 1} | self.keys
        profile = Profile.model_validate(asked)
        settings = Settings(self.root, self.root, (), retry=RetryPolicy(**retry))
        follower = Follower(
            profile,
            OneEngine(self.root, self.engine),
            detach=detach,
            leaving=self.leaving,
            attached=self.engine.attached,
            report=self.notes.append,
            pace=NOW,
        )
        return follower(
            self.plan,
            self.cells,
            settings,
            self._hear,
            myself(),
            remeasure=remeasure,
        )

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self.listener(event)

    def statuses(self, result: RunResult) -> list[CellStatus]:
        return [result.ended[cell.id].status for cell in self.cells]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Run]:
    def make(
        n: int = 2, deed: Callable[[int, Batch], str] = lambda *_: "train", **keys: object
    ) -> Run:
        cells = [samples.cell(seed=seed) for seed in range(n)]
        return Run(tmp_path, cells, ToldEngine(deed), keys)

    return make


def test_every_cell_ends_in_its_job(made: Callable[..., Run]) -> None:
    """Cells are submitted, their events forwarded, and the submission is closed behind them."""
    run = made(3, cells_per_job=2)

    assert run.statuses(run()) == [OK] * 3
    assert len(run.engine.jobs) == 2
    assert sum(isinstance(event, Ended) for event in run.events) == 3
    assert [*submissions(run.root)] == []


def test_no_more_jobs_than_there_is_room_for(made: Callable[..., Run]) -> None:
    """`jobs` are in the queue at a time; the rest follows when some have ended."""
    seen: list[int] = []
    run = made(6, jobs=2)

    def deed(number: int, _: Batch) -> str:
        seen.append(sum(job.state.phase == "queued" for job in run.engine.jobs.values()))
        return "train"

    run.engine.deed = deed
    assert run.statuses(run()) == [OK] * 6
    assert max(seen) == 1


@pytest.mark.parametrize("word", ["NODE_FAIL", "PREEMPTED", "GONE"])
def test_a_lost_job_is_submitted_again(made: Callable[..., Run], word: str) -> None:
    """What the machine did to a job costs the cell no try; how it ended is kept."""
    run = made(1, lambda number, _: word if number == 0 else "train")

    assert run.statuses(run()) == [OK]
    assert [type(event) for event in run.events if isinstance(event, Retrying)] == [Retrying]
    ends = (run.root / "jobs" / "1" / "ends.jsonl").read_text(encoding="utf-8")
    assert word in ends or word == "GONE"


def test_what_another_run_has_is_left_to_it(made: Callable[..., Run]) -> None:
    """A job leaves cells of others alone, and the run looks again later; they have ended then."""
    run = made(1, lambda number, _: "elsewhere" if number == 0 else "train")

    def finish(event: Event) -> None:
        if isinstance(event, Elsewhere):
            store.save_record(run.root, samples.record(of=run.cells[0]))

    run.listener = finish
    assert run.statuses(run()) == [OK]
    assert len(run.engine.jobs) == 1


def test_out_of_memory_is_the_records_word(made: Callable[..., Run]) -> None:
    """A failure that only the engine knows of has a record, with its name, its job and its node."""
    run = made(1, lambda *_: "OUT_OF_MEMORY")

    assert run.statuses(run()) == [CellStatus.OUT_OF_MEMORY]
    record = store.find_record(run.root, run.cells[0])
    assert record
    assert record.status is CellStatus.OUT_OF_MEMORY
    assert "`mem`" in record.reason
    assert record.provenance.job
    assert (record.provenance.job.end, record.provenance.host) == ("OUT_OF_MEMORY", "n1")
    (board,) = find_boards(run.root, ())
    assert [cell["state"] for cell in board.facts()["cells"]] == ["out_of_memory"]


def test_retries_and_max_failures_hold(made: Callable[..., Run]) -> None:
    """A job that dies costs a try; so many failures cancel what is left."""
    run = made(1, lambda number, _: "FAILED" if number == 0 else "train")
    assert run.statuses(run(retries=1)) == [OK]

    other = made(4, lambda number, _: "FAILED" if number == 0 else "wait")
    other.root = run.root / "other"
    with pytest.raises(BenchError, match=r"stopped after 1 failed cell \(--max-failures\)"):
        other(max_failures=1)
    assert {*other.engine.cancelled} == {"1", "2", "3"}


def test_children_wait_for_their_parents_jobs(made: Callable[..., Run]) -> None:
    """Jobs of cells that rest on others come after those, and what can never train is blocked."""
    run = made(1)
    teacher = run.cells[0]
    run.cells += [samples.cell(seed=s, start=Parent(cell=teacher)) for s in (7, 8)]
    assert run.statuses(run()) == [OK] * 3
    assert [job.after for job in run.engine.jobs.values()] == [[], ["0"], ["0"]]

    other = Run(run.root / "other", run.cells, ToldEngine(lambda *_: "OUT_OF_MEMORY"), {"jobs": 1})
    assert other.statuses(other()) == [CellStatus.OUT_OF_MEMORY, *[CellStatus.BLOCKED] * 2]
    assert len(other.engine.jobs) == 1


def test_the_same_command_attaches_again(made: Callable[..., Run]) -> None:
    """A run that left its jobs is followed by the next one, which submits nothing twice."""
    run = made(2, lambda *_: "wait")
    with pytest.raises(Detached, match=r"2 cells in 2 jobs; the same command attaches again"):
        run(detach=True)
    assert run.events == [Queued(cell.id, "Priority") for cell in run.cells]
    for job in run.engine.jobs.values():
        job.deed = "train"

    assert run.statuses(run()) == [OK] * 2
    assert len(run.engine.jobs) == 2
    assert run.notes == ["attached to submission 1: 2 cells"]


def test_what_is_measured_again_is_not_attached_to(made: Callable[..., Run]) -> None:
    """Cells that ended since are submitted anew when they are asked for again, and only then."""
    run = made(2)
    run()
    run(remeasure=True)

    assert len(run.engine.jobs) == 4


def test_what_ended_unseen_is_closed_by_the_next_run(made: Callable[..., Run]) -> None:
    """Submissions that nobody followed to the end are not read for ever."""
    run = made(1, lambda *_: "wait")
    with pytest.raises(Detached):
        run(detach=True)
    store.save_record(run.root, samples.record(of=run.cells[0]))
    run.cells, run.engine.deed = [samples.cell(seed=9)], lambda *_: "train"

    assert run.statuses(run()) == [OK]
    assert [*submissions(run.root)] == []


def test_suites_and_cells_are_cancelled(made: Callable[..., Run]) -> None:
    """`bench cancel` ends jobs that have no other cells; the next run submits the cells anew."""
    run = made(3, lambda *_: "wait")
    with pytest.raises(Detached):
        run(detach=True)
    engines = OneEngine(run.root, run.engine)
    with pytest.raises(UsageError, match="nothing called `xyz`"):
        list(cancel_cells(run.root, ["xyz"], engines))
    (told,) = cancel_cells(run.root, ["s"], engines, dry=True)
    (first,) = cancel_cells(run.root, [run.cells[0].id], engines)
    (rest,) = cancel_cells(run.root, ["s"], engines)

    assert told == "submission 1: 3 cells would be cancelled"
    assert first == "submission 1: 1 cell cancelled, 1 job told to checkpoint and end"
    assert rest == "submission 1: 2 cells cancelled, 2 jobs told to checkpoint and end"
    assert run.engine.cancelled == ["0", "1", "2"]
    run.engine.deed = lambda *_: "train"
    assert run.statuses(run()) == [OK] * 3
    assert len(run.engine.jobs) == 6


def test_a_job_that_a_person_cancelled_is_not_submitted_again(made: Callable[..., Run]) -> None:
    """scancel is heard: the cell is interrupted, in this run, and goes on in the next."""
    run = made(1, lambda number, _: "CANCELLED by 0" if number == 0 else "train")

    assert run.statuses(run()) == [CellStatus.INTERRUPTED]
    assert run.statuses(run()) == [OK]


def test_an_engine_that_refuses_is_one_line(
    made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused is given up, so that the next run may ask for it in another way."""
    run = made(2)

    def refuse(*_: object) -> dict[Path, str]:
        message = "Slurm refuses: no such partition"
        raise EnvironmentProblem(message)

    with monkeypatch.context() as patch:
        patch.setattr(ToldEngine, "submit", refuse)
        with pytest.raises(EnvironmentProblem, match="no such partition"):
            run()
    assert run.statuses(run()) == [OK] * 2
    assert (run.root / "jobs" / "1" / "closed").is_file()


def test_what_is_submitted_before_a_refusal_is_followed(
    made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three batches one is refused: two are followed, that is said, the third comes later."""
    monkeypatch.setattr(submitter, "REFUSED_S", 0.0)
    run, submit = made(3), ToldEngine.submit

    def take_two(engine: ToldEngine, batches: list[Path], *more: Any) -> dict[Path, str]:
        taken = submit(engine, batches[:2], *more)
        if len(batches) > 2:
            raise PartlyTaken(EnvironmentProblem("Slurm refuses: too many"), taken)
        return taken

    monkeypatch.setattr(ToldEngine, "submit", take_two)

    assert run.statuses(run()) == [OK] * 3
    assert len(run.engine.jobs) == 3
    assert run.notes == ["note: Slurm refuses: too many; 2 of 3 jobs submitted; tried again in 0 s"]


def test_jobs_of_which_nobody_can_be_told_are_cancelled(
    made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk takes no more after the engine took jobs these end, and that is said."""
    run = made(2, lambda *_: "wait")

    def full(path: Path, content: str) -> bool:
        if path.suffix == ".jobs":
            message = "no space left"
            raise EnvironmentProblem(message)
        return create_file(path, content)

    monkeypatch.setattr(submission, "create_file", full)
    with pytest.raises(EnvironmentProblem, match="no space left; 2 jobs cancelled that had just"):
        run()

    assert run.engine.cancelled == ["0", "1"]


def test_a_bad_node_is_left_alone(made: Callable[..., Run]) -> None:
    """A node where three jobs ended at once is excluded from then on, and that is said."""
    run = made(5, lambda number, _: "early FAILED" if number in {1, 2, 3} else "train")
    run.engine.node = lambda number: "hole" if number in {1, 2, 3} else "n1"
    run.keys["jobs"] = 4

    assert run.statuses(run()) == [OK] * 5
    assert run.notes == ["hole: jobs end there at once without progress; it is left alone"]
    assert run.engine.jobs["7"].excluded == ["hole"]


def test_an_engine_that_does_not_answer_decides_nothing(
    made: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a controller is away jobs go on, and what they write is all that is needed."""
    run = made(2)
    monkeypatch.setattr(ToldEngine, "look", lambda *_: {})

    assert run.statuses(run()) == [OK] * 2


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Have Ctrl-C pressed while jobs wait, so many times, with an answer on the terminal."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signals.listen()

    reading, writing = os.pipe()
    terminal = os.fdopen(reading)

    def press(times: int = 1, answer: str = "") -> None:
        os.write(writing, answer.encode())
        monkeypatch.setattr(sys, "stdin", terminal)
        polls = count()

        def poll(_: ToldEngine) -> None:
            if 2 < next(polls) <= 2 + times:
                time.sleep(2 * signals.SAME_S)
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(ToldEngine, "poll", poll)

    yield press
    terminal.close()
    os.close(writing)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("leaving", "times", "answer", "told", "cancelled"),
    [
        ("detach", 1, "", "detached from 2 cells in 2 jobs", False),
        ("cancel", 1, "", "2 cells cancelled", True),
        ("ask", 1, "d\n", "detached from 2 cells", False),
        ("ask", 1, "c\n", "2 cells cancelled", True),
        ("ask", 2, "", "detached from 2 cells", False),
    ],
)
def test_ctrl_c_detaches_or_cancels(
    made: Callable[..., Run],
    interrupted: Callable[..., None],
    leaving: Leaving,
    times: int,
    answer: str,
    told: str,
    cancelled: bool,
) -> None:
    """As the option says, or the person who is asked; a second Ctrl-C detaches at once."""
    run = made(2, lambda *_: "wait")
    run.leaving = leaving
    interrupted(times, answer)

    with pytest.raises(signals.Stopped, match=told):
        run()
    assert bool(run.engine.cancelled) == cancelled
    asked = [e.reason for e in run.events if isinstance(e, Stopping) and e.reason == QUESTION]
    assert len(asked) == (leaving == "ask")


def test_jobs_of_an_attached_engine_end_with_the_run(
    made: Callable[..., Run], interrupted: Callable[..., None]
) -> None:
    """Where jobs end with the process there is no detaching: they checkpoint, and it leaves."""
    run = made(2, lambda *_: "wait")
    run.engine.attached = True
    interrupted()

    with pytest.raises(signals.Stopped, match="2 cells cancelled"):
        run()
    assert len(run.engine.cancelled) == 2
