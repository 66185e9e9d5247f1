"""The columns of what a network takes, and of what its row cost: time, memory, energy."""

from collections.abc import Callable
from typing import Any

from bench.leaderboard import resources
from bench.leaderboard.board import AnyRow
from bench.leaderboard.columns.column import Column
from bench.leaderboard.columns.values import of_measured, reasons


def _of_network(name: str) -> Callable[[AnyRow], Any]:
    return of_measured(lambda row: getattr(row.cost, name) if row.cost else None)


def _short(number: float) -> str:
    """Three digits of a count, and its thousands, millions or billions: 269,850 is 270k."""
    for power, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * power:
            return f"{number / power:.3g}{unit}"
    return str(number)


COSTS: list[Column] = [
    Column(
        key="parameters",
        value=_of_network("parameters"),
        group="cost",
        head="param.",
        write=_short,
        optional=True,
        about="Parameters of the network, those of a method that it trains beside not counted.",
        macro="Parameters",
    ),
    Column(
        key="size_bits",
        value=of_measured(lambda row: row.cost.bits(row.wa) if row.cost else None),
        group="cost",
        head="bits",
        write=_short,
        optional=True,
        about="Size of these parameters: weights of binary layers at the bits of W, others at 32.",
        macro="Bits",
    ),
    Column(
        key="binary_macs",
        value=_of_network("binary_macs"),
        group="cost",
        head="MACs, binary",
        write=_short,
        optional=True,
        note="MACs: multiply-accumulates of an image, in layers that are binary and in all others",
        about="Multiply-accumulates of an image in layers that are binary, each product once.",
        macro="BinaryMacs",
    ),
    Column(
        key="real_macs",
        value=_of_network("real_macs"),
        group="cost",
        head="MACs, real",
        write=_short,
        optional=True,
        about="Multiply-accumulates of an image in all other layers.",
        macro="RealMacs",
    ),
    Column(
        key="images_per_s",
        value=of_measured(lambda row: row.resources.images_per_s),
        group="cost",
        head="images/s",
        write="{:,.0f}".format,
        downward=True,
        note="images/s: training alone, with whatever else the machine did",
        about="Throughput in training alone, with whatever else the machine did.",
        macro="Speed",
        of_seed=lambda seed: seed.record.images_per_s or None,
        source="`images_per_s`",
    ),
    Column(
        key="step_ratio",
        value=of_measured(lambda row: row.resources.step_ratio),
        group="cost",
        head="step/STE",
        write="{:.2f}".format,
        optional=True,
        note="step/STE: the time of a step, STE's on the same seed and machine being 1, "
        "geometric mean over seeds, as rough as images/s",
        about="The time of a step beside STE's on the same seed, where both were measured alike: "
        "geometric mean over seeds, as rough as images/s.",
        macro="Step",
        of_seed=lambda seed: resources.step_ratio(seed.record, seed.ste) if seed.ste else None,
        source="`images_per_s` of STE's cell of the seed over its own, their mean geometric",
    ),
    Column(
        key="unlike",
        value=of_measured(lambda row: row.resources.unlike, {}),
        flat=reasons,
        about="Seeds left out of step/STE, by what was not alike.",
    ),
    Column(
        key="peak_mib",
        value=of_measured(lambda row: row.resources.peak_mib),
        group="cost",
        head="peak, MiB",
        write="{:,.0f}".format,
        optional=True,
        note="peak: the most memory, of a GPU's tensors or else of the whole process",
        about="Memory of the seed that took most: of a GPU's tensors, else of the process.",
        macro="Peak",
        of_seed=lambda seed: seed.record.peak_mib or None,
        source="`peak_mib`, printed the highest",
    ),
    Column(
        key="energy_j",
        value=of_measured(lambda row: row.resources.energy_j),
        group="cost",
        head="kJ",
        write=lambda joules: f"{joules / 1000:,.2f}",
        optional=True,
        note="kJ: all that the GPU took for a cell, its stages and its teacher, each alone on it, "
        "mean over seeds",
        about="All that the GPU took for a cell, its stages and its teacher, each alone on it: "
        "mean over seeds.",
        macro="Energy",
        of_seed=lambda seed: resources.chain_cost(seed.record.cell, seed.known).energy_j,
        source="`energy_j` of every process that trained",
    ),
]
