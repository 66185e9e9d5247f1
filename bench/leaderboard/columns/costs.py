"""The columns of what a row cost: time, memory, energy."""

from bench.leaderboard import resources
from bench.leaderboard.columns.column import Column
from bench.leaderboard.columns.values import of_measured, reasons

COSTS: list[Column] = [
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
