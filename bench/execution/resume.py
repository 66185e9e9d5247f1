"""Train a cell from its newest checkpoint that fits, or anew where there is none."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.errors import BenchError, EnvironmentProblem, exhausted
from bench.execution.cell_log import Log
from bench.execution.conditions import Conditions
from bench.execution.events import Compiling, Noted, Progressed
from bench.execution.link import RunLink
from bench.results import store
from bench.results.provenance import name_ends

if TYPE_CHECKING:  # a cell says that it has started before it imports torch, which takes its time
    from torch import nn

    from bench.data.dataset import Dataset
    from bench.results.record import Provenance
    from bench.train.model import Model
    from bench.train.outcome import Outcome, Progress
    from bench.train.ranks import Ranks
    from bench.train.snapshot import Snapshot

QUIET_S = 0.25  # no more than four messages a second from a worker


class ResumableTraining:
    """The training of one cell, which leaves checkpoints and goes on from those it finds."""

    def __init__(
        self,
        conditions: Conditions,
        log: Log,
        link: RunLink,
        stop_asked: Callable[[], bool],
        ranks: "Ranks",
    ) -> None:
        self.ranks = ranks
        self.job, self.conditions, self.log, self.link = conditions.job, conditions, log, link
        self.stop_asked = stop_asked
        self.home = store.cell_path(self.job.root, self.job.cell)
        self.notes = NoteReporter(self.job.cell.id, log, link)

    def train(self, data: "Dataset") -> "tuple[nn.Module, Outcome]":
        """
        Train from the newest checkpoint that fits, or anew; each try has a network of its own.

        A failure right after a checkpoint is put to it; a plugin's comes again without it.

        Raises:
            EnvironmentProblem: checkpoints cannot be read.
            TrainingStopped: `stop_asked` says so.
        """
        from bench.train import parents
        from bench.train.devices import move_network
        from bench.train.snapshot import SnapshotMismatch

        job, log = self.job, self.log
        for role, parent in job.cell.parents.items():
            log.line(f"{role}: the {parent.which} weights of {parent.cell.slug}")
        while True:
            built = parents.build(job.cell, job.root)
            move_network(built.net, job.device)
            self.conditions.parents = built.parents
            if built.teacher:
                move_network(built.teacher, job.device)
            newest = self._read_newest()
            snapshot, earlier = newest or (None, [])
            self.conditions.earlier = name_ends(earlier, job.earlier_jobs)
            if snapshot:
                images = snapshot.step * job.cell.recipe.batch_size
                self._report_resumed(snapshot, images / data.sizes["train"])
            progress = ProgressReporter(job.cell.id, log, self.link)
            try:
                return built.net, self._train_from(snapshot, built, data, progress)
            except SnapshotMismatch as mismatch:
                self._set_aside(mismatch.epoch, mismatch.step, str(mismatch))
            except Exception as error:
                alone = self.ranks.size == 1  # or another process may be to blame
                known = progress.moved or not _may_be_of_content(error)
                if not snapshot or known or not alone:
                    raise
                why = f"training fails there: {describe(error)}"
                self._set_aside(snapshot.epoch, snapshot.step, why)

    def _read_newest(self) -> "tuple[Snapshot, list[Provenance]] | None":
        """What the process that leads finds, for all."""
        from bench.train import checkpoint

        home, cell_id = self.home, self.job.cell.id
        leads = self.ranks.leads
        found = checkpoint.read_newest(home, cell_id, self.log.line) if leads else None
        return self.ranks.told(found)

    def _set_aside(self, epoch: int, step: int, why: str) -> None:
        from bench.train import checkpoint

        if self.ranks.leads:
            path = checkpoint.step_folder(self.home, epoch, step)
            checkpoint.set_aside(path, why, self.log.line)

    def _train_from(
        self,
        snapshot: "Snapshot | None",
        built: "Model",
        data: "Dataset",
        progress: "ProgressReporter",
    ) -> "Outcome":
        """Train a network that is built already from a snapshot, or from the start."""
        from bench.train import checkpoint, trainer

        job, conditions = self.job, self.conditions
        checkpointer = checkpoint.CheckpointWriter(
            self.home,
            job.cell.id,
            job.checkpoint_s,
            lambda: [*conditions.earlier, conditions.provenance()],
            self.stop_asked,
            self.notes.add,
        )
        return trainer.train(
            built.net,
            built.clock,
            data,
            job.cell.recipe,
            job.cell.seed,
            coach=built.coach(job.cell.recipe),
            teacher=built.teacher,
            claim=built.claim(job.cell),
            compiled=conditions.compiled,
            watch=progress,
            resume=snapshot,
            checkpointer=checkpointer if self.ranks.leads else None,
            ranks=self.ranks,
        )

    def _report_resumed(self, snapshot: "Snapshot", fraction: float) -> None:
        """Report from where training goes on, and what is not as it was there."""
        log, epoch = self.log, snapshot.epoch
        log.line(f"resumed in epoch {epoch + 1}, before step {snapshot.step + 1}")
        acc = next(reversed(snapshot.outcome.curves.get("test_acc", [])), None)
        self.link.emit(Progressed(self.job.cell.id, epoch, fraction, acc))
        before, now = self.conditions.earlier[-1], self.conditions.provenance()
        for name in ("commit", "versions", "device", "threads", "compiled", "processes"):
            then, here = getattr(before, name), getattr(now, name)
            if then != here:
                log.line(f"not as before the interruption: {name} {here}, was {then}")


class ProgressReporter:
    """Reports how far training is, not too often, and writes each epoch to the log."""

    def __init__(self, cell_id: str, log: Log, link: RunLink) -> None:
        self.cell_id, self.log, self.link = cell_id, log, link
        self.moved = False  # has training passed where it was first seen?
        self._first: tuple[int, float] | None = None
        self._emitted_at = 0.0

    def __call__(self, progress: "Progress") -> None:
        place = progress.epoch, progress.fraction
        self._first = self._first or place
        self.moved = place != self._first
        if progress.compiling:
            self.log.line("compiling the training step")
            self.link.emit(Compiling(self.cell_id, *place))
            return
        if progress.acc is not None:
            speed = f"{progress.images_per_s:.0f} images/s" if progress.images_per_s else ""
            self.log.line(f"epoch {progress.epoch}/{progress.epochs} {progress.acc:.4f} {speed}")
        elif time.monotonic() - self._emitted_at < QUIET_S:
            return
        self._emitted_at = time.monotonic()
        self.link.emit(Progressed(self.cell_id, *place, progress.acc, progress.images_per_s))


class NoteReporter:
    """Reports what cannot be kept of a cell that goes on: always to the log, once to its run."""

    def __init__(self, cell_id: str, log: Log, link: RunLink) -> None:
        self.cell_id, self.log, self.link = cell_id, log, link
        self._emitted = False

    def add(self, text: str) -> None:
        self.log.line(text)
        if not self._emitted:
            self._emitted = True
            self.link.emit(Noted(self.cell_id, text))


def describe(error: Exception) -> str:
    """An exception in one line; its class is named where the message is not ours."""
    kind = "" if isinstance(error, BenchError) else f"{type(error).__name__}: "
    return f"{kind}{error}".splitlines()[0][:300]


def _may_be_of_content(error: Exception) -> bool:
    """May what a checkpoint holds have raised it? Not what a machine, or a request to stop, did."""
    from torch import AcceleratorError

    from bench.train.trainer import TrainingStopped

    others = (TrainingStopped, EnvironmentProblem, AcceleratorError)
    return not (isinstance(error, others) or exhausted(error))
