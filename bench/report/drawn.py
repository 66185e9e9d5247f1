"""The figures of a suite as elements of a page."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from bench.cell import Definition
from bench.figures import atlas
from bench.figures.style import svg
from bench.plan import Plan
from bench.record import Record


@dataclass(frozen=True)
class Drawn:
    """One figure."""

    caption: str
    svg: Markup  # matplotlib's, which escapes what others wrote


def figures(plan: Plan, records: Iterable[Record], definition: Definition) -> list[Drawn]:
    """Every figure that can be drawn of what was measured."""
    return [
        Drawn(caption, Markup(svg(figure, name, caption)))
        for name, caption, figure in atlas.figures(plan, records, definition=definition)
    ]
