"""
Signals that tell a run to stop: raised at once or, while cells train, kept until the run asks.

The `bench` command listens to all of them; who calls the harness from Python has Python's own, and
Ctrl-C as `halting` has it.
"""

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

REQUEUE = 75  # EX_TEMPFAIL: schedulers queue a job again that ends so
SAME_S = 0.1  # `timeout`, for one, sends its signal twice
WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)  # with which schedulers tell that time is up
LOGOUT_S = 5.0  # within which SIGTERM follows SIGHUP where a session ends
WORKERS_IGNORE = {
    signal.SIGINT,
    signal.SIGHUP,
    *WARNINGS,
}  # sent to all processes, meant for the first


class Stopped(BaseException):
    """A signal, on its way through `finally` clauses."""

    def __init__(
        self, number: int, message: str = "what is recorded stays, run again to continue"
    ) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; {message}")
        self.number = number
        self.exit_code = REQUEUE if _requeue else 128 + number


class Requests:
    """The signals that came since this was made."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._last = 0.0

    def add(self, number: int) -> None:
        now, leaving = time.monotonic(), self.numbers[-1:] == [signal.SIGHUP]
        same_s = LOGOUT_S if leaving and number == signal.SIGTERM else SAME_S
        impatient = number != signal.SIGHUP and now - self._last > same_s  # a terminal has gone
        if not self.numbers or impatient:
            self.numbers.append(number)
        self._last = now


_requeue = False
_raised: Stopped | None = None
_open: list[Requests] = []


def listen(*, requeue: bool = False) -> None:
    """
    Hear Ctrl-C, SIGTERM and SIGHUP from here on; the last one not if it is ignored, as by nohup.

    Args:
        requeue: also SIGUSR1 and SIGUSR2, with which schedulers warn; and end with `REQUEUE`.
    """
    global _requeue, _raised
    _requeue, _raised = requeue, None
    for number in (signal.SIGINT, signal.SIGTERM, *(WARNINGS if requeue else ())):
        signal.signal(number, _hear)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _hear)


def raised() -> Stopped | None:
    """
    The signal that was raised, though another exception may have come of it.

    An import that is cut short, numpy's for one, can fail in its own way.
    """
    return _raised


def deafen() -> None:
    """Let a signal end the process at once and without a word."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def ignore() -> None:
    """Let no signal that can be ignored end the process, for it is about to leave."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, *WARNINGS):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def requests() -> Generator[Requests, None, None]:
    """Within, signals raise nothing; they are found in what this yields."""
    mine = Requests()
    _open.append(mine)
    try:
        yield mine
    finally:
        _open.remove(mine)


@contextmanager
def halting() -> Generator[None, None, None]:
    """
    Within, Ctrl-C lets cells that train checkpoint before it is raised, as the command does.

    Where none trains it is raised at once. For callers from Python: what was heard before is heard
    again afterwards; in another thread than the main one none comes, and nothing is changed.

    Raises:
        KeyboardInterrupt: it came; what of the cells is left stands in it.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def hear(number: int, frame: FrameType | None) -> None:
        for one in _open:
            one.add(number)
        if not _open:
            signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, hear)
    try:
        yield
    except Stopped as stopped:
        raise KeyboardInterrupt(str(stopped)) from None
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def ignored_by_children() -> Generator[None, None, None]:
    """Processes and threads started within never see a Ctrl-C, not even while they start."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WORKERS_IGNORE)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hear(number: int, _: object) -> None:
    global _raised
    for one in _open:
        one.add(number)
    if not _open:
        signal.signal(number, signal.SIG_DFL)  # the second one ends what the first did not
        _raised = Stopped(number)
        raise _raised
