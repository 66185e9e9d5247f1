"""How a run that follows jobs leaves before they have ended: it detaches, or cancels them."""

import select
import sys
import time
from typing import Literal, TypeAlias

from bench.base import signals
from bench.base.text import count
from bench.errors import BenchError, EnvironmentProblem
from bench.execution.events import Stopping
from bench.fleet.engine import Engine
from bench.fleet.following import CANCELLED, Following
from bench.fleet.tasks import ENDED

Leaving: TypeAlias = Literal["ask", "detach", "cancel"]
NAP_S = 0.1  # in which a signal is heard
GRACE_S = 60.0  # for jobs that are cancelled to checkpoint
QUESTION = "detach: jobs go on (d, Enter), or cancel them (c, Enter)? Ctrl-C again detaches"


class Departure:
    """
    Whether the run goes on, and how it ends.

    Args:
        leaving: what a signal means: ask on the terminal, let jobs go on, or cancel them.
        attached: jobs end with this process: a signal lets them checkpoint, the next does not.
    """

    def __init__(
        self, following: Following, requests: signals.Requests, leaving: Leaving, *, attached: bool
    ) -> None:
        self.following, self.requests = following, requests
        self.leaving: Leaving = "cancel" if attached else leaving
        self.attached = attached
        self._asked = False
        self._cancelled_at: float | None = None
        self._ending: list[tuple[Engine, set[str]]] = []  # jobs that were told to
        self._failed = False  # are there so many failures that the run stops?

    def decide(self) -> bool:
        """
        Do what signals and failures say; returns whether to leave, as also when all has ended.

        Raises:
            EnvironmentProblem: jobs are to be cancelled, and the engine does not answer.
        """
        following, heard = self.following, len(self.requests.numbers)
        retry = following.claimant.settings.retry
        if not following.fates.open and self._cancelled_at is None:
            return True
        if not self._failed and retry.stops_after(following.fates.failures):
            self._failed = True
            self._cancel(f"{following.fates.failures} failed (--max-failures)")
        if self._cancelled_at is not None:
            late = time.monotonic() - self._cancelled_at > GRACE_S
            return late or heard > (0 if self._failed else 1) or not self._still_ending()
        if not heard:
            return False
        if self.leaving == "ask":
            return self._ask(heard)
        if self.leaving == "cancel":
            self._cancel("waiting for jobs to checkpoint; Ctrl-C again does not wait")
            return False
        return True

    def nap(self, seconds: float) -> None:
        """Let time pass, until a signal comes."""
        before, until = len(self.requests.numbers), time.monotonic() + seconds
        while time.monotonic() < until and len(self.requests.numbers) == before:
            time.sleep(min(NAP_S, seconds))

    def conclude(self) -> None:
        """
        Say why the run ended before its cells did, if it did.

        Raises:
            Stopped, EnvironmentProblem, BenchError: as `bench.fleet.follow.Follower` says.
        """
        following = self.following
        cancelled = self._cancelled_at is not None
        how = self.describe(cancelled=cancelled)
        if self.requests.numbers and (following.fates.open or cancelled):
            raise signals.Stopped(self.requests.numbers[0], how)
        if problems := following.fates.problems:
            raise EnvironmentProblem("\n".join([*dict.fromkeys(problems), how]))
        if self._failed:
            cells = count(following.fates.failures, "failed cell")
            message = f"stopped after {cells} (--max-failures); {how}"
            raise BenchError(message)

    def describe(self, *, cancelled: bool = False) -> str:
        """What becomes of the cells that have not ended."""
        following, suite = self.following, self.following.claimant.plan.suite
        n = len(following.fates.open)
        if cancelled:
            ended = following.fates.result.ended.values()
            n += sum(event.reason == CANCELLED for event in ended)
            return f"{count(n, 'cell')} cancelled; what is recorded stays, run again to continue"
        live = following.tasks.live
        waiting = n - sum(len(task.open) for task in live)
        words = f"{count(n - waiting, 'cell')} in {count(len(live), 'job')}"
        more = f", {count(waiting, 'cell')} not submitted yet" if waiting else ""
        return (
            f"detached from {words}{more}; the same command attaches again, "
            f"`bench cancel {suite}` cancels"
        )

    def _ask(self, heard: int) -> bool:
        """Ask what a signal means; returns whether it is to leave the jobs alone."""
        if heard > 1:
            return True
        if not self._asked:
            self._asked = True
            self._say(QUESTION)
        if not select.select([sys.stdin], [], [], 0)[0]:
            return False
        answer = sys.stdin.readline().strip().lower()
        if answer.startswith("c"):
            self._cancel("waiting for jobs to checkpoint; Ctrl-C again does not wait")
            return False
        return True

    def _cancel(self, why: str) -> None:
        self._cancelled_at = time.monotonic()
        self._say(why)
        self._ending = self.following.cancel()

    def _still_ending(self) -> bool:
        """Are there jobs that were cancelled and have not ended?"""
        for engine, jobs in self._ending:
            engine.poll()
            jobs -= {job for job, state in engine.look(jobs).items() if state.phase in ENDED}
        return any(jobs for _, jobs in self._ending)

    def _say(self, reason: str) -> None:
        self.following.fates.listener(Stopping(reason=reason))
