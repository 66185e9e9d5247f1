"""Accuracy and rank against a value of the recipe in which tables differ, as `train.epochs`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.figures.panels import Panel, Runs, SuitePanels
from bench.report.figures.style import (
    Traits,
    footnote,
    label,
    legend,
    logarithmic,
    sample,
    sheet,
    whole,
    within,
)
from bench.spec.cell import Recipe
from bench.spec.label import label_values, without_value

CAPTION = "Accuracy and rank against a value of the recipe in which tables differ"
NEEDS = "no two tables of one net differ in one number of the recipe alone, as in train.epochs"
BAND: Traits = {"alpha": 0.15, "linewidth": 0}


@dataclass(frozen=True)
class RecipeAxis:
    """Tables of one net that differ in one value of the recipe alone, by that value."""

    title: str
    field: str
    panels: dict[float, Panel]


def draw(suite: SuitePanels) -> Figure | None:
    """A column for each net; accuracy above, ranks below."""
    shown = [*recipe_axes(suite.panels)]
    if not shown:
        return None
    fields = ", ".join(sorted({axis.field for axis in shown}))
    size = (1.6 + 2.6 * len(shown), 5.0)
    figure, rows = sheet(
        suite.title(f"Accuracy along {fields}"), 2, len(shown), size, sharex="col"
    )  # fmt: skip
    entries: dict[str, Line2D] = {}
    for number, axis in enumerate(shown):
        column = [row[number] for row in rows]
        column[0].set_title(axis.title)
        column[1].set_xlabel(axis.field)
        _draw(column, axis, entries)
    rows[0][0].set_ylabel("test accuracy, %")
    rows[1][0].set_ylabel("rank by mean accuracy")
    legend(figure, entries)
    bands = "Bands: 95 % t intervals over seeds (none with one seed)"
    footnote(figure, suite.note(bands, "Ranks are among the rows that every table of a net has"))
    return figure


def recipe_axes(panels: list[Panel]) -> Iterator[RecipeAxis]:
    """
    Yield the groups of tables that differ in one number of the recipe, and in nothing else.

    Their labels say it, which rows with a recipe of their own do not change.
    """
    groups: dict[tuple[str, str, str, bool], dict[float, Panel]] = {}
    for panel in panels:
        for field, value in label_values(panel.backbone).items():
            if field in Recipe.model_fields and (number := _number(value)) is not None:
                place = field, without_value(panel.backbone, field), panel.wa, panel.tuned
                groups.setdefault(place, {})[number] = panel
    for (field, backbone, _, _), found in sorted(groups.items(), key=lambda one: one[0][0]):
        if len(found) > 1:
            one, *_ = found.values()
            yield RecipeAxis(
                replace(one, backbone=backbone).title, field, dict(sorted(found.items()))
            )


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _draw(column: list[Axes], axis: RecipeAxis, entries: dict[str, Line2D]) -> None:
    """Draw each row's accuracies, with their intervals, and its ranks."""
    values = list(axis.panels)
    runs = [{run.name: run for run in panel.runs if run.acc} for panel in axis.panels.values()]
    ranks = [_ranks([run[name] for name in run if all(name in r for r in runs)]) for run in runs]
    for name in dict.fromkeys(name for run in runs for name in run):
        points = [(v, run[name]) for v, run in zip(values, runs, strict=True) if name in run]
        style = points[0][1].style
        entries[label(name)] = sample(style)
        found = [(v, run.acc) for v, run in points if run.acc]
        x = [v for v, _ in found]
        means, halves = [e.mean for _, e in found], [e.half_width or 0.0 for _, e in found]
        low = [m - h for m, h in zip(means, halves, strict=True)]
        high = [m + h for m, h in zip(means, halves, strict=True)]
        column[0].plot(x, means, **style.line())
        column[0].fill_between(x, low, high, color=style.colour, **BAND)
        if all(name in rank for rank in ranks):
            column[1].plot(values, [rank[name] for rank in ranks], **style.line())
    within(column[0], 0, 100)
    column[1].invert_yaxis()
    if len(ranks[0]) == 1:
        column[1].set_ylim(1.5, 0.5)
    whole(column[1], "y")
    if values[0] > 0 and values[-1] >= 4 * values[0]:
        logarithmic(column[1], "x")
    column[1].set_xticks(values, [f"{value:g}" for value in values])


def _ranks(runs: list[Runs]) -> dict[str, int]:
    """Rank rows of one table by mean accuracy, the best 1."""
    ordered = sorted(runs, key=lambda run: run.acc.mean if run.acc else 0.0, reverse=True)
    return {run.name: i for i, run in enumerate(ordered, start=1)}
