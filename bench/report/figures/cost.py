"""Accuracy against what it costs: time of training, and the memory of the trained weights."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.leaderboard.stats.intervals import estimate
from bench.report.figures.intervals import whisker
from bench.report.figures.panels import Panel, Runs, SuitePanels
from bench.report.figures.style import (
    GREY,
    Traits,
    footnote,
    legend,
    logarithmic,
    sample,
    sheet,
    within,
)
from bench.results.equilibrium import observed_layers

CAPTION = "Accuracy against cost, and the rows that none beats in both"
NEEDS = "no cell came to its end with a throughput"
FRONT: Traits = {"color": GREY, "linestyle": (0, (2, 1.5)), "linewidth": 0.9, "zorder": 1}


def draw(suite: SuitePanels, panel: Panel) -> Figure | None:
    """A point for each row; the front is of those that no row beats in accuracy and cost."""
    shown = [run for run in panel.everything if run.acc and milliseconds(run)]
    if not shown:
        return None
    sizes = {kibibytes(run) for run in shown}
    kinds = [("training, ms per image", milliseconds)]
    if len(sizes - {None}) > 1:
        kinds.append(("trained weights, KiB", kibibytes))
    if any(map(kilojoules, shown)):
        kinds.append(("training, kJ", kilojoules))
    size = (2.0 + 2.9 * len(kinds), 3.1)
    figure, [row] = sheet(
        suite.title(f"Accuracy and cost of {panel.title}"), 1, len(kinds), size, sharey=True
    )
    for axes, (what, cost) in zip(row, kinds, strict=True):
        _draw(axes, shown, cost)
        axes.set_xlabel(what)
    within(row[0], 0, 100)
    row[0].set_ylabel("test accuracy, %")
    front = {"not beaten": Line2D([], [], **FRONT)}
    points = {run.name: sample(run.style, linestyle="none") for run in shown}
    legend(figure, points | front)
    machines = {r.provenance.device for run in shown for r in run.ended}
    text = (
        f"Time: measured in training on {', '.join(sorted(machines))}, with whatever else the "
        "machine did. Weights: one bit where binary, else 32. Bars: 95 % t intervals over seeds"
    )
    footnote(figure, suite.note(panel.recipe, text))
    return figure


def milliseconds(run: Runs) -> float | None:
    """Of training, for an image: the mean over seeds."""
    found = estimate([1000 / r.images_per_s for r in run.ended if r.images_per_s])
    return found.mean if found else None


def kilojoules(run: Runs) -> float | None:
    """That a GPU took for a cell and all that it rests on: the mean over seeds."""
    found = run.row.resources.energy_j
    return found / 1000 if found else None


def kibibytes(run: Runs) -> float | None:
    """What the trained weights take, binary ones in one bit; None if not known which are."""
    record = run.ended[0]
    binary = sum(layer.n[-1] for _, layer in observed_layers(record, "W"))
    if not record.parameters or (record.cell.weights and not binary):
        return None
    return (4 * (record.parameters - binary) + binary / 8) / 1024


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of points (cost, accuracy) those that no other beats in one and equals in the other."""
    kept: list[tuple[float, float]] = []
    for cost, acc in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or acc > kept[-1][1]:
            kept.append((cost, acc))
    return kept


def _draw(axes: Axes, shown: list[Runs], cost: Callable[[Runs], float | None]) -> None:
    points: list[tuple[float, float]] = []
    for run in shown:
        if run.acc and (x := cost(run)) is not None:
            points.append((x, run.acc.mean))
            axes.errorbar(x, run.acc.mean, whisker(run.acc), **run.style.point())
    best = front(points)
    axes.step([x for x, _ in best], [y for _, y in best], where="post", **FRONT)
    costs = [x for x, _ in points]
    if max(costs) > 5 * min(costs):
        logarithmic(axes, "x")
