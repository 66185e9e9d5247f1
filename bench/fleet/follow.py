"""
The executor of a run whose cells train elsewhere: it gives them to an engine, and follows them.

What becomes of a cell is read from its job's journal and from its record; the engine is asked
rarely, about all jobs at once, and is needed only where those say nothing. The run may leave at any
moment: what it knows lies in the results folder, and the next one goes on from there.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from bench.base import signals
from bench.errors import Detached
from bench.execution.events import Listener
from bench.execution.executor import RunResult
from bench.execution.settings import Settings
from bench.fleet.claiming import Claimant
from bench.fleet.departure import Departure, Leaving
from bench.fleet.engines import Engines
from bench.fleet.following import ATTACHED, Following, Pace
from bench.fleet.job_options import JobOptions
from bench.fleet.profile import Profile
from bench.results.lease import Owner
from bench.spec.cell import Cell
from bench.spec.plan import Plan


@dataclass(frozen=True)
class Follower:
    """
    Sees the cells of a run ended that jobs of an engine train; the executor of `--on`.

    Args:
        open_engine: the engine of a profile; which whoever gives it closes.
        detach: leave when all that there is room for has been submitted.
        leaving: what a signal means: ask on the terminal, let jobs go on, or cancel them.
        attached: jobs end with this process.
        report: told what is not about a cell.
        trusting: attach to jobs that other users submitted, too.
        pace: how often to look; None: as the engine bears it.
    """

    profile: Profile
    engines: Engines
    options: JobOptions = field(default_factory=JobOptions)
    detach: bool = False
    attached: bool = False
    leaving: Leaving = "detach"
    report: Callable[[str], None] = lambda _: None
    trusting: bool = False
    pace: Pace | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.engines.close()

    def __call__(
        self,
        plan: Plan,
        cells: list[Cell],
        settings: Settings,
        listener: Listener,
        owner: Owner,
        *,
        remeasure: bool,
    ) -> RunResult:
        """
        See every cell ended, as `bench.execution.executor.execute` does.

        Raises:
            Stopped: by a signal; jobs go on, or were cancelled, as the message says.
            Detached: as was asked for.
            EnvironmentProblem: the engine refuses, or the results folder cannot be written.
            BenchError: so many cells failed that the run was to stop.
        """
        claimant = Claimant(plan, settings, self.profile, self.options, remeasure, self.trusting)
        pace = self.pace or (ATTACHED if self.attached else Pace())
        with signals.requests() as requests:
            following = Following(cells, claimant, self.engines.open, listener, self.report, pace)
            departure = Departure(following, requests, self.leaving, attached=self.attached)
            with closing(following.decisions):
                following.claim()
                while not departure.decide():
                    following.advance()
                    if self.detach and following.fates.open:
                        following.look()  # for `bench status`
                        raise Detached(departure.describe())
                    departure.nap(pace.read_s)
            departure.conclude()
        return following.fates.result
