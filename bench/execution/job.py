"""What a worker is given: one cell, and everything it needs to know to train it."""

from dataclasses import dataclass
from pathlib import Path

from bench.results.record import EngineJob
from bench.spec.cell import Cell


@dataclass(frozen=True)
class OtherNode:
    """
    A further node for the processes of a cell, which has as many there, on devices named alike.

    Args:
        name: as records name it.
        command: runs there what is written after it, in this folder and environment, and ends
            with it.
        address: of this node as that one sees it; `$NAME` is a variable of that one.
    """

    name: str
    command: tuple[str, ...]
    address: str


@dataclass(frozen=True)
class Slot:
    """Room for one cell at a time."""

    device: str
    threads: int
    beside: tuple[str, ...] = ()  # devices here of further processes that train a cell together
    others: tuple[OtherNode, ...] = ()  # nodes with as many processes each


@dataclass(frozen=True)
class Job:
    """One cell to train; small, and pickled across processes."""

    cell: Cell
    root: Path
    device: str
    threads: int
    workers: int  # decoding threads, where images are files
    compiled: bool | None  # None: as `bench.train.compile_policy` decides
    data: Path
    plugins: tuple[Path, ...]  # folders of local plugins
    argv: tuple[str, ...]
    checkpoint_s: float  # seconds between checkpoints
    engine_job: EngineJob | None = None  # that its run is
    earlier_jobs: tuple[EngineJob, ...] = ()  # of which it is known how they ended
    cells_at_once: int = 1  # on its device, itself included
    beside: tuple[str, ...] = ()  # as the slot's
    others: tuple[OtherNode, ...] = ()  # as the slot's

    @property
    def devices(self) -> tuple[str, ...]:
        """Of the processes of each node."""
        return self.device, *self.beside

    @property
    def ranks(self) -> int:
        """Processes that train the cell together, on all nodes."""
        return len(self.devices) * (1 + len(self.others))
