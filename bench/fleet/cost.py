"""
What cells cost on the machines of a profile: jobs, hours of GPUs or cores, and when they end.

From what was measured on that kind of machine; where nobody measured nothing is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bench.fleet.job_options import AtOnce, JobOptions, Measured
from bench.fleet.profile import Profile
from bench.results.provenance import installed_version
from bench.spec.cell import Cell
from bench.spec.plan import Plan
from bench.speed import calibration
from bench.speed.calibration import GraphTime
from bench.speed.makespan import compute_end_times
from bench.speed.throughput import Throughput, graph_key, group_by_graph, list_throughputs
from bench.train import compile_policy

HOUR_S = 3600.0
SMALL = 100  # hours, below which two digits more are worth telling


@dataclass(frozen=True)
class Job:
    """
    One job as it would be submitted.

    Args:
        seconds: how long it takes; None: not all of its graphs were measured.
        ends: when its cells end, in seconds from its begin.
    """

    cells: list[Cell]
    seconds: float | None
    ends: dict[str, float]


@dataclass(frozen=True)
class Cost:
    """
    What is left of a plan on the machines of a profile.

    Args:
        graphs: each with its throughput there; None, where nobody measured it.
        at_once: cells at a time in a job.
        units: GPUs of a job, or its cores where it has no GPU.
        ends: when each cell ends, in seconds from when the first jobs begin, if as many run at a
            time as the profile allows; without those that were not measured.
    """

    profile: Profile
    graphs: list[GraphTime]
    jobs: list[Job]
    at_once: int
    unit: Literal["GPU", "core"]
    units: int
    ends: dict[str, float]

    @property
    def hours(self) -> float:
        """GPU-hours or core-hours of the jobs that are measured."""
        return sum(map(self.hours_of, self.jobs))

    def hours_of(self, job: Job) -> float:
        """Those of one job; one of few cells takes a part of a machine, but whole GPUs of Slurm."""
        whole = self.unit == "GPU" and self.profile.engine == "slurm"
        share = 1.0 if whole else min(1.0, len(job.cells) / self.at_once)
        return (job.seconds or 0.0) * self.units * share / HOUR_S

    @property
    def left_s(self) -> float:
        return max(self.ends.values(), default=0.0)

    @property
    def unmeasured(self) -> list[GraphTime]:
        return [graph for graph in self.graphs if graph.throughput is None]


@dataclass(frozen=True)
class Kept:
    """
    What a results folder keeps of the machines of a profile.

    Args:
        at_once: cells at a time in a job; auto: what is best there.
        compiled: as `--compile` has it.
    """

    root: Path
    profile: Profile
    at_once: AtOnce
    threads: int
    compiled: bool | None

    def throughputs(self, cells: Sequence[Cell]) -> tuple[dict[str, Throughput], int]:
        """The throughput of each graph that has one, and how many cells train at a time."""
        kept = list_throughputs(self.root, self.profile.machines)
        spread = self.profile.ranks, self.profile.nodes_per_cell
        kept = [one for one in kept if (one.ranks, one.nodes) == spread]
        groups = group_by_graph(cells)
        copies = sorted({t.copies for t in kept}) if self.at_once == "auto" else [self.at_once]
        best: tuple[dict[str, Throughput], int] = {}, 1
        best_rank = (-1, 0.0)
        for n in copies:
            found = {
                key: one
                for key, (first, *_) in groups.items()
                if (one := self._find([t for t in kept if t.copies == n], key, first))
            }
            spent = sum(
                cell.recipe.epochs * found[key].epoch_s / n for key in found for cell in groups[key]
            )
            if (len(found), -spent) > best_rank:
                best, best_rank = (found, n), (len(found), -spent)
        return best

    def measure(self, cells: Sequence[Cell]) -> Measured:
        """How long each cell takes that was measured, by its id, and how many at a time."""
        known, at_once = self.throughputs(cells)
        seconds = {
            cell.id: calibration.cell_seconds(cell, one, self.root, self.compiled)
            for cell in cells
            if (one := known.get(graph_key(cell)))
        }
        return seconds, at_once

    def _find(self, kept: Sequence[Throughput], graph: str, cell: Cell) -> Throughput | None:
        """
        The throughput of a graph, of several kinds of nodes the slowest one's.

        Each kind's newest counts, and of other versions of torch only where there is no other.
        """
        fitting: dict[str, Throughput] = {}
        for one in kept:  # the newest first
            if one.graph == graph and one.threads == self.threads and self._compiles(cell, one):
                fitting.setdefault(one.environment, one)
        torch = f"torch {installed_version('torch')},"
        ours = [one for one in fitting.values() if torch in one.environment]
        return max(ours or fitting.values(), key=lambda one: one.epoch_s, default=None)

    def _compiles(self, cell: Cell, one: Throughput) -> bool:
        """Was it measured as the cell would train there, compiled or not?"""
        if one.compiled is None or self.compiled is not None:
            return one.compiled in {None, self.compiled}
        needed = cell.recipe.epochs * one.operations
        device = "cpu" if "cpu" in one.place else "cuda"
        return compile_policy.is_worth_compiling(needed, device)[0] == one.compiled


def estimate(plan: Plan, cells: Sequence[Cell], kept: Kept, options: JobOptions) -> Cost:
    """What these cells of a plan cost, in the jobs that `bench run --on` would submit."""
    profile = kept.profile
    known, at_once = kept.throughputs(cells)
    seconds, _ = kept.measure(cells)
    batches = replace(options, measure=kept.measure).pack(profile, cells)
    first_s = max((calibration.start_s(one) for one in known.values()), default=0.0)
    jobs = [_job(batch, seconds, at_once, first_s) for batch in batches]
    names = calibration.graph_names(plan)
    graphs = [
        GraphTime(names[key], group, known.get(key), "", sum(seconds.get(c.id, 0.0) for c in group))
        for key, group in group_by_graph(cells).items()
    ]
    gpus = profile.gpus_per_cell
    return Cost(
        profile=profile,
        graphs=graphs,
        jobs=jobs,
        at_once=at_once,
        unit="GPU" if gpus else "core",
        units=gpus or profile.cpus_per_cell * profile.ranks * at_once,
        ends=_ends([job for job in jobs if job.seconds is not None], profile.jobs),
    )


def _job(cells: list[Cell], seconds: Mapping[str, float], at_once: int, first_s: float) -> Job:
    """How long a job takes whose cells share its slots."""
    if any(cell.id not in seconds for cell in cells):
        return Job(cells, None, {})
    order = [cell.id for cell in cells]
    parents = calibration.parents_of(cells, order)
    times = compute_end_times([seconds[i] for i in order], at_once, first_s, parents)
    return Job(cells, max(times), dict(zip(order, times, strict=True)))


def _ends(jobs: Sequence[Job], at_a_time: int) -> dict[str, float]:
    """When each cell ends if so many jobs run at a time, in their order."""
    place = {cell.id: i for i, job in enumerate(jobs) for cell in job.cells}
    parents = {
        i: sorted(
            {
                place[parent.cell.id]
                for cell in job.cells
                for parent in cell.parents.values()
                if place.get(parent.cell.id, i) != i
            }
        )
        for i, job in enumerate(jobs)
    }
    times = compute_end_times([job.seconds or 0.0 for job in jobs], at_a_time, 0.0, parents)
    return {
        cell: end - (job.seconds or 0.0) + within
        for job, end in zip(jobs, times, strict=True)
        for cell, within in job.ends.items()
    }


def hours_in_words(hours: float, unit: str) -> str:
    """`12.5 GPU-hours`, `1,300 core-hours`."""
    return f"{hours:,.2f} {unit}-hours" if hours < SMALL else f"{hours:,.0f} {unit}-hours"
