"""Training loss and test accuracy by epoch, with bands over seeds."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.figures.intervals import BANDS, band, means
from bench.report.figures.panels import Panel, Runs, SuitePanels
from bench.report.figures.style import footnote, legend, logarithmic, sample, sheet, whole, within
from bench.results.record import Record

CAPTION = "Training loss and test accuracy after each epoch"
NEEDS = "no cell came to the end of an epoch"
STEEP = 50  # largest over smallest loss, from which the axis is logarithmic
WHAT = {"train_loss": "training loss", "test_acc": "test accuracy, %"}


def draw(suite: SuitePanels, panel: Panel) -> Figure | None:
    """Loss and accuracy side by side; a run that diverged stands alone, up to its end."""
    shown = [run for run in panel.everything if any(map(epochs, run.records))]
    if not shown:
        return None
    figure, [row] = sheet(suite.title(f"Training of {panel.title}"), 1, 2, (7.4, 3.1))
    for axes, (key, what) in zip(row, WHAT.items(), strict=True):
        for run in shown:
            _run(axes, run, key)
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        axes.margins(x=0.02)
        whole(axes)
    _scale(row[0], shown)
    within(row[1], 0, 100)
    legend(figure, {run.name: sample(run.style) for run in shown})
    lost = any(record.status == "diverged" for run in shown for record in run.records)
    crosses = "Thin lines that end in a cross: runs that diverged, in no mean" if lost else ""
    footnote(figure, suite.note(panel.recipe, BANDS, crosses))
    return figure


def epochs(record: Record) -> int:
    """How many came to their end."""
    return len(record.curves.get("train_loss", []))


def _run(axes: Axes, run: Runs, key: str) -> None:
    factor = 100 if key == "test_acc" else 1
    found = means([_values(record.curves.get(key, []), factor) for record in run.ended])
    if found:
        band(axes, run.style, range(1, len(found) + 1), found)
    for record in run.records:
        if record.status == "diverged" and (values := record.curves.get(key)):
            line = run.style.line(linewidth=0.6, marker="x", markevery=[-1])
            axes.plot(range(1, len(values) + 1), _values(values, factor), **line)


def _values(curve: Sequence[float], factor: float) -> list[float]:
    return [factor * value for value in curve]


def _scale(axes: Axes, shown: list[Runs]) -> None:
    losses = [x for run in shown for r in run.records for x in r.curves.get("train_loss", [])]
    if min(losses) > 0 and max(losses) > STEEP * min(losses):
        logarithmic(axes, "y")
    within(axes, 0, math.inf)
