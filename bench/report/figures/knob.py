"""The knob of every row's f as training turned it, and the accuracy on its way."""

from matplotlib.figure import Figure

from bench.base.finite import mean
from bench.report.figures.intervals import BANDS, band, means
from bench.report.figures.panels import Panel, Runs, SuitePanels
from bench.report.figures.style import footnote, legend, sample, sheet, whole, within
from bench.results.equilibrium import observed_layers

CAPTION = "The knob of f through training, and the accuracy on its way"
NEEDS = "no record holds a knob: no f has one, or `indicators: off`"


def draw(suite: SuitePanels, panel: Panel) -> Figure | None:
    """The knob of weights, and test accuracy beside it."""
    paths = [(run, knob(run)) for run in panel.runs]
    shown = [(run, found) for run, found in paths if any(any(curve) for curve in found)]
    if not shown:
        return None
    figure, [[left, right]] = sheet(suite.title(f"Knobs of {panel.title}"), 1, 2, (7.4, 3.1))
    for run, found in shown:
        accs = [[100 * acc for acc in record.curves["test_acc"]] for record in run.ended]
        for axes, curves in ((left, found), (right, accs)):
            estimates = means(curves)
            band(axes, run.style, range(1, len(estimates) + 1), estimates)
    for axes, what in ((left, "knob of f, of weights"), (right, "test accuracy, %")):
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        axes.margins(x=0.02)
        whole(axes)
    within(right, 0, 100)
    legend(figure, {run.name: sample(run.style) for run, _ in shown})
    text = "The knob at each epoch, of learned ones the mean over layers"
    footnote(figure, suite.note(panel.recipe, text, BANDS))
    return figure


def knob(run: Runs) -> list[list[float]]:
    """By seed, the knob at each epoch, mean over layers; 0 where f has none."""
    found: list[list[float]] = []
    for record in run.ended:
        layers = [layer.knob for _, layer in observed_layers(record, "W")]
        if layers:
            found.append([mean(values) for values in zip(*layers, strict=True)])
    return found
