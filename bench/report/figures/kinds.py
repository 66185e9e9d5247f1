"""
The figures of a suite, drawn from its plan and records; no file is touched, no torch imported.

`bench plot` writes them; a page takes them by `figures` and `style.svg`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from matplotlib.figure import Figure

from bench.report.figures import (
    accuracy,
    cost,
    curves,
    equilibrium,
    histograms,
    knob,
    layers,
    ranks,
    sweep,
)
from bench.report.figures.panels import Material, Panel, of
from bench.report.figures.style import styled
from bench.results.record import Record
from bench.spec.choices import Definition
from bench.spec.plan import Plan

OfPanel: TypeAlias = Callable[[Material, Panel], Figure | None]
Draw: TypeAlias = Callable[[Material], Iterator[tuple[str, Figure]]]  # by what each shows
Drawn: TypeAlias = tuple[str, str, Figure]  # name, caption, figure


@dataclass(frozen=True)
class Kind:
    """One kind of figure: how it is drawn, and what lacks where it cannot be."""

    draw: Draw
    caption: str
    needs: str


def _each(draw: OfPanel) -> Draw:
    """A figure for each panel."""

    def every(material: Material) -> Iterator[tuple[str, Figure]]:
        for panel in material.panels:
            if figure := draw(material, panel):
                yield panel.title, figure

    return every


def _once(draw: Callable[[Material], Figure | None]) -> Draw:
    """One figure of all panels."""

    def all_(material: Material) -> Iterator[tuple[str, Figure]]:
        if figure := draw(material):
            yield "", figure

    return all_


KINDS: Mapping[str, Kind] = {
    "accuracy": Kind(_each(accuracy.draw), accuracy.CAPTION, accuracy.NEEDS),
    "ranks": Kind(_once(ranks.draw), ranks.CAPTION, ranks.NEEDS),
    "equilibrium": Kind(_each(equilibrium.draw), equilibrium.CAPTION, equilibrium.NEEDS),
    "sweep": Kind(_once(sweep.draw), sweep.CAPTION, sweep.NEEDS),
    "curves": Kind(_each(curves.draw), curves.CAPTION, curves.NEEDS),
    "knob": Kind(_each(knob.draw), knob.CAPTION, knob.NEEDS),
    "layers": Kind(_each(layers.draw), layers.CAPTION, layers.NEEDS),
    "histograms": Kind(_each(histograms.draw), histograms.CAPTION, histograms.NEEDS),
    "cost": Kind(_each(cost.draw), cost.CAPTION, cost.NEEDS),
}


def figures(
    plan: Plan,
    records: Iterable[Record],
    kinds: Iterable[str] = tuple(KINDS),
    definition: Definition | None = None,
) -> Iterator[Drawn]:
    """
    Name, caption and figure, of each kind as many as the suite has tables; none where it cannot be.

    Args:
        kinds: names of `KINDS`.
        definition: of e and s; the plan's own if None.
    """
    yield from drawn(of(plan, records, definition), kinds)


def drawn(material: Material, kinds: Iterable[str]) -> Iterator[Drawn]:
    """The same, of a suite's material."""
    names: Counter[str] = Counter()
    for kind in kinds:
        with styled():
            several = [*KINDS[kind].draw(material)]
        for title, figure in several:
            words = f"{kind}-{title}" if len(several) > 1 else kind
            words = re.sub("W/A ([0-9]+)/", r"w\1a", words)  # as in a cell's name
            name = re.sub(r"[^A-Za-z0-9._]+", "-", words).strip("-.")
            names[name] += 1
            number = f"-{names[name]}" if names[name] > 1 else ""  # labels that are spelt alike
            about = f": {title}" if title else ""
            yield name + number, KINDS[kind].caption + about, figure
