"""Accuracy of every row with its interval, and beside it what was published."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.figures.intervals import whisker
from bench.report.figures.panels import Panel, SuitePanels
from bench.report.figures.style import GREY, Traits, footnote, legend, sheet

CAPTION = "Accuracy of each row with its interval, beside published numbers"
NEEDS = "no cell came to its end"
BEST: Traits = {"marker": "|", "color": "#000000", "linestyle": "none", "markersize": 8}
PUBLISHED: Traits = {
    "marker": "D", "markerfacecolor": "white", "color": "#000000", "linestyle": "none",
    "markersize": 5,
}  # fmt: skip


def draw(suite: SuitePanels, panel: Panel) -> Figure | None:
    """A line for each row, the best on top."""
    shown = [run for run in panel.everything if run.acc]
    if not shown:
        return None
    size = (6.6, 1.4 + 0.24 * len(shown))
    figure, [[axes]] = sheet(suite.title(f"Accuracy of {panel.title}"), 1, 1, size)
    entries = {"last epoch": Line2D([], [], color=GREY, marker="o", linestyle="none")}
    for place, run in enumerate(shown):
        if run.acc:
            axes.errorbar(run.acc.mean, place, xerr=whisker(run.acc), **run.style.point())
        best = [100 * r.best_acc for r in run.ended if r.best_acc is not None]
        (entries["best epoch"],) = axes.plot(sum(best) / len(best), place, **BEST)
        if run.row.claim:
            (entries["published"],) = axes.plot(run.row.claim.acc, place, **PUBLISHED)
    axes.set_yticks(range(len(shown)), [run.name for run in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, 0), min(high, 100))
    axes.set_xlabel("test accuracy, %")
    axes.grid(visible=False, axis="y")
    legend(figure, entries)
    bars = "Bars: 95 % t intervals over seeds (none with one seed). Best epoch: chosen on test"
    caution = "Published numbers are of other trainings: `bench leaderboard` names each difference"
    footnote(figure, suite.note(panel.recipe, bars, caution if "published" in entries else ""))
    return figure
