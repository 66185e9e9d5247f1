"""e, s and accuracy against a parameter in which an estimator's rows differ."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.figures.accuracy import PUBLISHED
from bench.report.figures.equilibrium import names
from bench.report.figures.panels import Panel, Runs, SuitePanels
from bench.report.figures.style import (
    LineStyle,
    footnote,
    label,
    legend,
    logarithmic,
    sample,
    sheet,
    within,
)
from bench.spec.choices import Definition
from bench.spec.label import base_label

CAPTION = "e, s and accuracy against the parameter in which rows differ"
NEEDS = "no estimator has three rows that differ in one number alone, as in o_end: [1, 2, 3]"


@dataclass(frozen=True)
class Sweep:
    """Rows of one estimator that differ in one parameter alone, by its value."""

    name: str
    parameter: str
    style: LineStyle
    runs: dict[float, Runs]


def draw(suite: SuitePanels) -> Figure | None:
    """A column for each net; e, s and accuracy below each other."""
    found = [(panel, sweeps(panel, suite.styles)) for panel in suite.panels]
    shown = [(panel, listed) for panel, listed in found if listed]
    if not shown:
        return None
    parameters = sorted({s.parameter for _, listed in shown for s in listed})
    title = suite.title(f"Equilibrium along {', '.join(parameters)}")
    size = (1.6 + 2.4 * len(shown), 6.2)
    figure, rows = sheet(title, 3, len(shown), size, sharex="col")
    entries: dict[str, Line2D] = {}
    for number, (panel, listed) in enumerate(shown):
        column = [row[number] for row in rows]
        column[0].set_title(panel.title)
        column[2].set_xlabel(", ".join(sorted({s.parameter for s in listed})))
        for sweep in listed:
            entries[sweep.name] = sample(sweep.style, linestyle="solid")
            _draw(column, sweep, suite.definition, entries)
        logarithmic(column[1], "y")
        within(column[2], 0, 100)
    error, instability = (name.replace(", ", ",\n") for name in names(suite.definition))
    for row, what in zip(rows, (error, instability, "test accuracy, %"), strict=True):
        row[0].set_ylabel(what)
    legend(figure, entries)
    recipe = shown[0][0].recipe if len({panel.recipe for panel, _ in shown}) == 1 else ""
    text = f"e, s: `{suite.definition}` definition, latent weights, as in the table"
    bars = "Bars, of e and accuracy: 95 % t intervals over seeds (none with one seed)"
    caution = "Published numbers are of other trainings: `bench leaderboard` names each difference"
    footnote(figure, suite.note(recipe, text, bars, caution if "published" in entries else ""))
    return figure


def sweeps(panel: Panel, styles: Mapping[str, LineStyle]) -> list[Sweep]:
    """The estimators of a panel that have three rows or more along one parameter."""
    groups: dict[tuple[str, str], list[Runs]] = {}
    for run in panel.runs:
        if run.acc and not panel.tuned:
            groups.setdefault((base_label(run.row.label), run.row.schedule), []).append(run)
    found: list[Sweep] = []
    for (name, schedule), runs in groups.items():
        words = name if schedule == "default" else f"{name}, {schedule}"
        parameter, lines = _lines(runs)
        for others, line in lines.items():
            ordered = sorted(line, key=lambda run: run.params[parameter])
            by_value = {float(run.params[parameter]): run for run in ordered}
            style = ordered[0].style if others else styles[name]
            full = ", ".join([words, *filter(None, [others])])
            found.append(Sweep(label(full), parameter, style, by_value))
    return found


def _lines(runs: list[Runs]) -> tuple[str, dict[str, list[Runs]]]:
    """
    The number with most values, and the rows along it: a line for each choice of all else.

    A line has three rows at least, and all of its values differ.
    """
    keys = dict.fromkeys(key for run in runs for key in run.params)
    values = {key: [run.params.get(key) for run in runs] for key in keys}
    differing = {key: v for key, v in values.items() if len(set(map(repr, v))) > 1}
    numbers = [key for key, v in differing.items() if all(map(_is_number, v))]
    parameter = max(numbers, key=lambda key: len(set(differing[key])), default="")
    lines: dict[str, list[Runs]] = {}
    for run in runs:
        others = [f"{key} {run.params.get(key)}" for key in differing if key != parameter]
        lines.setdefault(", ".join(others), []).append(run)
    full = {
        others: line
        for others, line in lines.items()
        if len({run.params.get(parameter) for run in line}) == len(line) >= 3
    }
    return (parameter, full) if parameter else ("", {})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _draw(column: list[Axes], sweep: Sweep, how: Definition, entries: dict[str, Line2D]) -> None:
    found = [(value, run.equilibrium(how), run.acc) for value, run in sweep.runs.items()]
    curves = [
        [(value, pair[0]) for value, pair, _ in found if pair and pair[0]],
        [(value, pair[1]) for value, pair, _ in found if pair],
        [(value, acc) for value, _, acc in found if acc],
    ]
    traits = sweep.style.line(linestyle="solid", capsize=2, elinewidth=0.9)
    for axes, points, bars in zip(column, curves, (True, False, True), strict=True):
        half = [e.half_width or 0.0 for _, e in points] if bars else None
        axes.errorbar([x for x, _ in points], [e.mean for _, e in points], half, **traits)
    for value, run in sweep.runs.items():
        if run.row.claim:
            (entries["published"],) = column[2].plot(value, run.row.claim.acc, **PUBLISHED)
