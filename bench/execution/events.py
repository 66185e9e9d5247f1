"""
What happens in a run: one small class for each kind of event.

`to_json` and `from_json` are the form in which journals and `bench run --json` hold them.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, TypeAlias, get_args

from pydantic import Field, TypeAdapter

from bench.spec.cell_status import CellStatus

LARGEST = 2**31  # epochs, or images in a second
KEYS = ("cell_id", "kind", "epoch", "fraction", "acc", "images_per_s", "status", "reason")

Epoch: TypeAlias = Annotated[int, Field(ge=0, lt=LARGEST)]
Number: TypeAlias = Annotated[float, Field(ge=0, lt=LARGEST)]


@dataclass(frozen=True)
class Queued:
    """The cell's job waits for its turn on other machines, and what for, in their words."""

    kind: ClassVar = "queue"
    cell_id: str
    reason: str = ""


@dataclass(frozen=True)
class Started:
    """A worker has begun with the cell, and imports what it needs."""

    kind: ClassVar = "start"
    cell_id: str


@dataclass(frozen=True)
class Compiling:
    """The cell's training step is being compiled; `epoch` epochs and a fraction are done."""

    kind: ClassVar = "compile"
    cell_id: str
    epoch: Epoch = 0
    fraction: Number = 0.0


@dataclass(frozen=True)
class Progressed:
    """`epoch` epochs and a fraction of the next are done; `acc` comes with the end of an epoch."""

    kind: ClassVar = "progress"
    cell_id: str
    epoch: Epoch = 0
    fraction: Number = 0.0
    acc: Number | None = None
    images_per_s: Number | None = None


@dataclass(frozen=True)
class Noted:
    """Something about the cell that people should read; it goes on."""

    kind: ClassVar = "note"
    cell_id: str
    reason: str


@dataclass(frozen=True)
class Ended:
    """
    The cell has come to its end in this run.

    Args:
        status: that of its record, or INTERRUPTED: stopped, with a checkpoint to go on from and no
            record; or BLOCKED: it never began, for what it rests on came to nothing.
    """

    kind: ClassVar = "end"
    cell_id: str
    status: CellStatus
    reason: str = ""
    acc: Number | None = None
    epoch: Epoch = 0

    def __post_init__(self) -> None:
        """Refuse what is no end."""
        if not self.status.final:
            message = f"no cell ends {self.status}"
            raise ValueError(message)


@dataclass(frozen=True)
class Retrying:
    """A try at the cell came to nothing, as `status` and `reason` say, and another follows."""

    kind: ClassVar = "retry"
    cell_id: str
    reason: str = ""
    status: CellStatus | None = None
    epoch: Epoch = 0


@dataclass(frozen=True)
class Elsewhere:
    """Another run has the cell."""

    kind: ClassVar = "elsewhere"
    cell_id: str
    reason: str = ""


@dataclass(frozen=True)
class TakenOver:
    """The cell was of a run that died, and is of this run now."""

    kind: ClassVar = "takeover"
    cell_id: str
    reason: str = ""


@dataclass(frozen=True)
class Moved:
    """What the cell's record would have replaced is kept elsewhere."""

    kind: ClassVar = "moved"
    cell_id: str
    reason: str


@dataclass(frozen=True)
class Stopping:
    """The run stops, and why. Of no cell."""

    kind: ClassVar = "stop"
    cell_id: str = ""
    reason: str = ""


CellEvent: TypeAlias = (
    Queued
    | Started
    | Compiling
    | Progressed
    | Noted
    | Ended
    | Retrying
    | Elsewhere
    | TakenOver
    | Moved
)
Event: TypeAlias = CellEvent | Stopping
Listener: TypeAlias = Callable[[Event], None]

_ADAPTERS: dict[str, TypeAdapter[Event]] = {
    cls.kind: TypeAdapter[Any](cls) for cls in get_args(Event)
}


def to_json(event: Event) -> dict[str, Any]:
    """The event as a JSON object: cell, kind, and whatever differs from its default."""
    pairs: dict[str, Any] = {"cell_id": event.cell_id, "kind": event.kind}
    for field in fields(event):
        if (value := getattr(event, field.name)) != field.default:
            pairs[field.name] = value
    return {key: pairs[key] for key in KEYS if key in pairs}


def from_json(pairs: dict[str, Any]) -> Event:
    """
    The event that such an object tells of.

    Raises:
        KeyError: no event is of that kind, or it has none.
        ValueError: something is missing, or a number that cannot be.
    """
    return _ADAPTERS[pairs["kind"]].validate_python(pairs)
