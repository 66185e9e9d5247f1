"""
Measures graphs as a run would train them, in processes of their own and side by side.

One copy for each slot trains at once, on the first rows of the cell's data, and all begin together
the steps that are timed: what a copy gets of the machine is what a cell of the run gets.
"""

import math
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from bench.base.machine import cores
from bench.data.dataset import Dataset, silent
from bench.data.source import data_folder
from bench.errors import BenchError
from bench.execution.job import Job, Slot
from bench.execution.link import RunLink
from bench.execution.rank_processes import joined
from bench.registry import ESTIMATORS, add_folders
from bench.spec.cell import Cell
from bench.speed import throughput
from bench.speed.processes import ProcessFailed, run_at_once
from bench.speed.step_time import StepTimes, follow_steps, time_steps
from bench.speed.throughput import Throughput
from bench.train import compile_policy, determinism, model, parents, trainer
from bench.train.devices import move_network
from bench.train.ranks import Ranks
from bench.train.resource_meter import resident_mib

STEPS, WARMUP = 20, 3
TEST_ROWS = 2 * trainer.EVAL_BATCH  # that are evaluated; the rest takes as long for each image


class Unmeasured(BenchError):
    """A graph has no throughput, and why."""


@dataclass(frozen=True)
class CopyTask:
    """One copy; small, and pickled across processes."""

    cell: Cell
    slot: Slot
    data: Path | None
    plugins: tuple[Path, ...]
    compiled: bool | None
    workers: int
    asked: float  # when, by the clock that never jumps


@dataclass(frozen=True)
class CopyMeasurement:
    """What one copy measured; memory in MiB."""

    steps: StepTimes
    images_per_s: float
    epoch_s: float
    start_s: float
    host_mib: float
    reserved_mib: float
    free_mib: float | None
    compiled: bool = False
    operations: float = 0.0


