"""What state a cell is in: one enumeration for records, events, journals and what is shown."""

from enum import StrEnum, auto


class CellStatus(StrEnum):
    """
    The state of a cell, as records and journals spell it.

    In the order in which a screen that has no room for all cells prefers them.
    """

    STARTING = auto()  # its worker imports and reads data
    COMPILING = auto()
    RUNNING = auto()
    RETRYING = auto()  # a try failed, another follows
    DIVERGED = auto()
    FAILED = auto()
    TIMEOUT = auto()
    OUT_OF_MEMORY = auto()
    INTERRUPTED = auto()  # stopped, with a checkpoint to go on from and no record
    BLOCKED = auto()  # it rests on a cell that came to nothing, and has no record
    ELSEWHERE = auto()  # another run has it
    OK = auto()
    QUEUED = auto()  # its job waits for its turn, on other machines
    WAITING = auto()

    @property
    def measured(self) -> bool:
        """Is this a result, and not merely the trace of a failure? A divergence is one."""
        return self in {CellStatus.OK, CellStatus.DIVERGED}

    @property
    def failed(self) -> bool:
        """Has the cell a record that holds no measurement?"""
        return self in {CellStatus.FAILED, CellStatus.TIMEOUT, CellStatus.OUT_OF_MEMORY}

    @property
    def over(self) -> bool:
        """Has the cell come to its end, so that a record may say so?"""
        return self.measured or self.failed

    @property
    def final(self) -> bool:
        """Is there no more to hear of the cell in its run, record or not?"""
        return self.over or self in {CellStatus.INTERRUPTED, CellStatus.BLOCKED}

    @property
    def active(self) -> bool:
        """Is a worker busy with the cell?"""
        return self in {CellStatus.STARTING, CellStatus.COMPILING, CellStatus.RUNNING}
