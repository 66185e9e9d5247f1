"""What a driver of Ray and its tasks tell each other."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from bench.fleet.ray.transfer import Transfer

Wish: TypeAlias = Literal["stop", "kill", "leave"]  # leave: there is nothing to do, or no more


@dataclass(frozen=True)
class Begin:
    """What to run: a file that nodes see, or all that a node needs which sees none."""

    batch: Path | None = None
    transfer: Transfer | None = None


@dataclass(frozen=True)
class Arrived:
    """The task has begun on a node."""

    node: str  # Ray's id
    host: str


@dataclass(frozen=True)
class JournalLines:
    """More lines of the journal that is `name` below the results folder."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Sent:
    """A cell's newest checkpoint, or all that became of it, as an archive."""

    cells: bytes


@dataclass(frozen=True)
class Finished:
    """
    The child has ended.

    Args:
        code: its exit code; None: it was never begun, `output` says why.
        cells: an archive of all that became of them; None: the node sees the results folder.
        out_of_memory: has the kernel killed a process for want of memory meanwhile?
        found: files of a batch that trains nothing, where the node sees no results folder.
    """

    code: int | None
    output: str = ""
    cells: bytes | None = None
    out_of_memory: bool = False
    found: dict[str, bytes] = field(default_factory=dict[str, bytes])


News: TypeAlias = Arrived | JournalLines | Sent | Finished
Message: TypeAlias = Begin | Wish
