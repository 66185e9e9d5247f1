"""
What a run needs of whatever trains its cells.

`bench.execution.worker_process` is a process of this machine; other kinds have the same few
methods.
"""

from dataclasses import dataclass
from typing import Protocol

from bench.execution.events import CellEvent
from bench.execution.job import Job, Slot
from bench.spec.cell_status import CellStatus


@dataclass(frozen=True)
class JobEnd:
    """
    How a worker left a job, seen from outside: what counts where the cell itself said nothing.

    Args:
        status: of the record that is written for it.
        terminated: it was asked to stop, by neither its run nor its cell.
        environment: the machine is to blame, not the cell, which has no record then.
        node_lost: the same, of another node; where that one works, or is not used, all goes on.
    """

    reason: str = "its worker ended without a word"
    status: CellStatus = CellStatus.FAILED
    terminated: bool = False
    environment: bool = False
    node_lost: bool = False


class Worker(Protocol):
    """Trains one cell at a time, and may die at any moment."""

    slot: Slot

    def begin(self, job: Job) -> None:
        """Start with a job; one that died idle is replaced first."""
        ...

    def take_events(self) -> list[CellEvent]:
        """What was emitted of the cell since the last time."""
        ...

    def fileno(self) -> int | None:
        """What becomes readable with events; None: it has to be asked."""
        ...

    @property
    def over(self) -> bool:
        """Has it left its job, one way or another?"""
        ...

    def leave(self) -> JobEnd:
        """Make room for the next job; returns how the last was left."""
        ...

    def halt(self) -> None:
        """Ask for a checkpoint, and then for the end of the job."""
        ...

    def kill(self) -> None:
        """End the job now, and all that it started."""
        ...

    def close(self) -> None:
        """End the worker, whatever it does, and all that it started."""
        ...
