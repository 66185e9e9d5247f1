"""
One cell in one process: build, train, write its record, and tell how it goes.

Whatever ends the process, the cell goes on from its newest checkpoint when it is run again. A
training that is asked to stop, by its run or by SIGTERM, finishes its step and leaves a checkpoint.
"""

import contextlib
import signal
import traceback
from collections.abc import Generator
from platform import node
from typing import TYPE_CHECKING

from bench.base.text import count
from bench.base.tracebacks import find_place
from bench.errors import BenchError, DataError, EnvironmentProblem, UsageError, exhausted
from bench.execution.cell_log import Log, SilentLog
from bench.execution.conditions import Conditions
from bench.execution.events import Ended, Started
from bench.execution.job import Job
from bench.execution.link import RunLink
from bench.execution.rank_processes import joined
from bench.execution.resume import NoteReporter, ResumableTraining, describe
from bench.results import provenance, store
from bench.spec.cell_status import CellStatus

if TYPE_CHECKING:  # a cell says that it has started before it imports torch, which takes its time
    import torch
    from torch import nn

    from bench.data.dataset import Dataset, Name
    from bench.results.record import Record, Unread
    from bench.train.outcome import Outcome
    from bench.train.ranks import Ranks

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
    link.emit(Started(job.cell.id))
    from bench.train import checkpoint_folders
    from bench.train.trainer import TrainingStopped

    cell = CellRun(job, link)
    try:
        with cell.stopped_by_sigterm():
            record = cell.record()
    except TrainingStopped as stopped:
        cell.log.line(f"interrupted: {stopped}")
        link.emit(Ended(job.cell.id, CellStatus.INTERRUPTED, epoch=stopped.epoch))
        return
    store.save_record(job.root, record)
    if record.measured:
        checkpoint_folders.remove_all(cell.home)
    cell.log.end(record.status, record.reason)
    link.emit(Ended(job.cell.id, record.status, record.reason, record.last_acc))


