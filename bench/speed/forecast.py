"""A forecast: what is left of a suite, what it costs here, and what of it fits a budget."""

from dataclasses import dataclass, replace
from pathlib import Path

from bench.leaderboard import saved
from bench.planning import planner
from bench.results.cell_state import CellStates
from bench.spec import filters
from bench.spec.cell import Cell
from bench.spec.plan import Plan
from bench.speed import calibration, packing
from bench.speed.budget import Budget, fit_budget
from bench.speed.calibration import Calibration
from bench.speed.measure import Measurer
from bench.speed.slots import SlotOptions
from bench.speed.throughput import Throughput


@dataclass(frozen=True)
class ForecastRequest:
    """A suite as `bench run` would be told it."""

    suite: Path
    overrides: tuple[str, ...]
    results: Path
    data: Path | None
    filter_: str
    options: tuple[str, ...] = ()  # of where it runs, for commands that are shown

    def over(self, *more: str) -> list[str]:
        """The overrides and more, which go before those of the same key."""
        keys = {text.partition("=")[0] for text in more}
        return [text for text in self.overrides if text.partition("=")[0] not in keys] + [*more]

    def plan(self, *more: str) -> tuple[Plan, list[Cell]]:
        """What it means with more overrides, and the cells that it chooses."""
        plan = planner.plan(self.suite, self.over(*more), self.data)
        plan = saved.continued(plan, self.results)
        return plan, filters.select(plan, self.filter_)

    def left(self, *more: str) -> tuple[Plan, list[Cell]]:
        """The same, and of those cells the ones that would run."""
        plan, chosen = self.plan(*more)
        return plan, calibration.list_cells_left(
            plan, chosen, CellStates(self.results, plan.possible)
        )


@dataclass(frozen=True)
class Forecast:
    """The answer; of the layouts of a CPU the fastest stands first."""

    asked: ForecastRequest
    plan: Plan
    calibration: Calibration
    cpu_layouts: list[Throughput]
    budget: Budget | None


def make_forecast(
    asked: ForecastRequest, where: SlotOptions, measurer: Measurer, budget_s: float | None
) -> Forecast:
    """
    Measure what no kept throughput says, and tell what the suite costs.

    Raises:
        EnvironmentProblem: a GPU is asked for that is not there.
        UsageError: the options contradict each other.
    """
    plan, cells = asked.left()
    slots = packing.choose_slots(where, cells, measurer)
    calibrated = calibration.calibrate(plan, cells, slots, measurer)
    settled = replace(measurer, settled=True)

    def left_s(override: str) -> float:
        return calibration.calibrate(*asked.left(override), slots, settled).left_s

    fits = (
        None if budget_s is None else fit_budget(plan, calibrated, asked.results, budget_s, left_s)
    )
    return Forecast(
        asked, plan, calibrated, calibration.compare_cpu_layouts(calibrated, measurer), fits
    )
