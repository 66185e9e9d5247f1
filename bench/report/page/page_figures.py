"""The figures of a suite as elements of a page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from markupsafe import Markup
from matplotlib.figure import Figure

from bench.report.figures import drawing
from bench.report.figures.kinds import FigureKind
from bench.report.figures.panels import Panel, SuitePanels, arrange_panels
from bench.report.figures.style import svg
from bench.results.record import Record
from bench.spec.choices import Definition
from bench.spec.plan import Plan

# Cells whose figures a page has whole; of more, the first tables up to FEW, and ROWS of each. Ten
# tables are read in the tables, and their figures would take half a minute and 10 MB.
ALL, FEW, ROWS = 300, 150, 30


@dataclass(frozen=True)
class PageFigure:
    """A figure as the page has it."""

    caption: str
    svg: Markup  # matplotlib's, which escapes what others wrote


def page_figure(name: str, caption: str, figure: Figure) -> PageFigure:
    """
    A figure as an element of a page.

    Args:
        name: no other figure's of the page.
    """
    return PageFigure(caption, Markup(svg(figure, name, caption)))


def figures(
    plan: Plan, records: Iterable[Record], definition: Definition
) -> tuple[list[PageFigure], str]:
    """Every figure that can be drawn of what was measured, and in words what has none."""
    suite = arrange_panels(plan, records, definition)
    cells = sum(len(run.records) for panel in suite.panels for run in panel.runs)
    drawn = replace(suite, panels=[*_few(suite.panels)]) if cells > ALL else suite
    made = [page_figure(*figure) for figure in drawing.draw_panels(drawn, FigureKind)]
    return made, _left_out(suite, drawn)


def _few(panels: Iterable[Panel]) -> Iterator[Panel]:
    """The first panels up to `FEW` cells, one at least, and of each the first rows, the best."""
    room = FEW
    for number, panel in enumerate(panels):
        runs = panel.runs[:ROWS]
        room -= sum(len(run.records) for run in runs)
        if number and room < 0:
            return
        yield replace(panel, runs=runs)


def _left_out(suite: SuitePanels, drawn: SuitePanels) -> str:
    """What is not drawn, in a sentence."""
    tables = f"the first {len(drawn.panels)} of {len(suite.panels)} tables"
    words = [tables] * (len(drawn.panels) < len(suite.panels))
    fewer = any(len(a.runs) < len(b.runs) for a, b in zip(drawn.panels, suite.panels, strict=False))
    words += [f"no more than the {ROWS} best rows of each"] * fewer
    if not words:
        return ""
    return (
        f"Drawn are {' and '.join(words)}, for this page is of many cells; `bench plot` draws all."
    )
