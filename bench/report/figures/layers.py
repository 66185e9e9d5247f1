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
GAP = 0.14  # above a map, of its height: its name
OF: dict[Role, str] = {"W": "weights", "A": "activations"}


def draw(suite: SuitePanels, panel: Panel) -> Figure | None:
    """A row for each estimator; a column shares one scale of colour."""
    every: list[tuple[Role, int]] = [(role, i) for role in OF for i in (0, 1)]
    found = [[grid(run, suite.definition, *column) for column in every] for run in panel.runs]
    columns = [at for at in range(len(every)) if any(grids[at] for grids in found)]
    shown = [(run, grids) for run, grids in zip(panel.runs, found, strict=True) if any(grids)]
    if not shown:
        return None
    size = (0.9 + 2.1 * len(columns), 1.1 + 1.35 * len(shown))
    figure, [places] = sheet(suite.title(f"Layers of {panel.title}"), 1, len(columns), size)
    for axes, column in zip(places, columns, strict=True):
        role, index = every[column]
        grids = [of_run[column] for _, of_run in shown]
        scale = _scale([found for found in grids if found], logarithmic=index == 1)
        _column(axes, grids, scale, named=axes is places[0])
        axes.set_title(f"{'es'[index]} of {OF[role]}")
        _bar(figure, axes, scale)
    for number, (run, _) in enumerate(shown):
        where: Traits = {"transform": places[0].get_yaxis_transform(), "fontweight": "bold"}
        places[0].text(0, number + GAP - 0.02, run.name, va="bottom", fontsize=7, **where)
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


def _column(axes: Axes, grids: list[Grid | None], scale: Normalize, *, named: bool) -> None:
    """One map below the other: axes of their own would cost ten times as long."""
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    places: dict[float, str] = {}
    epochs = 0
    for number, found in enumerate(grids):
        if found is None:
            continue
        names, rows = found
        values = np.array(rows, dtype=float)
        if isinstance(scale, LogNorm):
            values[values <= 0] = math.nan
        epochs = max(epochs, values.shape[1])
        top, height = number + GAP, (1 - GAP) / len(names)
        extent = (0.5, values.shape[1] + 0.5, number + 1, top)
        traits: Traits = {"aspect": "auto", "interpolation": "none"}  # small, sharp at any size
        axes.imshow(values, cmap=MAP, norm=scale, extent=extent, **traits)
        ticks = range(len(names)) if len(names) <= NAMED else (0, len(names) - 1)
        places |= {top + (i + 0.5) * height: label(names[i]) for i in ticks if named}
    axes.set_xlim(0.5, epochs + 0.5)
    axes.set_ylim(len(grids), 0)
    axes.set_yticks([*places], [*places.values()], fontsize=5.5)
    axes.set_xlabel("epoch")
    whole(axes)


def _bar(figure: Figure, column: Axes, scale: Normalize) -> None:
    bar = figure.colorbar(
        ScalarMappable(scale, MAP), ax=column, location="bottom", format=FuncFormatter(power),
        aspect=18, shrink=0.9, pad=0.02, extend="both",
    )  # fmt: skip
    bar.ax.tick_params(labelsize=6)
    bar.ax.minorticks_off()
