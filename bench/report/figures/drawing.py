"""
The figures of a suite, drawn from its plan and records; no file is touched, no torch imported.

`bench plot` writes them; a page takes them by `draw_suite` and `style.svg`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from matplotlib.figure import Figure

from bench.report.figures.kinds import OF_SUITE, FigureKind
from bench.report.figures.panels import SuitePanels, arrange_panels
from bench.report.figures.style import styled
from bench.results.record import Record
from bench.spec.choices import Definition
from bench.spec.plan import Plan

Drawn: TypeAlias = tuple[str, str, Figure]  # name, caption, figure


def draw_suite(
    plan: Plan,
    records: Iterable[Record],
    kinds: Iterable[FigureKind] = tuple(FigureKind),
    definition: Definition | None = None,
) -> Iterator[Drawn]:
    """
    Name, caption and figure, of each kind as many as the suite has tables; none where it cannot be.

    Args:
        definition: of e and s; the plan's own if None.
    """
    yield from draw_panels(arrange_panels(plan, records, definition), kinds)


def draw_panels(
    suite: SuitePanels, kinds: Iterable[FigureKind], width: float | None = None
) -> Iterator[Drawn]:
    """The same, of a suite's panels; `width` as `style.styled` has it."""
    names: Counter[str] = Counter()
    for kind in kinds:
        with styled(width):
            several = [*_draw(kind, suite)]
        for title, figure in several:
            words = f"{kind}-{title}" if len(several) > 1 else kind
            words = re.sub("W/A ([0-9]+)/", r"w\1a", words)  # as in a cell's name
            name = re.sub(r"[^A-Za-z0-9._]+", "-", words).strip("-.")
            names[name] += 1
            number = f"-{names[name]}" if names[name] > 1 else ""  # labels that are spelt alike
            about = f": {title}" if title else ""
            yield name + number, kind.module.CAPTION + about, figure


def _draw(kind: FigureKind, suite: SuitePanels) -> Iterator[tuple[str, Figure]]:
    """The figures of one kind, each with what it shows."""
    draw = kind.module.draw
    if kind in OF_SUITE:
        if figure := draw(suite):
            yield "", figure
        return
    for panel in suite.panels:
        if figure := draw(suite, panel):
            yield panel.title, figure
