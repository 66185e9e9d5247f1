"""A flag that every process of a run sees: it is time to stop."""

from multiprocessing.context import BaseContext


class Halt:
    """
    Down until `set`.

    No lock guards it, as one guards multiprocessing's Event: a worker that is killed while it asks
    would keep the lock, and stop all others.
    """

    def __init__(self, context: BaseContext) -> None:
        self._flag = context.RawValue("b", 0)

    def set(self) -> None:
        self._flag.value = 1

    def is_set(self) -> bool:
        return bool(self._flag.value)
