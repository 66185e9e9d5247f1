"""Checkpoints on disk: whole or not used, two of them, never in the way of a training."""

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from samples import ORIGIN, snapshot

from bench.base.files import write_file
from bench.errors import EnvironmentProblem
from bench.execution import cell_run, resume
from bench.execution.cell_run import CellRun
from bench.execution.events import Ended, Event, Noted, Progressed
from bench.execution.job import Job
from bench.execution.link import RunLink
from bench.planning.planner import plan
from bench.results import store
from bench.results.record import Provenance, Record
from bench.results.record_diff import VOLATILE
from bench.train import checkpoint, checkpoint_files, checkpoint_folders, model
from bench.train.checkpoint import CheckpointWriter
from bench.train.checkpoint_files import Manifest
from bench.train.outcome import Outcome
from bench.train.snapshot import Snapshot


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A cell's folder with two checkpoints."""
    for step in (1, 2):
        checkpoint.write(tmp_path, "cell", snapshot(step), [ORIGIN])
    return tmp_path


def newest(home: Path, said: list[str] | None = None) -> Snapshot | None:
    found = checkpoint.read_newest(home, "cell", ([] if said is None else said).append)
    return found[0] if found else None


def names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "checkpoints").iterdir())


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    """Every number and tensor comes back, with the processes that trained."""
    written = snapshot()
    path = checkpoint.write(tmp_path, "cell", written, [ORIGIN])
    found = checkpoint.read_newest(tmp_path, "cell", pytest.fail)

    assert {p.name for p in path.iterdir()} == {
        "progress.json", "weights.safetensors", "state.pt", "best.safetensors",
    }  # fmt: skip
    assert found
    read, processes = found
    assert processes == [ORIGIN]
    for name in vars(written):
        assert plain(getattr(read, name)) == plain(getattr(written, name)), name


def plain(value: object) -> object:
    """The same with lists in place of tensors, which cannot be compared."""
    match value:
        case torch.Tensor():
            return str(value.dtype), value.tolist()
        case dict():
            return {k: plain(v) for k, v in value.items()}
        case list():
            return [plain(v) for v in value]
        case Outcome():
            return plain(vars(value))
        case _:
            return value


def test_two_are_kept(two: Path) -> None:
    """The newest two, in the order of epochs and steps."""
    for epoch, step in ((2, 10), (10, 0)):
        checkpoint.write(two, "cell", snapshot(step, epoch), [ORIGIN])

    assert names(two) == ["000002-00000010", "000010-00000000"]


def test_the_same_step_is_kept_once(two: Path) -> None:
    """What is sound is never replaced, for an end between the two would leave none."""
    path = two / "checkpoints" / "000002-00000002"
    before = (path / "state.pt").stat().st_ino
    checkpoint.write(two, "cell", snapshot(2), [ORIGIN])
    assert (path / "state.pt").stat().st_ino == before

    flip(path / "state.pt")
    checkpoint.write(two, "cell", snapshot(2), [ORIGIN])
    found = newest(two)
    assert found
    assert found.step == 2
    assert names(two) == ["000002-00000001", "000002-00000002"]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def link(path: Path) -> None:
    kept = path.rename(path.parents[2] / path.name)
    path.symlink_to(kept)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