@dataclass(frozen=True)
class Measurer:
    """
    Measures for one run, and keeps what it measured under `root`.

    Args:
        workers: decoding threads of a copy; None: all copies share the cores.
        report: told what is measured, where nothing is kept.
        settled: measure nothing more, and take what is known, whatever it was compiled by.
        machines: of a profile, for which it is kept apart.
    """

    root: Path
    data: Path | None
    compiled: bool | None = None
    workers: int | None = None
    report: Callable[[str], None] = silent
    settled: bool = False
    machines: str = ""
    _known: dict[tuple[str, str, str], Throughput] = field(default_factory=dict[Any, Throughput])
    _failed: dict[tuple[str, str], str] = field(default_factory=dict[Any, str])

    def measure(self, cell: Cell, slots: Sequence[Slot]) -> Throughput:
        """
        How fast the cell's graph trains in each of these slots, all of them busy with it.

        Raises:
            Unmeasured: it cannot be trained, or not in so many copies.
        """
        place = throughput.describe_devices(map(_place, slots))
        graph = throughput.graph_key(cell)
        for compiled in (False, True) if self.compiled is None else (self.compiled,):
            environment = _environment(slots[0], compiled)
            known = self._known.get((graph, place, environment))
            known = known or throughput.load_throughput(
                self.root, graph, place, environment, self.machines
            )
            if known and (self.settled or self._compiles(cell, known, slots[0]) == compiled):
                return known
        if problem := self._failed.get((graph, place)):
            raise Unmeasured(problem)
        if self.settled:
            message = "nobody measured it"
            raise Unmeasured(message)
        self.report(f"measuring {cell.name.rpartition('-')[0]}: {place}")
        try:
            copies = measure_copies([self._task(cell, slot, len(slots)) for slot in slots])
        except Unmeasured as error:
            self._failed[graph, place] = str(error)
            raise
        environment = _environment(slots[0], copies[0].compiled)
        names = {"graph": graph, "place": place, "environment": environment}
        names["machines"] = self.machines
        threads, nodes = slots[0].threads, 1 + len(slots[0].others)
        ranks = nodes * (1 + len(slots[0].beside))
        measured = _combine(copies, threads=threads, ranks=ranks, nodes=nodes, **names)
        self._known[graph, place, environment] = measured
        throughput.save_throughput(self.root, measured)
        return measured

    def _compiles(self, cell: Cell, throughput: Throughput, slot: Slot) -> bool:
        """Would the cell compile, whose epochs take as many operations as they did?"""
        if self.compiled is None:
            operations = cell.recipe.epochs * throughput.operations
            return compile_policy.is_worth_compiling(operations, slot.device)[0]
        return self.compiled

    def _task(self, cell: Cell, slot: Slot, slots: int) -> CopyTask:
        workers = max(1, cores() // slots) if self.workers is None else self.workers
        plugins = tuple(ESTIMATORS.folders)
        return CopyTask(cell, slot, self.data, plugins, self.compiled, workers, time.monotonic())


def measure_copies(tasks: Sequence[CopyTask]) -> list[CopyMeasurement]:
    """
    Measure in a process for each task, all at once.

    Raises:
        Unmeasured: one of them failed, which ended the others.
    """
    try:
        return run_at_once(measure_copy, tasks)
    except ProcessFailed as failed:
        raise Unmeasured(str(failed)) from None


def measure_copy(task: CopyTask, ready: Callable[[], object]) -> CopyMeasurement:
    """Measure one copy in this process and those beside it; `ready` waits for other copies."""
    slot = task.slot
    job = Job(
        cell=task.cell, root=Path(), device=slot.device, threads=slot.threads,
        workers=task.workers, compiled=task.compiled, data=task.data or data_folder(),
        plugins=task.plugins, argv=(), checkpoint_s=math.inf, beside=slot.beside,
        others=slot.others,
    )  # fmt: skip
    with joined(job, RunLink(), follow_copy) as ranks:
        return _measure(task, job, ready, ranks)


def follow_copy(job: Job, ranks: Ranks) -> None:
    """Be a process beside the one that measures a copy."""
    built, _, part = _build(job)
    compiled = ranks.told(False)
    follow_steps(built, part, job.cell.recipe, ranks, steps=STEPS, warmup=WARMUP, compiled=compiled)


def _build(job: Job) -> tuple[model.Model, Dataset, Dataset]:
    """The network of a copy, its data, and the part of these that is trained on."""
    device = torch.device(job.device)
    torch.set_num_threads(job.threads)
    add_folders(job.plugins)
    whole = model.load_dataset(job.cell, job.data).to(device, job.workers)
    built = parents.build(job.cell, None)
    move_network(built.net, device)
    if built.teacher:
        move_network(built.teacher, device)
    return built, whole, _part(whole, job.cell.recipe.batch_size)


def _measure(
    task: CopyTask, job: Job, ready: Callable[[], object], ranks: Ranks
) -> CopyMeasurement:
    """The same in the process that leads."""
    device = torch.device(job.device)
    built, whole, part = _build(job)
    start_s = time.monotonic() - task.asked
    operations, compiled = compile_policy.count_operations(task.cell, whole), task.compiled
    if compiled is None:
        compiled, _ = compile_policy.is_worth_compiling(
            task.cell.recipe.epochs * operations, task.slot.device
        )
    found = time_steps(
        built, part, task.cell.recipe, steps=STEPS, warmup=WARMUP,
        compiled=ranks.told(compiled), ready=ready, ranks=ranks,
    )  # fmt: skip
    images_per_s = found.batch * len(found.seconds) / sum(found.seconds)  # others' turns included
    rest = whole.sizes["test"] - part.sizes["test"]
    each_s = _evaluation_s(built, part) / ranks.size if rest else 0.0
    end_s = fmean(found.ends) + rest * each_s
    gpu = device.type == "cuda"
    return CopyMeasurement(
        steps=found,
        images_per_s=images_per_s,
        epoch_s=whole.sizes["train"] / images_per_s + end_s,
        start_s=start_s,
        host_mib=resident_mib(),
        reserved_mib=torch.cuda.max_memory_reserved(device) / 2**20 if gpu else 0.0,
        free_mib=torch.cuda.mem_get_info(device)[0] / 2**20 if gpu else None,
        compiled=compiled,
        operations=operations,
    )


def _part(data: Dataset, batch: int) -> Dataset:
    """The first rows: an epoch of no more steps than are to be taken, and a short evaluation."""
    rows = [(STEPS + WARMUP) * batch, TEST_ROWS]
    train, test = (min(n, data.sizes[s]) for n, s in zip(rows, ("train", "test"), strict=True))
    return data.select(data.label, torch.arange(train), torch.arange(test))


def _evaluation_s(built: model.Model, data: Dataset) -> float:
    """Seconds that an image of the test split takes."""
    began = time.perf_counter()
    trainer.accuracy(built.net, data)  # which waits for the device
    return (time.perf_counter() - began) / data.sizes["test"]


def _environment(slot: Slot, compiled: bool) -> str:
    return determinism.describe_environment(slot.device, slot.threads, compiled)


def _place(slot: Slot) -> str:
    """The devices of a copy, which are named alike on each of its nodes."""
    over = f" on {1 + len(slot.others)} nodes" if slot.others else ""
    return "+".join((slot.device, *slot.beside)) + over


def _combine(copies: Sequence[CopyMeasurement], **names: Any) -> Throughput:
    """Combine what the copies measured."""
    free = [copy.free_mib for copy in copies if copy.free_mib is not None]
    return Throughput(
        **names,
        host=platform.node(),
        cores=cores(),
        compiled=copies[0].compiled,
        copies=len(copies),
        images_per_s=fmean(copy.images_per_s for copy in copies),
        epoch_s=fmean(copy.epoch_s for copy in copies),
        start_s=max(copy.start_s for copy in copies),
        first_s=max(copy.steps.first_s for copy in copies),
        mib=max(copy.steps.peak_mib for copy in copies),
        host_mib=max(copy.host_mib for copy in copies),
        reserved_mib=max(copy.reserved_mib for copy in copies),
        free_mib=min(free, default=None),
        operations=copies[0].operations,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
