"""
Packing: how many cells train at once on a device, and with how many threads, by what is measured.

On a GPU copies of the graph that takes longest are doubled while all of them fit into memory and
together are faster by a tenth. On a CPU threads per cell are weighed against cells.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from bench.base import machine
from bench.execution.job import Slot
from bench.spec.cell import Cell
from bench.speed.measure import Measurer, Unmeasured
from bench.speed.slots import SlotOptions, lay_out_slots
from bench.speed.throughput import Throughput, group_by_graph

MOST = 16  # cells on one GPU
GAIN = 1.1  # in throughput, for which twice the cells are worth their memory
CONTEXT_MIB = 1024  # of a GPU, that a process takes beside its tensors
MARGIN = 0.05  # of what is free stays so


def choose_slots(
    options: SlotOptions, cells: Sequence[Cell], measurer: Measurer
) -> tuple[Slot, ...]:
    """
    The slots that the options ask for; how many a GPU has is measured where they say auto.

    Args:
        cells: that are left to run.

    Raises:
        EnvironmentProblem: a GPU is asked for that is not there.
        UsageError: `per_gpu` is given where cells run on the CPU.
    """
    if options.per_gpu != "auto":
        return lay_out_slots(options)
    first, *_ = lay_out_slots(options)
    best = best_per_gpu(cells, first, measurer)
    return lay_out_slots(replace(options, per_gpu=best))


def best_per_gpu(cells: Sequence[Cell], slot: Slot, measurer: Measurer, most: int = MOST) -> int:
    """How many cells at once are best on the device of `slot`; 1 where nothing can be measured."""
    alone: list[tuple[Throughput, Cell]] = []
    for first, *_ in group_by_graph(cells).values():
        with suppress(Unmeasured):
            alone.append((measurer.measure(first, (slot,)), first))
    if not alone:
        return 1
    slowest = max(alone, key=lambda pair: pair[0].epoch_s)[1]
    fitting = min(
        count_fitting_copies(throughput, machine.memory() / 2**20) for throughput, _ in alone
    )

    def measure(n: int) -> float | None:
        try:
            return measurer.measure(slowest, (slot,) * n).total
        except Unmeasured:
            return None

    return double_while_it_pays(measure, min(most, len(cells), fitting))


def double_while_it_pays(measure: Callable[[int], float | None], most: int) -> int:
    """
    How many copies to train at once, 1, 2, 4, ...: twice as many are not worth it.

    Args:
        measure: images a second of so many copies together; None if they cannot be trained.
        most: for which there is memory.
    """
    n, best = 1, measure(1)
    while best and 2 * n <= most:
        more = measure(2 * n)
        if more is None or more < GAIN * best:
            break
        n, best = 2 * n, more
    return n


def count_fitting_copies(alone: Throughput, host_free_mib: float) -> int:
    """
    For how many copies there is memory, by the throughput of one that trained alone.

    Args:
        host_free_mib: memory of the host with no copy in it.
    """
    n = host_free_mib * (1 - MARGIN) / alone.host_mib
    if alone.free_mib is not None:
        more = alone.free_mib * (1 - MARGIN) / (alone.reserved_mib + CONTEXT_MIB)
        n = min(n, 1 + more)
    return int(n)


def list_cpu_layouts(cores: int) -> list[tuple[Slot, ...]]:
    """Ways to share the cores: few cells with many threads, or many with few."""
    threads = [2**k for k in range(cores.bit_length())]
    return [(Slot("cpu", n),) * (cores // n) for n in threads]


def measure_cpu_layouts(
    cell: Cell, ways: Iterable[tuple[Slot, ...]], measurer: Measurer
) -> list[Throughput]:
    """The cell's throughput in each way to share the CPU, the fastest as a whole first."""
    throughputs: list[Throughput] = []
    for way in ways:
        with suppress(Unmeasured):
            throughputs.append(measurer.measure(cell, way))
    return sorted(throughputs, key=lambda throughput: -throughput.total)
