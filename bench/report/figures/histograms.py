"""How the errors sign(w) - f(w) and the gradients of binary weights are distributed."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bench.report.figures.panels import Panel, Runs, SuitePanels
from bench.report.figures.style import footnote, legend, logarithmic, shades, sheet
from bench.results.equilibrium import observed_layers
from bench.results.record import Histogram

CAPTION = "Distribution of gradients and errors of binary weights through training"
NEEDS = 'no record holds histograms; `bench run SUITE "train.histograms=[0, 9]"` keeps them'
BINS = 96
APART = 4  # of ranges in a column, beyond which each has its own axis
WHAT = {"gradient": "gradient dL/dw", "error": "error sign(w) - f(w)"}
Edges: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]
Kept: TypeAlias = dict[tuple[str, int], list[Histogram]]  # by quantity and epoch


def draw(suite: SuitePanels, panel: Panel) -> Figure | None:
    """A row for each estimator, a line for each epoch that was kept."""
    kept = [(run, histograms(run)) for run in panel.runs]
    shown = [(run, found) for run, found in kept if found]
    quantities = [q for q in WHAT if any(q in {key[0] for key in found} for _, found in shown)]
    if not shown:
        return None
    epochs = sorted({epoch for _, found in shown for _, epoch in found})
    colours = dict(zip(epochs, shades(len(epochs)), strict=True))
    size = (1.4 + 3 * len(quantities), 1.0 + 1.35 * len(shown))
    figure, rows = sheet(
        suite.title(f"Weights of {panel.title}"), len(shown), len(quantities), size
    )
    for number, quantity in enumerate(quantities):
        ranges = [_range(found, quantity) for _, found in shown]
        common = _common([r for r in ranges if r])
        for row, (_, found), own in zip(rows, shown, ranges, strict=True):
            _axes(row[number], found, quantity, colours, common or own)
        rows[-1][number].set_xlabel(WHAT[quantity])
    for row, (run, _) in zip(rows, shown, strict=True):
        row[0].set_ylabel("share of weights", fontsize=6.5)
        row[0].set_title(run.name, fontweight="bold")
    legend(figure, {f"epoch {e + 1}": Line2D([], [], color=c) for e, c in colours.items()})
    text = f"All binary weights of all seeds, in {BINS} bins from the records' 64 a layer"
    footnote(figure, suite.note(panel.recipe, text))
    return figure


def histograms(run: Runs) -> Kept:
    """What the seeds' layers kept of weights."""
    found: Kept = {}
    for record in run.records:
        for _, layer in observed_layers(record, "W"):
            for histogram in layer.histograms:
                found.setdefault((histogram.quantity, histogram.epoch), []).append(histogram)
    return found


def shares(kept: Sequence[Histogram], edges: Edges) -> list[float]:
    """The part of all values in each bin; a record's bin counts as evenly filled."""
    total = np.zeros(len(edges) - 1)
    for histogram in kept:
        low, high, counts = histogram.low, histogram.high, histogram.counts
        if low == high:
            place = int(np.clip(np.searchsorted(edges, low, "right") - 1, 0, len(total) - 1))
            total[place] += sum(counts)
            continue
        own = np.linspace(low, high, len(counts) + 1)
        total += np.diff(np.interp(edges, own, np.concatenate([[0], np.cumsum(counts)])))
    return list(total / max(1.0, float(total.sum())))


def _range(found: Kept, quantity: str) -> tuple[float, float] | None:
    kept = [h for (q, _), listed in found.items() if q == quantity for h in listed]
    if not kept:
        return None
    low, high = min(h.low for h in kept), max(h.high for h in kept)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _common(ranges: list[tuple[float, float]]) -> tuple[float, float] | None:
    """One range for all, where none of them would be lost in it."""
    widths = [high - low for low, high in ranges]
    if max(widths) > APART * min(widths):
        return None
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _axes(
    axes: Axes,
    found: Kept,
    quantity: str,
    colours: dict[int, str],
    span: tuple[float, float] | None,
) -> None:
    if span is None:
        axes.set_axis_off()
        return
    edges = np.linspace(*span, BINS + 1)
    most = 1
    for epoch, colour in colours.items():
        if kept := found.get((quantity, epoch)):
            most = max(most, sum(sum(histogram.counts) for histogram in kept))
            axes.stairs(shares(kept, edges), edges, color=colour, linewidth=1, baseline=None)
    logarithmic(axes, "y")
    axes.set_ylim(0.5 / most, 2)
    axes.xaxis.set_major_locator(MaxNLocator(6))
