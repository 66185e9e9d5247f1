"""e and s of every layer and epoch as heat maps, weights and activations apart."""

import math
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.base.finite import mean
from bench.report.figures.panels import Panel, Runs, SuitePanels
from bench.report.figures.style import MAP, Traits, footnote, label, power, sheet, whole
from bench.results.equilibrium import has_f, observed_layers, series
from bench.spec.cell import Role
from bench.spec.choices import Definition

CAPTION = "e and s of every binary layer through training"
NEEDS = "no record holds indicators: nothing is binary, or `indicators: off`"
Grid: TypeAlias = tuple[list[str], list[list[float]]]  # layers, and a value for each epoch
NAMED = 12  # layers that have room for their names
OF: dict[Role, str] = {"W": "weights", "A": "activations"}


def draw(suite: SuitePanels, panel: Panel) -> Figure | None:
    """A row for each estimator; a column shares one scale of colour."""
    columns: list[tuple[Role, int]] = [(role, i) for role in OF for i in (0, 1)]
    columns = [c for c in columns if any(grid(run, suite.definition, *c) for run in panel.runs)]
    shown = [run for run in panel.runs if any(grid(run, suite.definition, *c) for c in columns)]
    if not shown:
        return None
    size = (0.9 + 2.1 * len(columns), 1.1 + 1.35 * len(shown))
    title = suite.title(f"Layers of {panel.title}")
    figure, rows = sheet(title, len(shown), len(columns), size, sharex=True)
    for number, (role, index) in enumerate(columns):
        grids = [grid(run, suite.definition, role, index) for run in shown]
        scale = _scale([found for found in grids if found], logarithmic=index == 1)
        for row, found in zip(rows, grids, strict=True):
            _map(row[number], found, scale, named=number == 0)
        rows[0][number].set_title(f"{'es'[index]} of {OF[role]}")
        rows[-1][number].set_xlabel("epoch")
        whole(rows[-1][number])
        _bar(figure, [row[number] for row in rows], scale)
    for row, run in zip(rows, shown, strict=True):
        row[0].set_ylabel("\n".join(run.name.split("(", 1)), fontweight="bold")
    text = (
        f"`{suite.definition}` definition, means over seeds; the first layer on top. A column "
        "shares its colours, from the 5th to the 95th percentile; blank: not recorded, or 0 on a "
        "logarithmic scale"
    )
    footnote(figure, suite.note(panel.recipe, text))
    return figure


def grid(run: Runs, how: Definition, role: Role, index: int) -> Grid | None:
    """e (index 0) or s (1) by layer and epoch, means over the seeds that came to their end."""
    found: dict[str, list[list[float]]] = {}
    for record in run.ended:
        for name, layer in observed_layers(record, role):
            if index == 0 and not has_f(layer):
                continue
            found.setdefault(name, []).append(series(layer, how)[index])
    if not found:
        return None
    return [*found], [[mean(v) for v in zip(*curves, strict=True)] for curves in found.values()]


def _scale(grids: list[Grid], *, logarithmic: bool) -> Normalize:
    """From the 5th to the 95th percentile, so that one estimator that explodes hides no other."""
    values = [v for _, rows in grids for row in rows for v in row if v > 0 or not logarithmic]
    low, high = (float(x) for x in np.quantile(values or [1.0], (0.05, 0.95)))
    if logarithmic:
        low = max(low, 1e-200)  # below it matplotlib takes both ends for 0
        return LogNorm(low, max(high, low * 10))
    return Normalize(low, high if high > low else low + 1)


def _map(axes: Axes, found: Grid | None, scale: Normalize, *, named: bool) -> None:
    axes.grid(visible=False)
    if found is None:
        axes.set_axis_off()
        return
    names, rows = found
    values = np.array(rows, dtype=float)
    if isinstance(scale, LogNorm):
        values[values <= 0] = math.nan
    extent = (0.5, values.shape[1] + 0.5, len(names) - 0.5, -0.5)
    traits: Traits = {"aspect": "auto", "interpolation": "none"}  # small, and sharp at any size
    axes.imshow(values, cmap=MAP, norm=scale, extent=extent, **traits)
    ticks = range(len(names)) if len(names) <= NAMED else (0, len(names) - 1)
    axes.set_yticks(ticks, [label(names[i]) if named else "" for i in ticks], fontsize=5.5)


def _bar(figure: Figure, column: list[Axes], scale: Normalize) -> None:
    bar = figure.colorbar(
        ScalarMappable(scale, MAP), ax=column, location="bottom", format=FuncFormatter(power),
        aspect=18, shrink=0.9, pad=0.02, extend="both",
    )  # fmt: skip
    bar.ax.tick_params(labelsize=6)
    bar.ax.minorticks_off()
