"""
What is left of a suite, and how long it takes on this machine, from the throughput of each graph.

A cell is taken to train as fast beside others as beside copies of its own graph, and to go on from
its newest checkpoint.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.base.machine import cores
from bench.execution.job import Slot
from bench.leaderboard import tuning
from bench.results import store
from bench.results.cell_state import CellStates
from bench.spec.cell import Cell
from bench.spec.plan import Plan, chain_part, with_ancestry
from bench.speed import packing
from bench.speed.makespan import compute_end_times
from bench.speed.measure import Measurer, Unmeasured
from bench.speed.throughput import Throughput, graph_key, group_by_graph
from bench.train import checkpoint


@dataclass(frozen=True)
class GraphTime:
    """One graph, its cells that are left, and its throughput, or why it has none."""

    name: str
    cells: list[Cell]
    throughput: Throughput | None
    problem: str
    left_s: float  # its share of the time left


@dataclass(frozen=True)
class Calibration:
    """
    What is left of a plan, measured.

    Args:
        ends: when each cell ends, in seconds from now, in their order; without cells of graphs
            that cannot be measured.
    """

    slots: tuple[Slot, ...]
    lines: list[GraphTime]
    ends: dict[str, float]

    @property
    def left_s(self) -> float:
        return max(self.ends.values(), default=0.0)


def list_cells_left(plan: Plan, chosen: Iterable[Cell], states: CellStates) -> list[Cell]:
    """
    The chosen cells that `bench run` would train, in its order.

    Of a row that is tuned, and not judged yet, the last setting stands for the best: the first is
    mostly the row's own.
    """
    ids = {cell.id for cell in chosen}
    known = {record.cell.id: record for record in states.records(stale=False)}
    trials = [trial for row in plan.rows for trial in row.trials]
    best = [tuning.chosen(row, known) or row.trials[-1] for row in plan.rows if row.trials]
    held_out = (cell for trial in trials for cell in trial.held_out)
    order = [*plan.cells, *held_out, *(cell for trial in best for cell in trial.cells)]
    return [
        cell
        for cell in with_ancestry(order)
        if cell.id in ids and states.by_id[cell.id].state in {"to run", "failed"}
    ]


def calibrate(
    plan: Plan, cells: Sequence[Cell], slots: tuple[Slot, ...], measurer: Measurer
) -> Calibration:
    """How long `cells` take in these slots; what no kept throughput says is measured."""
    throughputs: dict[str, Throughput] = {}
    problems: dict[str, str] = {}
    groups = group_by_graph(cells)
    for key, (first, *_) in groups.items():
        try:
            throughputs[key] = measurer.measure(first, slots)
        except Unmeasured as problem:
            problems[key] = str(problem)
    seconds = {
        cell.id: cell_seconds(cell, throughput, measurer.root, measurer.compiled)
        for cell in cells
        if (throughput := throughputs.get(graph_key(cell)))
    }
    first_s = max((start_s(throughput) for throughput in throughputs.values()), default=0.0)
    times = compute_end_times(seconds.values(), len(slots), first_s, parents_of(cells, [*seconds]))
    names = graph_names(plan)
    shares = {key: sum(seconds.get(cell.id, 0.0) for cell in groups[key]) for key in groups}
    lines = [
        GraphTime(
            names[key], group, throughputs.get(key), problems.get(key, ""), shares[key] / len(slots)
        )
        for key, group in groups.items()
    ]
    return Calibration(slots, lines, dict(zip(seconds, times, strict=True)))


def compare_cpu_layouts(calibration: Calibration, measurer: Measurer) -> list[Throughput]:
    """The throughput of the costliest graph in each way to share the CPU, the fastest first."""
    lines = [
        (line.throughput.epoch_s, line.cells[0]) for line in calibration.lines if line.throughput
    ]
    if not lines or calibration.slots[0].device != "cpu":
        return []
    cell = max(lines, key=lambda pair: pair[0])[1]
    return packing.measure_cpu_layouts(
        cell, dict.fromkeys([calibration.slots, *packing.list_cpu_layouts(cores())]), measurer
    )


def graph_names(plan: Plan) -> dict[str, str]:
    """What each graph of a plan is called: the first row that has it, and which part of that."""
    return {
        graph_key(cell): row.full_name + (f" ({above})" if (above := chain_part(part)) else "")
        for row, part, cell in reversed([*plan.walk_cells()])
    }


def parents_of(cells: Iterable[Cell], order: list[str]) -> dict[int, list[int]]:
    """The places of the cells that each of `order` has to wait for, of those that are in it."""
    places = {cell_id: place for place, cell_id in enumerate(order)}
    return {
        places[cell.id]: [places[p.cell.id] for p in cell.parents.values() if p.cell.id in places]
        for cell in cells
        if cell.id in places and cell.parents
    }


def cell_seconds(cell: Cell, throughput: Throughput, root: Path, compiled: bool | None) -> float:
    """How long a slot is busy with what is left of the cell in the results folder `root`."""
    left = cell.recipe.epochs - checkpoint.count_epochs(store.cell_path(root, cell))
    start_s = throughput.start_s if _fresh(throughput) else 0.0
    first_s = throughput.first_s if _fresh(throughput) or compiled else 0.0
    return start_s + first_s + left * throughput.epoch_s


def start_s(throughput: Throughput) -> float:
    """Seconds until a slot trains its first cell, where that is not each cell's own."""
    return 0.0 if _fresh(throughput) else throughput.start_s + throughput.first_s


def _fresh(throughput: Throughput) -> bool:
    """Has each cell a process of its own? On a CPU a worker goes on to the next."""
    return throughput.free_mib is not None
