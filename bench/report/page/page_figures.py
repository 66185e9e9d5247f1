"""The figures of a suite as elements of a page."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from bench.report.figures import drawing
from bench.report.figures.style import svg
from bench.results.record import Record
from bench.spec.choices import Definition
from bench.spec.plan import Plan


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


def figures(plan: Plan, records: Iterable[Record], definition: Definition) -> list[PageFigure]:
    """Every figure that can be drawn of what was measured."""
    return [
        page_figure(*figure) for figure in drawing.draw_suite(plan, records, definition=definition)
    ]