FILES = ("progress.json", "weights.safetensors", "state.pt", "best.safetensors")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [flip, halve, link, pipe, Path.unlink])
def test_a_damaged_checkpoint_is_not_used(
    two: Path, name: str, damage: Callable[[Path], None]
) -> None:
    """The one before it is, a line says which and why, and it is set aside."""
    damage(two / "checkpoints" / "000002-00000002" / name)
    said: list[str] = []
    found = newest(two, said)

    assert found
    assert found.step == 1
    (line,) = said
    assert line.startswith("checkpoint 000002-00000002 is not used: ")
    assert name in line
    assert names(two) == ["000002-00000001", "000002-00000002.damaged"]
    checkpoint.write(two, "cell", snapshot(2), [ORIGIN])
    assert newest(two, said) is not None
    assert len(said) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"cell_id": "other"}, "it is of another cell, other"),
        ({"schema_version": 2}, "progress.json: schema_version: Input should be 1"),
        ({"epoch": 3}, "it is of another step than it is named after"),
        ({"processes": []}, "progress.json: processes: List should have at least 1 item"),
        ({"files": {}}, "its files cannot be read: KeyError"),
        ({"files": {"../../record.json": "0"}}, "progress.json: files.../../record.json"),
        ({"curves": {"train_loss": [None]}}, "progress.json: curves.train_loss.0"),
    ],
)
def test_a_checkpoint_that_was_made_up_is_not_used(
    two: Path, change: dict[str, object], why: str
) -> None:
    """Nor is another cell's, another version's, or one with sound digests and wrong content."""
    path = two / "checkpoints" / "000002-00000002" / "progress.json"
    progress = json.loads(path.read_bytes()) | change
    with contextlib.suppress(ValidationError):
        progress = Manifest.model_validate(progress).sealed().model_dump()
    path.write_text(json.dumps(progress), encoding="utf-8")
    said: list[str] = []
    found = newest(two, said)

    assert found
    assert found.step == 1
    assert why in said[0]


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES, errno.ESTALE])
def test_a_disk_that_fails_costs_no_checkpoint(
    two: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """An error that says nothing of the file ends the cell's try, and all checkpoints stay."""

    def fail(path: Path) -> bytes:
        raise OSError(number, os.strerror(number), str(path))

    before = names(two)
    with monkeypatch.context() as failing:
        failing.setattr(Path, "read_bytes", fail)
        with pytest.raises(EnvironmentProblem, match=os.strerror(number)):
            newest(two)

    assert names(two) == before


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_a_want_of_memory_costs_no_checkpoint(
    two: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It is the machine's trouble, not the checkpoint's."""

    def fail(*_: object, **__: object) -> None:
        raise error

    before = names(two)
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(type(error)):
        newest(two)

    assert names(two) == before


def test_one_that_cannot_be_set_aside_is_an_error(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is trained where not even a name can be changed."""

    def fail(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    flip(two / "checkpoints" / "000002-00000002" / "state.pt")
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(EnvironmentProblem, match=r"cannot rename .*000002-00000002`: Read-only"):
        newest(two)


def test_nothing_is_said_where_there_was_nothing(tmp_path: Path) -> None:
    """A cell that begins has no checkpoint and no line."""
    assert checkpoint.read_newest(tmp_path, "cell", pytest.fail) is None


def test_links_are_not_followed(two: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder of checkpoints, or one of them, that is a link is neither read nor written."""
    away = tmp_path_factory.mktemp("away")
    last = two / "checkpoints" / "000002-00000002"
    last.rename(away / last.name)
    last.symlink_to(away / last.name)
    said: list[str] = []
    found = newest(two, said)
    assert found
    assert found.step == 1
    assert said == ["checkpoint 000002-00000002 is not used: it is a link"]

    (two / "checkpoints").rename(away / "all")
    (two / "checkpoints").symlink_to(away / "all")
    before = sorted(away.rglob("*"))
    assert newest(two) is None
    with pytest.raises(EnvironmentProblem, match="checkpoints`: it is a link"):
        checkpoint.write(two, "cell", snapshot(3), [ORIGIN])
    checkpoint.remove_unfinished(two)
    checkpoint_folders.remove_all(two)
    assert sorted(away.rglob("*")) == before
    assert not (two / "checkpoints").exists()


def test_what_a_killed_writer_left_is_swept(two: Path) -> None:
    """Unfinished files and folders go when the cell begins again, and nothing else."""
    (two / "checkpoints" / ".part").mkdir()
    left = [".record.json.abc", ".last.safetensors.abc", ".best.safetensors.x"]
    kept = ["record.json", "last.safetensors", "log.txt"]
    for name in (*left, *kept):
        (two / name).write_text("", encoding="utf-8")
    checkpoint.remove_unfinished(two)

    assert {p.name for p in two.iterdir()} == {*kept, "checkpoints"}
    assert names(two) == ["000002-00000001", "000002-00000002"]


def test_a_checkpoint_is_due_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval after the start and after each one; a checkpoint that failed is no exception."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    said: list[str] = []
    writer = CheckpointWriter(tmp_path, "cell", 60.0, lambda: [ORIGIN], lambda: False, said.append)

    def due(second: float) -> bool:
        now[0] = second
        return writer.due()

    first = [due(159), due(160)]
    writer.keep(snapshot(1))
    second = [due(219), due(220)]
    full(monkeypatch)
    writer.keep(snapshot(2))

    assert [*first, *second, due(279)] == [False, True, False, True, False]
    assert said == [f"no checkpoint: {problem(tmp_path)}"]
    assert names(tmp_path) == ["000002-00000001"]


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the disk takes no checkpoint."""

    def write(path: Path, _: object) -> Path:
        if ".part" not in str(path):
            return whole(path, _)  # pyright: ignore[reportArgumentType]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    whole = write_file
    monkeypatch.setattr(checkpoint_files, "write_file", write)


def problem(home: Path) -> str:
    path = home / "checkpoints" / "000002-00000002"
    return f"cannot write `{path}`: {os.strerror(errno.ENOSPC)}"


class News(list[Event]):
    """Stands for the queue of events; `react` is told how far training is."""

    react: Callable[[Progressed], object] = staticmethod(lambda _: None)

    def put(self, event: Event) -> None:
        self.append(event)
        if isinstance(event, Progressed):
            self.react(event)

    @property
    def end(self) -> Ended:
        last = self[-1]
        assert isinstance(last, Ended)
        return last


@pytest.fixture
def news(monkeypatch: pytest.MonkeyPatch) -> News:
    heard = News()
    monkeypatch.setattr(cell_run, "ALONE", RunLink(heard.put))
    monkeypatch.setattr(resume, "QUIET_S", 0.0)
    return heard


@pytest.fixture
def job(tiny: Path, tmp_path: Path, measured: Path) -> Job:
    """Training a cell of three epochs, where it is known already how equal trainings agree."""
    for root in ("r", "r/whole"):
        shutil.copytree(measured / "receipts", tmp_path / root / "receipts")
    cell = plan(tiny, ["train.epochs=3", "estimators=[ste]"]).cells[0]
    return Job(cell, tmp_path / "r", "cpu", 1, 0, False, Path("data"), (), (), 1e9)


def found(job: Job) -> Record:
    record = store.find_record(job.root, job.cell)
    assert record
    return record


def log(job: Job) -> str:
    return (store.cell_path(job.root, job.cell) / "log.txt").read_text(encoding="utf-8")


def bits(record: Record) -> dict[str, object]:
    return record.model_dump(exclude={*VOLATILE})


def test_sigterm_interrupts_a_cell_and_it_goes_on(job: Job, news: News) -> None:
    """The step is finished and kept, nothing is recorded; run again, the record is the same."""
    whole = replace(job, root=job.root / "whole")
    cell_run.run(whole)
    before = signal.getsignal(signal.SIGTERM)
    news.clear()
    news.react = lambda e: e.epoch == 1 and e.fraction and os.kill(os.getpid(), signal.SIGTERM)
    cell_run.run(job)

    assert signal.getsignal(signal.SIGTERM) == before
    assert (news.end.status, news.end.epoch) == ("interrupted", 2)
    assert store.find_record(job.root, job.cell) is None
    assert names(store.cell_path(job.root, job.cell)) == ["000002-00000000"]
    assert "interrupted: stopped in epoch 3, before step 1" in log(job)

    news.clear()
    news.react = lambda _: None
    cell_run.run(replace(job, threads=1, argv=("run", "again")))
    record = found(job)
    assert bits(record) == bits(found(whole))
    assert [p.command for p in record.earlier] == ["bench"]
    assert record.provenance.command == "bench run again"
    first = news[1]
    assert isinstance(first, Progressed)
    assert (first.epoch, first.fraction) == (2, 0.0)
    assert first.acc == record.curves["test_acc"][1]
    assert "resumed in epoch 3, before step 1" in log(job)
    assert not (store.cell_path(job.root, job.cell) / "checkpoints").exists()


@pytest.mark.slow
def test_a_resume_that_differs_says_so(
    job: Job, news: News, request: pytest.FixtureRequest
) -> None:
    """Another number of threads is in `earlier`, and on a line of the log."""
    request.addfinalizer(lambda: torch.set_num_threads(1))
    news.react = lambda e: e.epoch == 1 and os.kill(os.getpid(), signal.SIGTERM)
    cell_run.run(job)
    news.react = lambda _: None
    cell_run.run(replace(job, threads=2))

    assert [p.threads for p in (*found(job).earlier, found(job).provenance)] == [1, 2]
    assert "not as before the interruption: threads 2, was 1" in log(job)


def test_a_full_disk_costs_the_checkpoint_alone(
    job: Job, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that cannot be written is a line in the log, the first is told; the cell ends well."""
    full(monkeypatch)
    cell_run.run(replace(job, checkpoint_s=0.0))

    assert news.end.status == "ok"
    assert log(job).count("no checkpoint: cannot write") == 6
    (note,) = (event.reason for event in news if isinstance(event, Noted))
    assert note.startswith("no checkpoint: cannot write")


def test_a_checkpoint_that_is_all_damaged_costs_time_alone(job: Job, news: News) -> None:
    """Training begins anew, says so, and ends in the same record."""
    cell_run.run(job)
    first = found(job)
    home = store.cell_path(job.root, job.cell)
    shutil.rmtree(home)
    news.react = lambda e: e.epoch == 1 and os.kill(os.getpid(), signal.SIGTERM)
    cell_run.run(job)
    for path in (home / "checkpoints").glob("*/weights.safetensors"):
        halve(path)
    news.react = lambda _: None
    cell_run.run(job)

    assert "weights.safetensors is damaged" in log(job)
    assert "no checkpoint is left, training begins anew" in log(job)
    assert bits(found(job)) == bits(first)
    assert found(job).earlier == []


def interrupted(job: Job, news: News) -> tuple[Job, Path, Snapshot, list[Provenance]]:
    """A cell trained to its end elsewhere, and here as far as a checkpoint: that job, and this."""
    whole = replace(job, root=job.root / "whole")
    cell_run.run(whole)
    news.react = lambda e: e.epoch == 1 and os.kill(os.getpid(), signal.SIGTERM)
    cell_run.run(job)
    news.react = lambda _: None
    home = store.cell_path(job.root, job.cell)
    kept = checkpoint.read_newest(home, job.cell.id, pytest.fail)
    assert kept
    return whole, home, *kept


def test_a_checkpoint_that_does_not_fit_is_set_aside(job: Job, news: News) -> None:
    """Sound, and yet not of this training: a line says what, the one before it goes on."""
    whole, home, past, processes = interrupted(job, news)
    for epoch, optimizer in ((past.epoch, {0: {"step": "x"}, 99: {"m": torch.ones(9)}}), (7, {})):
        wrong = replace(past, step=1, epoch=epoch, optimizer=optimizer)
        checkpoint.write(home, job.cell.id, wrong, processes)
    assert len(names(home)) == 2
    cell_run.run(job)

    assert "checkpoint 000007-00000001 is not used: its epoch does not fit" in log(job)
    assert "is not used: its content (IndexError) does not fit" in log(job)
    assert "no checkpoint is left, training begins anew" in log(job)
    assert bits(found(job)) == bits(found(whole))
    assert found(job).earlier == []


def test_a_failure_right_after_a_checkpoint_is_put_to_it(job: Job, news: News) -> None:
    """Momentum of one number, which torch would overrun, or of none; the record is as it was."""
    whole, home, past, processes = interrupted(job, news)
    momentum = {"momentum_buffer": torch.tensor(1.0)}
    for step, state in ((1, momentum), (0, {"momentum_buffer": "x"})):
        wrong = replace(past, step=step, sums=[], optimizer=past.optimizer | {0: state})
        shutil.rmtree(checkpoint.step_folder(home, past.epoch, step), ignore_errors=True)
        checkpoint.write(home, job.cell.id, wrong, processes)
    cell_run.run(job)

    assert "is not used: its optimizer does not fit" in log(job)
    assert "is not used: training fails there: " in log(job)
    assert bits(found(job)) == bits(found(whole))


def test_weights_that_find_no_room_cost_no_checkpoint(
    job: Job, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell has no record and goes on from its checkpoint, once there is room."""

    def write(path: Path, content: bytes) -> Path:
        if path.name == "best.safetensors" and path.parent == home:
            message = f"cannot write `{path}`: {os.strerror(errno.ENOSPC)}"
            raise EnvironmentProblem(message)
        return whole(path, content)

    home, whole = store.cell_path(job.root, job.cell), write_file
    job = replace(job, checkpoint_s=0.0)
    with monkeypatch.context() as no_room:
        no_room.setattr(store, "write_file", write)
        with pytest.raises(EnvironmentProblem, match=r"best\.safetensors`: No space left"):
            cell_run.run(job)
    assert store.find_record(job.root, job.cell) is None
    assert len(names(home)) == 2

    cell_run.run(job)
    assert "resumed in epoch 3, before step 2" in log(job)
    assert found(job).status == "ok"
    assert not (home / "checkpoints").exists()


def test_a_record_without_weights_is_better_than_none(
    job: Job, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be written but the record, and there is no checkpoint, it is written."""
    home, whole = store.cell_path(job.root, job.cell), write_file

    def write(path: Path, content: bytes) -> Path:
        if path.suffix == ".safetensors":
            message = f"cannot write `{path}`: {os.strerror(errno.ENOSPC)}"
            raise EnvironmentProblem(message)
        return whole(path, content)

    monkeypatch.setattr(store, "write_file", write)
    cell_run.run(job)

    assert found(job).status == "ok"
    assert log(job).count("weights not kept, the record is worth more: cannot write") == 2
    assert not list(home.glob("*.safetensors"))


def test_a_failure_knows_where_it_comes_from(
    job: Job, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of a failure holds the receipt and the processes that trained before it."""
    news.react = lambda e: e.epoch == 1 and os.kill(os.getpid(), signal.SIGTERM)
    cell_run.run(job)

    def full(*_: object) -> None:
        raise MemoryError

    news.react = lambda _: None
    monkeypatch.setattr("bench.train.trainer.accuracy", full)
    cell_run.run(job)
    record = found(job)

    assert record.status == "out_of_memory"
    assert len(record.earlier) == 1
    assert record.receipt


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
            "out_of_memory",
        ),
        (MemoryError("Unable to allocate 9 TiB"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: 9 bytes"), "out_of_memory"),
        (RuntimeError("the shapes differ"), "failed"),
        (ValueError("out of memory is no excuse"), "failed"),
    ],
)
def test_out_of_memory_is_told_apart(
    job: Job, news: News, monkeypatch: pytest.MonkeyPatch, error: Exception, status: str
) -> None:
    """By what was raised; the reason keeps what was asked for, and the batch size."""

    def measure(*_: object) -> None:
        raise error

    monkeypatch.setattr(CellRun, "_measure", measure)
    cell_run.run(job)
    record = found(job)

    assert (record.status, news.end.status) == (status, status)
    assert str(error) in record.reason
    assert ("at batch size 32" in record.reason) == (status == "out_of_memory")


def test_real_exhaustion_is_out_of_memory(job: Job, news: News) -> None:
    """What torch raises when it is asked for more than there is says so."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**55)

    assert cell_run.failure(raised.value, job)[0] == "out_of_memory"


def test_global_generators_are_seeded(job: Job) -> None:
    """Python's and numpy's too, by the cell's seed, and cuDNN has no choice, once it is built."""
    drawn: list[object] = []
    for _ in range(2):
        torch.backends.cudnn.deterministic = False
        model.build(job.cell)
        drawn.append((random.random(), np.random.rand(), torch.rand(1)))  # noqa: NPY002

    assert drawn[0] == drawn[1]
    assert torch.backends.cudnn.deterministic


FULL = """
set -e
mount -t tmpfs -o size=100k tmpfs {root}
{python} {script} && exit 1
mount -o remount,size=10m {root}
{python} {script}
cat {root}/cells/*/log.txt
ls {root}/cells/*
"""
RUN = """
from pathlib import Path
from bench.spec.cell import Cell
from bench.execution.cell_run import run
from bench.execution.job import Job
cell = Cell.model_validate_json(Path("{cell}").read_text())
run(Job(cell, Path("{root}"), "cpu", 1, 0, False, Path("data"), (), (), 0.0))
"""


@pytest.mark.slow
def test_a_disk_that_is_really_full(tmp_path: Path, tiny: Path) -> None:
    """Where weights find no room, the cell goes on from its checkpoint once there is."""
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here, so no small file system")
    root, cell, script = (tmp_path / name for name in ("r", "cell.json", "run.py"))
    root.mkdir()
    cell.write_text(plan(tiny).cells[0].model_dump_json(), encoding="utf-8")
    script.write_text(RUN.format(root=root, cell=cell), encoding="utf-8")
    shell = FULL.format(root=root, script=script, python=sys.executable)
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", shell], check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert ".safetensors`: No space left on device" in done.stderr
    assert "no checkpoint: cannot write" in done.stdout
    assert "resumed in epoch" in done.stdout
    assert "record.json" in done.stdout.splitlines()
