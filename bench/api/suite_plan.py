"""What a suite means, before anything runs: `bench.plan`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.api.arguments import Folders, Overrides, look_for_plugins, spell_overrides
from bench.api.torch_threads import one_thread
from bench.leaderboard import cell_table, saved
from bench.planning import suite_cache
from bench.results.cell_state import CellStates
from bench.spec import filters
from bench.spec.cell import Cell
from bench.spec.plan import Plan

if TYPE_CHECKING:  # who looks at no frame needs none
    import pandas as pd


@dataclass(frozen=True, repr=False)
class SuitePlan:
    """
    A suite, resolved, and where its cells stand in a results folder.

    Attributes:
        plan: rows with their cells, what is left out and why, what was published.
        chosen: the cells that the filter leaves.
        states: of these, by id.
    """

    plan: Plan
    chosen: list[Cell]
    states: CellStates

    def frame(self) -> "pd.DataFrame":
        """Return a line for each chosen cell, in the order of `bench.cells`."""
        lines = cell_table.plan_lines(self.plan, self.states.by_id, self.plan.equilibrium)
        return cell_table.tabulate(lines)

    def __repr__(self) -> str:
        states = [state.state for state in self.states.by_id.values()]
        counts = ", ".join(f"{states.count(word)} {word}" for word in dict.fromkeys(states))
        return f"<plan of {self.plan.suite}: {len(states)} cells, {counts}>"


def plan(
    suite: str | Path,
    overrides: Overrides = (),
    *,
    results: str | Path = "results",
    data: str | Path | None = None,
    filter: str = "",
    plugins: Folders = (),
    unseen: bool = False,
) -> SuitePlan:
    """
    Plan a suite as `bench plan` does: its cells, which are recorded, what is left out and why.

    Args:
        suite: a file, or the name of a shipped suite.
        overrides: `{"train.epochs": 3}`, or as the command takes them: `["train.epochs=3"]`.
        results: the results folder, there or not.
        data: the data folder; None: `$BENCH_DATA`, or `./data`.
        filter: as in `"estimator=reste,ste & seed=0"`.
        plugins: folders of plugins of your own.
        unseen: rows whose data are missing say so in `missing`, rather than that it is raised; the
            ids of their cells are none that could be trained.

    Raises:
        SuiteError: the suite cannot be read or does not validate; every problem has its place.
        PluginError: a plugin that it names is missing or broken.
        DataError: its data are missing or damaged.
        UsageError: no such suite, or a filter that makes no sense.
        EmptyMatch: no cell passes the filter.
    """
    words, root = spell_overrides(overrides), Path(results)
    look_for_plugins(plugins)
    with one_thread() as prepare_torch:
        made = suite_cache.plan(
            Path(suite), words, Path(data) if data else None, prepare_torch, unseen=unseen
        )
    made = made if made.missing else saved.continued(made, root)
    chosen = filters.select(made, filter)
    return SuitePlan(made, chosen, CellStates(root, chosen))
