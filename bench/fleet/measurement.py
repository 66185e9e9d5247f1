"""How fast graphs train on machines of a profile: one short job measures each graph once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.base import signals
from bench.base.console import print_text
from bench.base.files import write_file
from bench.base.text import count
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem
from bench.execution.job import OtherNode, Slot
from bench.fleet.batch import Batch
from bench.fleet.engine import Engine
from bench.fleet.plugin_copies import copy_plugins
from bench.fleet.profile import Profile
from bench.fleet.trial import short_jobs
from bench.fleet.trial.short_jobs import ShortJobs
from bench.registry import add_folders
from bench.spec.cell import Cell
from bench.speed import packing
from bench.speed.measure import Measurer, Unmeasured
from bench.speed.slots import SlotOptions
from bench.speed.throughput import Throughput, save_throughput

DONE = "measured"


class Measured(Frozen):
    """What a job measured, or why it did not, by the cell's id."""

    throughputs: list[Throughput] = []
    problems: dict[str, str] = {}


def measure(batch: Batch, out: Console, others: tuple[OtherNode, ...] = ()) -> int:
    """
    Measure the graphs of a batch on this node, as many of each at once as jobs train here.

    Args:
        others: nodes over which a cell is spread beside this one.

    Returns the job's exit code; a job that is told to end does so, and never runs again.

    Raises:
        EnvironmentProblem: no such device, or the folder cannot be written.
    """
    add_folders(batch.plugins)
    try:
        throughputs: list[Throughput] = []
        problems: dict[str, str] = {}
        slots, measurer = choose_slots(batch, batch.cells, out)
        slots = tuple(replace(slot, others=others) for slot in slots)
        for cell in batch.cells:
            try:
                throughputs.append(measurer.measure(cell, slots))
            except Unmeasured as problem:
                problems[cell.id] = str(problem)
        told = Measured(throughputs=throughputs, problems=problems)
        write_file(short_jobs.folder_of(batch) / DONE, told.model_dump_json())
    except signals.Stopped as stopped:
        return 128 + stopped.number
    return 0


def choose_slots(
    batch: Batch, cells: Sequence[Cell], out: Console
) -> tuple[tuple[Slot, ...], Measurer]:
    """Where the cells of a batch run on this node, and who measures there."""

    def report(text: str) -> None:
        print_text(out, text)

    measurer = Measurer(
        batch.root, batch.data, batch.compiled, batch.workers, report, machines=batch.machines
    )
    options = SlotOptions(
        batch.device, None, batch.jobs, batch.threads, batch.slots_per_gpu,
        batch.ranks // batch.nodes,
    )  # fmt: skip
    return packing.choose_slots(options, cells, measurer), measurer


def calibrate(
    engine: Engine,
    profile: Profile,
    root: Path,
    data: Path,
    cells: Sequence[Cell],
    wait_s: float,
    report: Callable[[str], None],
    how: Mapping[str, Any],
) -> Measured:
    """
    Have one short job measure the graphs of these cells; what it measured is kept in `root`.

    Args:
        cells: one of each graph.
        how: fields of the job's batch: device, slots_per_gpu, jobs, threads, compiled, workers.

    Raises:
        EnvironmentProblem: the engine is not there or refuses, or the job measured nothing.
    """
    jobs = ShortJobs(engine, profile, "measure", root, data)
    try:
        plugins = [(profile.results or root) / path for path in copy_plugins(root)]
        job = jobs.submit(cells=cells, machines=profile.machines, plugins=plugins, **how)
        report(f"job {job} is to measure {count(len(cells), 'graph')}")
        run_s = profile.time_s or 86400.0
        measured, state = jobs.wait(job, DONE, Measured, wait_s, run_s)
    finally:
        jobs.clear()
    if measured is None:
        message = f"--calibrate: job {job} measured nothing ({short_jobs.words(state)})"
        raise EnvironmentProblem(message)
    for throughput in measured.throughputs:
        save_throughput(root, throughput)
    return measured
