"""
One cell in one process: build, train, write its record, and tell how it goes.

Whatever ends the process, the cell goes on from its newest checkpoint when it is run again. A
training that is asked to stop, by its run or by SIGTERM, finishes its step and leaves a checkpoint.
"""

import contextlib
import signal
import time
import traceback
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.base.text import count
from bench.errors import BenchError, DataError, EnvironmentProblem, exhausted
from bench.results import store
from bench.run.cell_log import Log
from bench.run.events import Compiling, Ended, Noted, Progressed, Started
from bench.run.job import Job
from bench.run.link import RunLink
from bench.spec.cell_status import CellStatus

if TYPE_CHECKING:  # a cell says that it has started before it imports torch, which takes its time
    import torch
    from torch import nn

    from bench.data.dataset import Dataset
    from bench.results.record import Provenance, Receipt, Record
    from bench.train.outcome import Outcome, Progress
    from bench.train.resource_meter import ResourceMeter
    from bench.train.snapshot import Snapshot

QUIET_S = 0.25  # no more than four messages a second from a worker
ALONE = RunLink()  # of a cell without a run
_datasets: "dict[str, Dataset]" = {}  # that this process has loaded, for the cells to come


def run(job: Job, link: RunLink | None = None) -> None:
    """
    Train one cell and write its record. An exception in a plugin becomes a `failed` record.

    Goes on from the cell's newest checkpoint. Asked to stop it leaves one, and no record.

    Raises:
        EnvironmentProblem: the record cannot be written, or the weights while there is a checkpoint
            to go on from, or checkpoints not be read; these stay, and there is no record.
    """
    link = link or ALONE
    link.tell(Started(job.cell.id))
    from bench.train import checkpoint
    from bench.train.trainer import TrainingStopped

    cell = CellRun(job, link)
    try:
        with cell.stopped_by_sigterm():
            record = cell.record()
    except TrainingStopped as stopped:
        cell.log.line(f"interrupted: {stopped}")
        link.tell(Ended(job.cell.id, CellStatus.INTERRUPTED, epoch=stopped.epoch))
        return
    store.save_record(job.root, record)
    if record.measured:
        checkpoint.remove_all(cell.home)
    cell.log.end(record.status, record.reason)
    link.tell(Ended(job.cell.id, record.status, record.reason, record.last_acc))


@dataclass(frozen=True)
class Conditions:
    """Under which a cell trains, settled before it does; as they are here, nothing is settled."""

    compiled: bool = False
    meter: "ResourceMeter | None" = None
    receipt: "Receipt | None" = None


