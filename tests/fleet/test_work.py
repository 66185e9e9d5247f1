"""What a job does: a batch in, records out, and how it says that it is to run again."""

import signal
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import samples
from fakes import TINY

from bench.base import signals
from bench.base.console import Terminal
from bench.errors import EnvironmentProblem, NodeLost, UsageError
from bench.execution import journal
from bench.execution.executor import RunResult
from bench.execution.progress import run_progress
from bench.fleet import work
from bench.fleet.allocation import Allocation, environment, find_allocation
from bench.fleet.batch import Batch, load_batch, save_batch
from bench.fleet.job_ends import note_end
from bench.fleet.work import run_job
from bench.planning import planner
from bench.results import store
from bench.results.record import EngineJob
from bench.results.record_diff import diff_records
from bench.spec.cell import Cell

JOB = Allocation(engine="test", job="7", node="n1")


def make_batch(home: Path, **more: object) -> Batch:
    """A batch of the two cells of the tiny suite."""
    suite = home / "tiny.yaml"
    suite.write_text(TINY, encoding="utf-8")
    plan, root = planner.plan(suite), home / "results"
    names = run_progress(plan, [cell.id for cell in plan.cells], root).names
    return Batch(
        root=root,
        suite=plan.suite,
        cells=plan.cells,
        entries=journal.entries(plan.cells, names),
        device="cpu",
        jobs=1,
        data=home,
        checkpoint_s=60,
        submission="1",
        **more,  # pyright: ignore[reportArgumentType]
    )


def quiet() -> Terminal:
    return Terminal(quiet=True)


@pytest.mark.usefixtures("here")
def test_a_job_trains_what_a_run_does(tmp_path: Path, measured: Path) -> None:
    """Records are those of a run to the bit, name the job, and the journal does, too."""
    batch = make_batch(tmp_path)

    assert run_job(save_batch(batch, batch.root), JOB, quiet()) == 0
    for cell in batch.cells:
        record, other = (store.find_record(root, cell) for root in (batch.root, measured))
        assert record
        assert other
        assert diff_records(record, other) == []
        assert record.provenance.job == EngineJob(engine="test", job="7", node="n1")
    (read,) = journal.journals(batch.root, "1")
    list(read.read())
    assert read.header
    assert read.header.job == JOB.engine_job
    assert read.over == "done"


def test_what_has_ended_since_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that runs again trains what had these records when it was submitted, and no other."""
    batch, asked = make_batch(tmp_path), list[list[str]]()
    first, second = batch.cells

    def execute(cells: list[Cell], *_: object, **__: object) -> RunResult:
        asked.append([cell.id for cell in cells])
        return RunResult()

    monkeypatch.setattr(work, "execute", execute)
    store.save_record(batch.root, samples.record(of=first))
    run_job(save_batch(batch, batch.root), JOB, quiet())
    known = store.find_record(batch.root, first)
    assert known
    again = batch.model_copy(update={"before": {first.id: known.seal}, "remeasure": True})
    run_job(save_batch(again, batch.root), JOB, quiet())
    store.save_record(batch.root, samples.record(of=first, peak_mib=7.0))
    run_job(save_batch(again, batch.root), JOB, quiet())

    assert asked == [[second.id], [first.id, second.id], [second.id]]


def test_no_cell_begins_near_the_end(tmp_path: Path) -> None:
    """A job that would end soon takes no cell, and asks to run again."""
    asked: list[bool] = []
    near = Allocation(
        engine="test",
        job="7",
        ends_at=time.time() + 20,
        requeue=lambda: not asked.append(True),
    )
    batch = make_batch(tmp_path, spare_s=30.0)

    assert run_job(save_batch(batch, batch.root), near, quiet()) == signals.REQUEUE
    assert asked
    assert not (batch.root / "cells").exists()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM])
def test_only_a_warning_asks_to_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """SIGUSR1 and SIGUSR2 end in 75 and a request, SIGTERM in its own code and none."""
    asked: list[bool] = []
    job = Allocation(engine="test", job="7", requeue=lambda: not asked.append(True))

    def stopped(*_: object) -> tuple[RunResult, int]:
        raise signals.Stopped(number)

    monkeypatch.setattr(work, "run_batch", stopped)
    batch = make_batch(tmp_path)
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, *signals.WARNINGS)}
    try:
        code = run_job(save_batch(batch, batch.root), job, quiet())
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)

    warned = number != signal.SIGTERM
    assert code == (signals.REQUEUE if warned else 128 + number)
    assert asked == [True] * warned


@pytest.mark.parametrize(("restarts", "again"), [(0, True), (work.RESTARTS, False)])
def test_a_lost_node_asks_to_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarts: int, *, again: bool
) -> None:
    """So often, and then the job ends; a job with another number of nodes says so at once."""
    asked: list[bool] = []
    job = Allocation("test", "7", restarts=restarts, requeue=lambda: not asked.append(True))
    batch = make_batch(tmp_path, ranks=2, nodes=2)
    path = save_batch(batch, batch.root)
    with pytest.raises(EnvironmentProblem, match="cells want 2 nodes, this job has 1"):
        run_job(path, job, quiet())

    def lost(*_: object) -> tuple[RunResult, int]:
        message = "n2 was lost"
        raise NodeLost(message)

    monkeypatch.setattr(work, "run_batch", lost)
    with nullcontext() if again else pytest.raises(NodeLost):
        assert run_job(path, job, quiet()) == signals.REQUEUE
    assert asked == [True] * again


def test_a_job_whose_code_changed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained by other code than was planned, and there is no record of a failure."""
    batch = make_batch(tmp_path)
    monkeypatch.setattr(work.source_digest, "drift", lambda _: ["bench/nn/sign.py changed"])

    assert run_job(save_batch(batch, batch.root), JOB, quiet()) == 1
    (read,) = journal.journals(batch.root, "1")
    reasons = {event.reason for _, event in read.read()}  # pyright: ignore[reportAttributeAccessIssue]
    assert reasons == {
        "stale job: bench/nn/sign.py changed since it was submitted; run the suite again"
    }
    assert store.find_record(batch.root, batch.cells[0]) is None


def test_a_job_knows_itself_by_its_environment() -> None:
    """What an engine says through variables is what the job finds."""
    job = find_allocation(environment("ray", "abc", 2, 1e9))

    assert (job.engine, job.job, job.restarts, job.ends_at) == ("ray", "abc", 2, 1e9)
    assert find_allocation({}).engine_job is None


def test_a_batch_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A batch that is missing or damaged is one line that names it."""
    path = tmp_path / "b.json"
    for content in (None, "{"):
        if content:
            path.write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match=r"b\.json"):
            load_batch(path)


@pytest.mark.usefixtures("here")
def test_earlier_jobs_are_told_with_their_ends(tmp_path: Path) -> None:
    """How earlier jobs ended reaches the settings of a job: by the submission, and by itself."""
    from bench.fleet.job_ends import read_ends

    ended = EngineJob(engine="test", job="6", node="n1", end="NODE_FAIL")
    note_end(tmp_path, "1", ended)
    again = Allocation(engine="test", job="7", node="n1", restarts=1, earlier_ends={0: "PREEMPTED"})

    own = EngineJob(engine="test", job="7", node="n1", end="PREEMPTED")
    assert read_ends(tmp_path, again) == (own, ended)
