"""A request to run a suite: what was asked for, and what that means before anything runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.base.collector import held_back
from bench.data.source import data_folder
from bench.errors import UsageError
from bench.execution.job import Slot
from bench.execution.settings import CHECKPOINT_S, RetryPolicy, Settings
from bench.leaderboard import saved, sequential
from bench.planning import suite_cache
from bench.results.cell_state import CellStates
from bench.spec import filters
from bench.spec.cell import Cell
from bench.spec.plan import Plan

MAX_SEEDS = 20


@dataclass(frozen=True)
class RunRequest:
    """
    What `bench run` was asked for, parsed, but for where cells run.

    Raises:
        UsageError: two wishes contradict each other.
    """

    suite: Path
    root: Path  # the results folder
    overrides: tuple[str, ...] = ()
    data: Path | None = None
    filter_: str = ""
    rerun: tuple[str, ...] = ()  # `failed`, `stale`, or cells by name: those run and no others
    allow_stale: bool = False  # stale records stand in the table
    unchecked: bool = False  # plugins that fail checks train, too
    track: tuple[str, ...] = ()  # trackers of the run, NAME or NAME:FOLDER
    until_separated: bool = False
    max_seeds: int | None = None
    compiled: bool | None = None
    workers: int | None = None
    argv: tuple[str, ...] = ()
    checkpoint_s: float = CHECKPOINT_S
    timeout_s: float | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    paths: bool = False  # every file is named at the end
    on: str = ""  # the profile by which cells train elsewhere

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
    """
    A request, its plan, the cells that it chooses, and the states of the plan's cells.

    Args:
        looks: seeds of a row at each look for rows that want more.
    """

    request: RunRequest
    plan: Plan
    chosen: list[Cell]
    states: CellStates
    looks: tuple[int, ...] = ()


def prepare(request: RunRequest, before_planning: Callable[[], None] = lambda: None) -> PreparedRun:
    """
    Plan the suite with the seeds that earlier runs added, and read each record once.

    Args:
        before_planning: called if the plan has to be made, for which torch is imported.

    Raises:
        BenchError: the suite cannot be planned.
        PluginError: a plugin of a chosen cell fails checks, and that is not waived.
    """
    planned = suite_cache.plan(
        request.suite, list(request.overrides), request.data, before_planning
    )
    looks: list[int] = []
    if request.until_separated:
        looks = sequential.looks(planned, request.max_seeds or MAX_SEEDS)
    plan = saved.continued(planned, request.root)
    chosen = filters.select(plan, request.filter_)
    if not request.unchecked:
        plan.refuse_failed_checks(chosen)
    with held_back():
        states = CellStates(request.root, plan.possible)
    return PreparedRun(request, plan, chosen, states, tuple(looks))
