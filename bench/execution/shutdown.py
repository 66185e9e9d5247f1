"""Whether a run goes on: its phase, which only ever rises, and what raised it."""

import time
from collections.abc import Callable
from enum import IntEnum, auto

from bench.base import signals
from bench.errors import EnvironmentProblem, NodeLost
from bench.execution.link import never

GRACE_S = 60.0  # for workers to checkpoint when the run stops
ECHO_S = 2.0  # a signal that ended a worker reaches this process, too, within so long


class Phase(IntEnum):
    """How far a run is on its way to its end."""

    RUNNING = auto()
    CLOSING = auto()  # nothing new starts, what runs comes to its end
    HALTING = auto()  # what runs is to checkpoint and end
    KILLING = auto()  # nobody waits for that


class Shutdown:
    """Raises the phase of a run, for signals, failures, want of time or of room on disk."""

    def __init__(self, requests: signals.Requests, is_late: Callable[[], bool] = never) -> None:
        self.phase = Phase.RUNNING
        self.problems: list[str] = []  # of the results folder, or of another node
        self.requests = requests
        self.late = False  # does nothing new start for want of time?
        self.node_lost = False  # is that a problem?
        self._is_late = is_late
        self._heeded = False  # was the first signal?
        self._halted_at = 0.0

    @property
    def closing(self) -> bool:
        """Does nothing new start?"""
        return self.phase >= Phase.CLOSING

    @property
    def signal(self) -> int | None:
        """The first that came."""
        return next(iter(self.requests.numbers), None)

    def problem(self, how: str) -> EnvironmentProblem | None:
        """What ended the run, to be raised with `how` it is left; None: no problem did."""
        kind = NodeLost if self.node_lost else EnvironmentProblem
        return kind("\n".join([*dict.fromkeys(self.problems), how])) if self.problems else None

    def close(self, problem: str, *, node_lost: bool = False) -> None:
        """Start nothing new, for the results folder cannot take more, or another node is gone."""
        self.problems.append(problem)
        self.node_lost |= node_lost
        self.phase = max(self.phase, Phase.CLOSING)

    def halt(self) -> None:
        """Have what runs checkpoint; the time that it has for it counts from the first call."""
        if self.phase < Phase.HALTING:
            self.phase, self._halted_at = Phase.HALTING, time.monotonic()

    def heed(self) -> bool:
        """
        Rise as signals and the time say: the first lets cells checkpoint, the next does not wait.

        Returns whether the first has just come.
        """
        if not self.closing and self._is_late():
            self.late, self.phase = True, Phase.CLOSING
        count = len(self.requests.numbers)
        late = self.phase == Phase.HALTING and time.monotonic() - self._halted_at > GRACE_S
        if count > 1 or late:
            self.phase = Phase.KILLING
        first = bool(count) and not self._heeded
        if first:
            self._heeded = True
            self.halt()
        return first

    def coming(self) -> bool:
        """Is the run to stop, or about to be told? Schedulers tell one process after the other."""
        until = time.monotonic() + ECHO_S
        while not (self.requests.numbers or self.closing) and time.monotonic() < until:
            time.sleep(0.05)
        return bool(self.requests.numbers or self.closing)
