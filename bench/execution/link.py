"""What ties a cell to its run: the events that it emits, and the flag that stops it."""

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import BaseContext

from bench.execution.events import CellEvent
from bench.execution.worker import JobEnd


class Halt:
    """
    A flag that a run and its worker process share: it is time to stop. Down until `set`.

    No lock guards it, as one guards multiprocessing's Event: a worker that is killed while it asks
    would keep the lock, and stop all others.
    """

    def __init__(self, context: BaseContext) -> None:
        self._flag = context.RawValue("b", 0)

    def set(self) -> None:
        self._flag.value = 1

    def is_set(self) -> bool:
        return bool(self._flag.value)


def ignore(_: object) -> None:
    """Let an event go unheard."""


def never() -> bool:
    """Say that nobody asks to stop."""
    return False


@dataclass(frozen=True)
class RunLink:
    """How a cell emits events to its run, and learns that it is to stop."""

    emit: Callable[[CellEvent], None] = ignore
    halted: Callable[[], bool] = never
    end: Callable[[JobEnd], None] = ignore  # this process at once, for that reason