class CellRun:
    """One try at a cell. What becomes known of it meanwhile is kept for its record."""

    def __init__(self, job: Job, link: RunLink) -> None:
        self.job, self.link = job, link
        self.conditions = Conditions(job)
        self.log = Log(job.root, job.cell)
        self.home = store.cell_path(job.root, job.cell)
        self.data: Dataset | None = None  # once it is loaded
        self._terminated = False

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
                provenance=self.conditions.provenance(),
                earlier=self.conditions.earlier,
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
        left_out = self._tell_unread()
        conditions, meter = self.conditions, self.conditions.meter
        return Record(
            cell=self.job.cell,
            status=CellStatus.DIVERGED if outcome.diverged else CellStatus.OK,
            reason=outcome.diverged,
            curves=outcome.curves,
            best_epoch=outcome.best_epoch,
            indicators=outcome.indicators,
            weights_digest=digest(outcome.last),
            best_digest=digest(outcome.best) if outcome.best else "",
            parents=conditions.parents,
            parameters=sum(p.numel() for p in net.parameters()),
            images_per_s=outcome.images_per_s,
            peak_mib=meter.peak_mib() if meter else None,
            provenance=self.conditions.provenance(),
            earlier=self.conditions.earlier,
            receipt=self.conditions.receipt,
            levels=outcome.levels,
            extras=outcome.extras,
            left_out=left_out,
        )

    def _tell_unread(self) -> "dict[Name, Unread]":
        """Say on the screen, too, of which images no number is; each is named in the log."""
        from bench.results.record import Unread

        left_out: dict[Name, Unread] = {}
        if self.data:
            sizes = self.data.sizes
            counts = self.data.left_out.items()
            left_out = {split: Unread(images=n, of=sizes[split]) for split, n in counts}
        if left_out:
            parts = (f"{x.images:,} of {x.of:,} {split}" for split, x in left_out.items())
            notes = NoteReporter(self.job.cell.id, self.log, self.link)
            notes.add(f"{' and '.join(parts)} images could not be read and are left out")
        return left_out

    def _train(self) -> "tuple[nn.Module, Outcome]":
        """
        Train compiled where that is asked for or pays; eagerly where nothing can be compiled.

        Whether this machine can compile shows only in the first compiled step, which is part of the
        training: to try it before would compile twice.
        """
        _prepare(self.job)
        self.conditions.plugins = provenance.describe_plugins(self.job.cell)
        with joined(self.job, self.link, train_beside) as ranks:
            return self.train_in(ranks)

    def train_in(self, ranks: "Ranks") -> "tuple[nn.Module, Outcome]":
        """The same, in one or several processes, of which this is one."""
        import torch

        from bench.train import checkpoint, compile_policy
        from bench.train.resource_meter import ResourceMeter

        job = self.job
        self.ranks = ranks
        log = self.log = self.log if ranks.leads else SilentLog(job.root, job.cell)
        if ranks.size > 1:
            self.conditions.ranks = ranks.everyone(
                f"{provenance.device_name(job.device)}, {node()}"
            )
        device = torch.device(job.device)
        self.data = data = _dataset(job, device).to(device, job.workers, log.line)
        chosen = compile_policy.choose(job.compiled, job.cell, data, job.device)
        compiled, why = ranks.told(chosen)
        log.line(why)
        alone = job.cells_at_once == ranks.size == 1
        self.conditions.meter = ResourceMeter(device, alone=alone)
        threads = count(job.threads, "thread")
        several = f", {ranks.size} processes" if ranks.size > 1 else ""
        log.line(f"{job.cell.slug} on {job.device}, {threads}{several}, {data.label}")
        if ranks.leads:
            checkpoint.remove_unfinished(self.home)
        try:
            trained = self._train_with(compiled=compiled, data=data)
        except Exception as error:
            if job.compiled or not (compiled and compile_policy.is_compile_error(error)):
                raise
            # nobody asked for it
            log.line(f"eager, for nothing can be compiled here: {describe(error)}")
            trained = self._train_with(compiled=False, data=data)
        told: dict[str, Name] = getattr(data, "told", {})  # of images that cannot be read
        for others in ranks.everyone(told):
            told |= others
        return trained

    def _train_with(self, *, compiled: bool, data: "Dataset") -> "tuple[nn.Module, Outcome]":
        """Find out whether two equal trainings agree here, and then train the cell."""
        from bench.train import determinism

        job, conditions = self.job, self.conditions
        conditions.compiled, conditions.receipt = compiled, None
        receipt = determinism.find_or_make_receipt(
            job.root, job.device, job.threads, compiled, self.ranks
        )
        conditions.receipt = receipt
        if receipt.first_difference is not None:
            first = receipt.first_difference
            self.log.line(f"note: two equal trainings here differ from step {first} on")
        training = ResumableTraining(conditions, self.log, self.link, self._stop_asked, self.ranks)
        return training.train(data)

    def _stop_asked(self) -> bool:
        """Is the cell to checkpoint and end, for SIGTERM or for its run?"""
        return self._terminated or self.link.halted()

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
                notes = NoteReporter(self.job.cell.id, self.log, self.link)
                notes.add(f"weights not kept, the record is worth more: {problem}")


def train_beside(job: Job, ranks: "Ranks") -> None:
    """Train a cell as one of the processes beside the one that leads, which writes what is kept."""
    _prepare(job)
    CellRun(job, ALONE).train_in(ranks)


def _prepare(job: Job) -> None:
    """Set the process up for a cell; see that both are what the plan takes them for."""
    import torch

    from bench.registry import add_folders
    from bench.results import source_digest
    from bench.train.sharing import find_obstacle

    torch.set_num_threads(job.threads)
    add_folders(job.plugins)
    source_digest.confirm(job.cell)
    if obstacle := find_obstacle(job.cell, job.ranks):
        raise UsageError(obstacle)


def failure(error: Exception, job: Job) -> tuple[CellStatus, str]:
    """The status and the reason of a cell that an exception ended."""
    reason = describe(error) + _place(error)
    if exhausted(error):
        size = job.cell.recipe.batch_size
        why = f"out of memory on {job.device} at batch size {size}: {reason}"
        return CellStatus.OUT_OF_MEMORY, why
    return CellStatus.FAILED, reason


def _place(error: Exception) -> str:
    """Where a plugin's code raised it, if it did."""
    place = "" if isinstance(error, BenchError) else find_place(error)
    return f" ({place})" if place else ""


def _dataset(job: Job, device: "torch.device") -> "Dataset":
    """The cell's data on the device; a process keeps what it has loaded."""
    from bench.train import model

    key = f"{job.cell.data.model_dump_json()} {device} {job.data}"
    if key not in _datasets:
        _datasets[key] = model.load_dataset(job.cell, job.data).to(device, job.workers)
    return _datasets[key]