class CellRun:
    """One try at a cell. What becomes known of it meanwhile is kept for its record."""

    def __init__(self, job: Job, link: RunLink) -> None:
        from bench.results.provenance import describe_checkout

        self.job, self.link = job, link
        self.started = datetime.now(UTC)
        self.log = Log(job.root, job.cell)
        self.home = store.cell_path(job.root, job.cell)
        self.conditions = Conditions()
        self.earlier: list[Provenance] = []  # processes that trained the cell before
        self._terminated = False
        describe_checkout()  # as it is now, not as it may be when the cell ends

    @contextlib.contextmanager
    def stopped_by_sigterm(self) -> Generator[None, None, None]:
        """Within, SIGTERM asks the cell to stop; outside it ends the process."""

        def note(*_: object) -> None:
            self._terminated = True

        before = signal.signal(signal.SIGTERM, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def record(self) -> "Record":
        """
        The cell's record, of a measurement or of what an exception says.

        Raises:
            EnvironmentProblem: the machine is to blame, not the cell.
            TrainingStopped: the run is to stop.
        """
        from bench.results.record import Record
        from bench.train.trainer import TrainingStopped

        try:
            return self._measure()
        except TrainingStopped:
            raise
        except Exception as error:  # the boundary: one bad plugin must not end the suite
            if not isinstance(error, BenchError):
                self.log.line(traceback.format_exc())
            if isinstance(error, EnvironmentProblem) and not isinstance(error, DataError):
                raise
            status, reason = failure(error, self.job)
            return Record(
                cell=self.job.cell,
                status=status,
                reason=reason,
                provenance=self._provenance(),
                earlier=self.earlier,
                receipt=self.conditions.receipt,
            )

    def _measure(self) -> "Record":
        """
        Build and train; write the weights; return the record.

        Raises:
            EnvironmentProblem: the weights cannot be written, or checkpoints not be read.
            TrainingStopped: the run is to stop.
        """
        from bench.results.record import Record
        from bench.train.weights import digest

        net, outcome = self._train()
        if outcome.compile_s:
            self.log.line(f"compiled in {outcome.compile_s:.0f} s, which are no part of images/s")
        self._keep_weights(outcome)
        meter = self.conditions.meter
        return Record(
            cell=self.job.cell,
            status=CellStatus.DIVERGED if outcome.diverged else CellStatus.OK,
            reason=outcome.diverged,
            curves=outcome.curves,
            best_epoch=outcome.best_epoch,
            indicators=outcome.indicators,
            weights_digest=digest(outcome.last),
            best_digest=digest(outcome.best) if outcome.best else "",
            parameters=sum(p.numel() for p in net.parameters()),
            images_per_s=outcome.images_per_s,
            peak_mib=meter.peak_mib() if meter else None,
            provenance=self._provenance(),
            earlier=self.earlier,
            receipt=self.conditions.receipt,
        )

    def _train(self) -> "tuple[nn.Module, Outcome]":
        """
        Train compiled where that is asked for or pays; eagerly where nothing can be compiled.

        Whether this machine can compile shows only in the first compiled step, which is part of the
        training: to try it before would compile twice.
        """
        import torch

        from bench.train import checkpoint, compile_policy
        from bench.train.resource_meter import ResourceMeter

        job, log = self.job, self.log
        self._prepare()
        device = torch.device(job.device)
        data = _dataset(job, device).to(device, job.workers, log.line)
        compiled, why = compile_policy.choose(job.compiled, job.cell, data, job.device)
        log.line(why)
        meter = ResourceMeter(device, alone=job.cells_at_once == 1)
        self.conditions = Conditions(meter=meter)
        threads = count(job.threads, "thread")
        log.line(f"{job.cell.slug} on {job.device}, {threads}, {data.label}")
        checkpoint.remove_unfinished(self.home)
        try:
            self.conditions = self._settled(compiled, meter)
            return self._train_from_checkpoint(data)
        except Exception as error:
            if job.compiled or not (compiled and compile_policy.is_compile_error(error)):
                raise
            # nobody asked for it
            log.line(f"eager, for nothing can be compiled here: {_reason(error)}")
            self.conditions = self._settled(False, meter)
            return self._train_from_checkpoint(data)

    def _prepare(self) -> None:
        """Set the process up for the cell; see that both are what the plan takes them for."""
        import torch

        from bench.registry import add_folders
        from bench.results import source_digest

        torch.set_num_threads(self.job.threads)
        add_folders(self.job.plugins)
        source_digest.confirm(self.job.cell)

    def _settled(self, compiled: bool, meter: "ResourceMeter") -> Conditions:
        """How the cell trains, and whether two equal trainings agree here."""
        from bench.train import determinism

        job = self.job
        self.conditions = Conditions(compiled, meter)
        receipt = determinism.find_or_make_receipt(job.root, job.device, job.threads, compiled)
        if receipt.first_difference is not None:
            first = receipt.first_difference
            self.log.line(f"note: two equal trainings here differ from step {first} on")
        return Conditions(compiled, meter, receipt)

    def _train_from_checkpoint(self, data: "Dataset") -> "tuple[nn.Module, Outcome]":
        """
        Train from the newest checkpoint that fits, or anew; each try has a network of its own.

        A failure right after a checkpoint is put to it; a plugin's comes again without it.
        """
        from bench.train import checkpoint, model, trainer
        from bench.train.snapshot import SnapshotMismatch

        job, log, home = self.job, self.log, self.home
        notes = _Notes(job.cell.id, log, self.link)
        while True:
            built = model.build(job.cell)
            built.net.to(job.device)
            resume, self.earlier = checkpoint.read_newest(home, job.cell.id, log.line) or (None, [])
            if resume:
                images = resume.step * job.cell.recipe.batch_size
                self._resumed(resume, images / data.sizes["train"])
            watch = _Watch(job.cell.id, log, self.link)
            checkpointer = checkpoint.CheckpointWriter(
                home,
                job.cell.id,
                job.checkpoint_s,
                lambda: [*self.earlier, self._provenance()],
                lambda: self._terminated or self.link.halted(),
                notes.add,
            )
            try:
                if resume:
                    checkpoint.check_optimizer(resume, built.net.parameters())
                return built.net, trainer.train(
                    built.net,
                    built.clock,
                    data,
                    job.cell.recipe,
                    job.cell.seed,
                    compiled=self.conditions.compiled,
                    watch=watch,
                    resume=resume,
                    checkpointer=checkpointer,
                )
            except SnapshotMismatch as mismatch:
                path = checkpoint.step_folder(home, mismatch.epoch, mismatch.step)
                checkpoint.set_aside(path, str(mismatch), log.line)
            except Exception as error:
                if not resume or watch.moved or not _of_content(error):
                    raise
                path = checkpoint.step_folder(home, resume.epoch, resume.step)
                checkpoint.set_aside(path, f"training fails there: {_reason(error)}", log.line)

    def _resumed(self, snapshot: "Snapshot", fraction: float) -> None:
        """Tell from where training goes on, and what is not as it was there."""
        log, epoch = self.log, snapshot.epoch
        log.line(f"resumed in epoch {epoch + 1}, before step {snapshot.step + 1}")
        acc = next(reversed(snapshot.outcome.curves.get("test_acc", [])), None)
        self.link.tell(Progressed(self.job.cell.id, epoch, fraction, acc))
        before, now = self.earlier[-1], self._provenance()
        for name in ("commit", "versions", "device", "threads", "compiled"):
            then, here = getattr(before, name), getattr(now, name)
            if then != here:
                log.line(f"not as before the interruption: {name} {here}, was {then}")

    def _keep_weights(self, outcome: "Outcome") -> None:
        """
        Write the weights; where there is a checkpoint to go on from, a record must not be without.

        Raises:
            EnvironmentProblem: they cannot be written.
        """
        from bench.train import checkpoint

        states = {"last": outcome.last, "best": outcome.best}
        for name, state in states.items():
            if not state:  # no best without an epoch
                continue
            try:
                store.save_weights(self.home / f"{name}.safetensors", state)
            except EnvironmentProblem as problem:
                if any(not why for _, why in checkpoint.examine(self.home, self.job.cell.id)):
                    raise
                notes = _Notes(self.job.cell.id, self.log, self.link)
                notes.add(f"weights not kept, the record is worth more: {problem}")

    def _provenance(self) -> "Provenance":
        """What this process can say of itself up to now."""
        from bench.results.provenance import make_provenance

        meter = self.conditions.meter
        return make_provenance(
            self.started,
            self.job.device,
            argv=list(self.job.argv),
            cells_at_once=self.job.cells_at_once,
            compiled=self.conditions.compiled,
            energy_j=meter.energy_j() if meter else None,
        )


def failure(error: Exception, job: Job) -> tuple[CellStatus, str]:
    """The status and the reason of a cell that an exception ended."""
    reason = _reason(error)
    if exhausted(error):
        size = job.cell.recipe.batch_size
        why = f"out of memory on {job.device} at batch size {size}: {reason}"
        return CellStatus.OUT_OF_MEMORY, why
    return CellStatus.FAILED, reason


def _reason(error: Exception) -> str:
    kind = "" if isinstance(error, BenchError) else f"{type(error).__name__}: "
    return f"{kind}{error}".splitlines()[0][:300]


def _of_content(error: Exception) -> bool:
    """May what a checkpoint holds have raised it? Not what a machine, or a request to stop, did."""
    from torch import AcceleratorError

    from bench.train.trainer import TrainingStopped

    others = (TrainingStopped, EnvironmentProblem, AcceleratorError)
    return not (isinstance(error, others) or exhausted(error))


def _dataset(job: Job, device: "torch.device") -> "Dataset":
    """The cell's data on the device; a process keeps what it has loaded."""
    from bench.train import model

    key = f"{job.cell.data.model_dump_json()} {device} {job.data}"
    if key not in _datasets:
        _datasets[key] = model.load_dataset(job.cell, job.data).to(device, job.workers)
    return _datasets[key]


class _Watch:
    """Passes on how far training is, not too often, and writes each epoch to the log."""

    def __init__(self, cell_id: str, log: Log, link: RunLink) -> None:
        self.cell_id, self.log, self.link, self.told = cell_id, log, link, 0.0
        self.moved = False  # has training passed where it was first seen?
        self._first: tuple[int, float] | None = None

    def __call__(self, progress: "Progress") -> None:
        place = progress.epoch, progress.fraction
        self._first = self._first or place
        self.moved = place != self._first
        if progress.compiling:
            self.log.line("compiling the training step")
            self.link.tell(Compiling(self.cell_id, *place))
            return
        if progress.acc is not None:
            speed = f"{progress.images_per_s:.0f} images/s" if progress.images_per_s else ""
            self.log.line(f"epoch {progress.epoch}/{progress.epochs} {progress.acc:.4f} {speed}")
        elif time.monotonic() - self.told < QUIET_S:
            return
        self.told = time.monotonic()
        self.link.tell(Progressed(self.cell_id, *place, progress.acc, progress.images_per_s))


class _Notes:
    """What cannot be kept of a cell that goes on: each time in the log, once on the screen."""

    def __init__(self, cell_id: str, log: Log, link: RunLink) -> None:
        self.cell_id, self.log, self.link, self.told = cell_id, log, link, False

    def add(self, text: str) -> None:
        self.log.line(text)
        if not self.told:
            self.told = True
            self.link.tell(Noted(self.cell_id, text))
