"""
What a job of an engine does: it trains the cells of a batch, as a run on that machine does.

A warning that its time is up (SIGUSR1, SIGUSR2) is answered by checkpoints and a request to run
again; SIGTERM, with which engines end what is cancelled, by checkpoints alone.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from bench.base import signals
from bench.base.console import print_text
from bench.base.text import count
from bench.errors import EnvironmentProblem, NodeLost
from bench.execution.display import LineView
from bench.execution.events import Ended, Listener
from bench.execution.executor import RunResult, execute
from bench.execution.job import OtherNode, Slot
from bench.execution.journal import JournalWriter
from bench.execution.progress import CellProgress, RunProgress
from bench.execution.session import notify_all
from bench.execution.settings import RetryPolicy, Settings
from bench.fleet.allocation import Allocation
from bench.fleet.batch import Batch, load_batch
from bench.fleet.cancelled import Cancelled, cancelled_path
from bench.fleet.job_ends import read_ends
from bench.fleet.trial import trial
from bench.registry import add_folders
from bench.results import source_digest, store
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus
from bench.speed.slots import SlotOptions, lay_out_slots
from bench.train.sharing import refuse_ranks

PATIENCE_S = 90.0  # for cells that others have: above `lease.DEAD_S`, so that dead ones give way
STALE = "stale job"
RESTARTS = (
    5  # of a job, from which on it ends where a node is lost: another one may get better ones
)


def run_job(path: Path, allocation: Allocation, out: Console) -> int:
    """
    Train the cells of a batch that nobody has ended since it was made.

    Returns 0, 1 if cells failed or could not begin, 75 if the job is to run again, 128 and the
    signal's number if it was told to end.

    Raises:
        NodeLost: another of the job's nodes is gone, and the job has run again often enough.
        UsageError: the batch cannot be read.
        EnvironmentProblem: the results folder cannot be written or locked, or no such device.
    """
    batch = load_batch(path)
    signals.listen(requeue=True)
    if batch.purpose == "try":
        return trial.take_part(batch)
    if batch.purpose == "measure":
        from bench.fleet import measurement  # which imports torch

        return measurement.measure(batch, out, _other_nodes(batch, allocation))
    try:
        result, left = run_batch(batch, allocation, out)
    except signals.Stopped as stopped:
        print_text(out, str(stopped))
        warned = stopped.number in signals.WARNINGS
        return _requeue(allocation, out) if warned else 128 + stopped.number
    except NodeLost as lost:
        if allocation.restarts >= RESTARTS:
            raise
        print_text(out, f"error: {lost}")
        return _requeue(allocation, out)
    if left and _is_expiring(batch, allocation):
        print_text(out, f"{count(left, 'cell')} left, and no time for one more")
        return _requeue(allocation, out)
    return 1 if any(event.status is not CellStatus.OK for event in result.ended.values()) else 0


def run_batch(
    batch: Batch, allocation: Allocation, out: Console, *others: Listener
) -> tuple[RunResult, int]:
    """
    Train the cells of a batch in slots of this machine, shown on `out` and written to a journal.

    Returns what became of them, and how many are left: others have them, or the time is short.

    Raises:
        Stopped: by a signal; running cells had time to checkpoint.
        EnvironmentProblem: as `execute`, or no such device.
    """
    add_folders(batch.plugins)
    cells = [cell for cell in batch.cells if not _is_over(batch, cell)]
    job = f", job {allocation.job}, restart {allocation.restarts}" if allocation.job else ""
    print_text(out, f"{len(cells)} of {count(len(batch.cells), 'cell')} to run{job}")
    if not cells:
        return RunResult(), 0
    writer = JournalWriter(
        batch.root,
        batch.suite,
        batch.entries,
        batch.argv,
        submission=batch.submission,
        job=allocation.engine_job,
    )
    with writer, LineView(_progress(batch), out) as shown:
        listener = partial(notify_all, [writer, shown, *others])
        if reasons := source_digest.drift(cells):
            why = f"{STALE}: {', '.join(reasons)} since it was submitted; run the suite again"
            stale = {c.id: Ended(c.id, CellStatus.INTERRUPTED, why) for c in cells}
            for event in stale.values():
                listener(event)
            return RunResult(stale), 0
        result = execute(
            cells,
            _settings(batch, allocation, _slots(batch, cells, allocation, out)),
            listener,
            writer.header.owner,
            remeasure=batch.remeasure,
            patience_s=PATIENCE_S,
            is_late=partial(_is_expiring, batch, allocation),
            withdrawn=_cancelled(batch),
        )
    return result, len(cells) - len(result.ended)


def _is_over(batch: Batch, cell: Cell) -> bool:
    """Has the cell come to its end, well or badly, since the batch was made?"""
    record = store.find_record(batch.root, cell)
    return record is not None and record.seal != batch.before.get(cell.id)


def _cancelled(batch: Batch) -> Callable[[], Collection[str]]:
    """What tells which cells nobody wants any more."""
    if not batch.submission:
        return tuple
    return Cancelled(cancelled_path(batch.root, batch.submission)).read_now_and_then


def _is_expiring(batch: Batch, allocation: Allocation) -> bool:
    """Is too little time left for another cell?"""
    left_s = allocation.left_s()
    return left_s is not None and left_s < batch.spare_s


def _requeue(allocation: Allocation, out: Console) -> int:
    """Ask the engine to run the job again; it may end this process at any moment from then on."""
    signals.ignore()
    asked = allocation.requeue()
    print_text(out, "put back into the queue" if asked else "to be run again")
    return signals.REQUEUE


def _slots(
    batch: Batch, cells: list[Cell], allocation: Allocation, out: Console
) -> tuple[Slot, ...]:
    """Where cells run on this node; what is best there is measured if the batch says auto."""
    if batch.ranks > 1:  # one cell takes the whole job
        refuse_ranks(cells, batch.ranks)
        here = batch.ranks // batch.nodes
        (slot,) = lay_out_slots(SlotOptions(batch.device, None, 1, batch.threads, ranks=here))
        return (replace(slot, others=_other_nodes(batch, allocation)),)
    options = SlotOptions(batch.device, None, batch.jobs, batch.threads, batch.slots_per_gpu)
    if options.per_gpu != "auto":
        return lay_out_slots(options)
    from bench.fleet import measurement  # which imports torch

    return measurement.choose_slots(batch, cells, out)[0]


def _other_nodes(batch: Batch, allocation: Allocation) -> tuple[OtherNode, ...]:
    """The nodes beside this one over which a cell is spread."""
    if batch.nodes == 1:
        return ()
    has = 1 + len(allocation.others)
    if has != batch.nodes:
        message = f"nodes_per_cell: cells want {batch.nodes} nodes, this job has {has}"
        raise EnvironmentProblem(message)
    return allocation.others


def _settings(batch: Batch, allocation: Allocation, slots: tuple[Slot, ...]) -> Settings:
    return Settings(
        root=batch.root,
        data=batch.data,
        slots=slots,
        compiled=batch.compiled,
        workers=batch.workers,
        argv=tuple(batch.argv),
        checkpoint_s=batch.checkpoint_s,
        timeout_s=batch.timeout_s,
        retry=RetryPolicy(batch.retries),
        engine_job=allocation.engine_job,
        earlier_jobs=read_ends(batch.root, allocation),
    )


def _progress(batch: Batch) -> RunProgress:
    cells = {
        entry.id: CellProgress(
            entry.name, entry.epochs, store.cell_path(batch.root, cell) / "log.txt"
        )
        for entry, cell in zip(batch.entries, batch.cells, strict=True)
    }
    return RunProgress(batch.suite, cells)
