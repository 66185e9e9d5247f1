"""Average ranks, and what cannot be told apart: the diagram of Demšar (2006)."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.leaderboard.stats.friedman import AverageRanks
from bench.report.figures.panels import SuitePanels
from bench.report.figures.style import GREY, Traits, footnote, label, sheet

CAPTION = "Average ranks over several tables, bars joining rows that cannot be told apart"
NEEDS = "ranks are averaged over tables of two networks or more that share two rows or more"
THIN: Traits = {"color": GREY, "linewidth": 0.8, "solid_joinstyle": "miter"}
BAR: Traits = {"color": "#000000", "linewidth": 2.6, "solid_capstyle": "butt"}
STEP = 0.24  # between bars


def draw(suite: SuitePanels) -> Figure | None:
    """The best rank on the left, names on both sides."""
    found = suite.across
    if found is None:
        return None
    k = len(found.ranks)
    deep = 0.5 + STEP * len(found.groups)
    size = (6.6, 1.3 + 0.22 * (deep + math.ceil(k / 2)))
    title = suite.title("Average ranks of the rows that all tables have")
    figure, [[axes]] = sheet(title, 1, 1, size)
    _axis(axes, k, found.critical)
    for j, group in enumerate(found.groups):
        ends = found.ranks[group[0]] - 0.04, found.ranks[group[-1]] + 0.04
        axes.plot(ends, [-0.4 - STEP * j] * 2, **BAR)
    _names(axes, found, deep)
    axes.set_ylim(-deep - math.ceil(k / 2) - 0.2, 1.6)
    chance = "" if found.p is None else f"Friedman's p {found.p:.3g}"
    tables = f"Tables: {', '.join(label(block) for block in found.blocks)}"
    bars = (
        "Bars join rows whose ranks differ by no more than CD, Nemenyi's critical difference (5 %)"
    )
    footnote(figure, suite.note(tables, chance, bars))
    return figure


def _axis(axes: Axes, k: int, critical: float) -> None:
    """The line of ranks, and above it the length of the critical difference."""
    axes.set_xlim(-0.4 * k + 1, 1.4 * k)
    axes.axis("off")
    axes.plot([1, k], [0, 0], color="#000000", linewidth=0.9)
    for rank in range(1, k + 1):
        axes.plot([rank, rank], [0, 0.16], color="#000000", linewidth=0.9)
        axes.text(rank, 0.24, str(rank), ha="center", va="bottom", fontsize=7)
    axes.plot([1, 1 + critical], [1.1, 1.1], color="#000000", linewidth=0.9)
    for end in (1, 1 + critical):
        axes.plot([end, end], [1.0, 1.2], color="#000000", linewidth=0.9)
    axes.text(1 + critical / 2, 1.22, f"CD {critical:.2f}", ha="center", va="bottom", fontsize=7)


def _names(axes: Axes, found: AverageRanks, deep: float) -> None:
    """Each row's name and rank at the end of a line that leads to its place."""
    k, left = len(found.ranks), math.ceil(len(found.ranks) / 2)
    for i, (name, rank) in enumerate(found.ranks.items()):
        on_left = i < left
        y = -deep - (i if on_left else k - 1 - i) - 0.4
        end = 0.7 if on_left else k + 0.3
        axes.plot([rank, rank, end], [0, y, y], **THIN)
        text, side = f"{label(name)}  {rank:.2f}", "right" if on_left else "left"
        axes.text(end + (-0.08 if on_left else 0.08), y, text, ha=side, va="center", fontsize=7.5)
