"""A request to run a suite: what was asked for, and what that means before anything runs."""

from dataclasses import dataclass
from pathlib import Path

from bench.data.sources import data_folder
from bench.errors import UsageError
from bench.leaderboard import saved, sequential
from bench.planning import suite_cache
from bench.results.cell_state import CellStates
from bench.run.job import Slot
from bench.run.settings import RetryPolicy, Settings
from bench.spec import filters
from bench.spec.cell import Cell
from bench.spec.plan import Plan

MAX_SEEDS = 20


@dataclass(frozen=True)
class Choice:
    """What a run does with cells that have a record."""

    rerun: tuple[str, ...] = ()  # `failed`, `stale`, or cells by name: those run and no others
    allow_stale: bool = False  # stale records stand in the table
    looks: tuple[int, ...] = ()  # seeds of a row at each look for rows that want more
    track: tuple[str, ...] = ()  # trackers that hear of the run, NAME or NAME:FOLDER


@dataclass(frozen=True)
class RunRequest:
    """
    What `bench run` was asked for, parsed, but for where cells run.

    Raises:
        UsageError: two wishes contradict each other.
    """

    suite: Path
    overrides: tuple[str, ...]
    root: Path  # the results folder
    data: Path | None
    filter_: str
    rerun: tuple[str, ...]
    allow_stale: bool
    track: tuple[str, ...]
    until_separated: bool
    max_seeds: int | None
    compiled: bool | None
    workers: int | None
    argv: tuple[str, ...]
    checkpoint_s: float
    timeout_s: float | None
    retry: RetryPolicy

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.until_separated and (self.filter_ or self.rerun):
            message = "--until-separated goes over the whole suite"
            raise UsageError(message)
        if self.max_seeds and not self.until_separated:
            message = "--max-seeds goes with --until-separated"
            raise UsageError(message)

    def settings(self, slots: tuple[Slot, ...]) -> Settings:
        """How cells run, in these slots."""
        return Settings(
            root=self.root,
            data=self.data or data_folder(),
            slots=slots,
            compiled=self.compiled,
            workers=self.workers,
            argv=self.argv,
            checkpoint_s=self.checkpoint_s,
            timeout_s=self.timeout_s,
            retry=self.retry,
        )


@dataclass(frozen=True)
class PreparedRun:
    """A request's plan, the cells that it chooses, and how these stand now."""

    plan: Plan
    chosen: list[Cell]
    choice: Choice
    states: CellStates


def prepare(request: RunRequest) -> PreparedRun:
    """
    Plan the suite with the seeds that earlier runs added, and read each record once.

    Raises:
        BenchError: the suite cannot be planned.
    """
    planned = suite_cache.plan(request.suite, list(request.overrides), request.data)
    looks: list[int] = []
    if request.until_separated:
        looks = sequential.looks(planned, request.max_seeds or MAX_SEEDS)
    plan = saved.continued(planned, request.root)
    chosen = filters.select(plan, request.filter_)
    choice = Choice(request.rerun, request.allow_stale, tuple(looks), request.track)
    return PreparedRun(plan, chosen, choice, CellStates(request.root, plan.possible))
