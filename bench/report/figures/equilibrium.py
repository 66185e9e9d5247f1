"""The equilibrium: estimating error e, gradient instability s, and the accuracy they lead to."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.base.finite import mean
from bench.report.figures.intervals import whisker
from bench.report.figures.panels import Panel, Runs, SuitePanels, no_f
from bench.report.figures.style import broken, footnote, legend, logarithmic, sample, sheet, within
from bench.results.equilibrium import has_f, observed_layers, series
from bench.results.record import Record
from bench.spec.choices import Definition

CAPTION = "Estimating error e, gradient instability s and accuracy of each row"
NEEDS = "no record holds indicators: nothing is binary, or `indicators: off`"


def draw(suite: SuitePanels, panel: Panel) -> Figure | None:
    """The path of each row in the plane of e and s, and accuracy against either."""
    how = suite.definition
    shown = [run for run in panel.runs if run.equilibrium(how)]
    if not shown:
        return None
    figure, [row] = sheet(suite.title(f"Equilibrium of {panel.title}"), 1, 3, (8.6, 3.1))
    for run in shown:
        _run(row, run, how)
    error, instability = names(how)
    for axes, x, y in zip(row, (error, error, instability), (instability, *ACC * 2), strict=True):
        axes.set_xlabel(x)
        axes.set_ylabel(broken(y) if y == instability else y)
    logarithmic(row[0], "y")
    logarithmic(row[2], "x")
    row[2].sharey(row[1])
    within(row[1], 0, 100)
    legend(figure, {run.name: sample(run.style) for run in shown})
    text = (
        f"e, s: `{how}` definition, latent weights, means over seeds. Left: epoch by epoch, the "
        "marker is the last. Middle, right: over all epochs, as in the table; last-epoch "
        "accuracy with its 95 % t interval (none with one seed)"
    )
    footnote(figure, suite.note(panel.recipe, text, no_f(shown)))
    return figure


ACC = ("test accuracy, %",)


def names(how: Definition) -> tuple[str, str]:
    """What the axes of e and s are called."""
    per = {"paper": "mean of layers", "code": "sum of layers", "scale_free": "scale-free"}[how]
    return f"estimating error e, {per}", f"gradient instability s, {per}"


def path(records: list[Record], how: Definition) -> tuple[list[float], list[float]]:
    """e and s after each epoch, means over seeds, of layers what the definition says."""
    over = sum if how == "code" else mean
    found: tuple[list[list[float]], list[list[float]]] = ([], [])
    for record in records:
        observed = [layer for _, layer in observed_layers(record, "W")]
        layers = [series(layer, how) for layer in observed if has_f(layer)]
        if layers:
            for kept, curves in zip(found, zip(*layers, strict=True), strict=True):
                kept.append([over(values) for values in zip(*curves, strict=True)])
    e, s = ([mean(values) for values in zip(*kept, strict=True)] for kept in found)
    return e, s


def _run(row: list[Axes], run: Runs, how: Definition) -> None:
    means, acc = run.equilibrium(how), run.acc
    e, s = path(run.ended, how)
    s = [value if value > 0 else math.nan for value in s]
    if e:
        row[0].plot(e, s, **run.style.line(markevery=[-1], markersize=6, linewidth=0.9))
    if means and acc:
        for axes, x in zip(row[1:], means, strict=True):
            if x is None:  # there is no f to err
                continue
            axes.errorbar(x.mean, acc.mean, whisker(acc), **run.style.point())
