"""What figures are drawn from: the rows of a plan with their records, by panels that compare."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bench import __version__
from bench.leaderboard.board import REAL, MeasuredRow
from bench.leaderboard.ranking import rank
from bench.leaderboard.stats.friedman import AverageRanks
from bench.leaderboard.stats.intervals import Estimate, estimate
from bench.report.figures.style import LineStyle, assign_styles, label
from bench.results.equilibrium import indicators
from bench.results.record import Record
from bench.spec.choices import Definition
from bench.spec.label import base_label
from bench.spec.plan import Plan, show_label


@dataclass(frozen=True)
class Runs:
    """One row: what its seeds measured."""

    row: MeasuredRow
    records: list[Record]  # of those that were measured
    style: LineStyle
    name: str  # as a legend has it

    @property
    def ended(self) -> list[Record]:
        """Those that came to their end."""
        return [record for record in self.records if record.status == "ok"]

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the estimator of weights, or else of activations."""
        cell = self.records[0].cell
        ref = cell.weights or cell.activations
        return {"plugin": ref.name, **ref.params} if ref else {}

    @cached_property
    def acc(self) -> Estimate | None:
        """Last-epoch accuracy in percent."""
        return estimate([100 * r.last_acc for r in self.ended if r.last_acc is not None])

    def equilibrium(self, definition: Definition) -> tuple[Estimate | None, Estimate] | None:
        """e and s, as the table has them: no e without an f; None where nothing is binary."""
        pairs = [pair for r in self.ended if (pair := indicators(r, definition))]
        e = estimate([error for error, _ in pairs if error is not None])
        s = estimate([instability for _, instability in pairs])
        return (e, s) if s else None


@dataclass(frozen=True)
class Panel:
    """Rows that share net, bit widths and recipe."""

    backbone: str
    wa: str
    tuned: bool
    recipe: str
    runs: list[Runs]
    real: Runs | None  # the same net in full precision, if it was trained as well

    @property
    def title(self) -> str:
        tuned = ", tuned" if self.tuned else ""
        return f"{label(self.backbone)}, W/A {self.wa}{tuned}"

    @property
    def everything(self) -> list[Runs]:
        return [*self.runs, self.real] if self.real else self.runs


@dataclass(frozen=True)
class SuitePanels:
    """A suite's panels, and what must be said below every figure of it."""

    name: str
    definition: Definition
    panels: list[Panel]
    across: AverageRanks | None  # the rows over several panels
    styles: dict[str, LineStyle]  # by label, and by what a matrix made labels of
    planned: list[list[str]]  # ids of each row's cells, measured or not
    known: frozenset[str]  # of those that were measured
    source: str

    def only(self, cells: Collection[str]) -> "SuitePanels":
        """The rows that have one of these cells, and the panels that have such rows."""

        def chosen(row: Iterable[str]) -> bool:
            return any(i in cells for i in row)

        kept = [
            replace(
                panel,
                runs=[run for run in panel.runs if chosen(run.row.cells)],
                real=panel.real if panel.real and chosen(panel.real.row.cells) else None,
            )
            for panel in self.panels
        ]
        planned = [row for row in self.planned if chosen(row)]
        return replace(self, panels=[panel for panel in kept if panel.runs], planned=planned)

    @property
    def asked(self) -> frozenset[str]:
        """Ids of all cells that the figures would show."""
        return frozenset(i for row in self.planned for i in row)

    @property
    def lacking(self) -> frozenset[str]:
        """Those of them that were not measured."""
        return self.asked - self.known

    def title(self, text: str) -> str:
        """The title of a figure."""
        return f"{text} (partial)" if self.lacking else text

    def note(self, *words: str) -> str:
        """The footnote of a figure."""
        there, asked = len(self.asked - self.lacking), len(self.asked)
        partial = f"Partial: {there} of {asked} cells" if self.lacking else ""
        return ". ".join(word for word in (*words, partial, self.source) if word) + "."


def arrange_panels(
    plan: Plan, records: Iterable[Record], definition: Definition | None = None
) -> SuitePanels:
    """Join a plan with its records, as the leaderboard does; what was not measured is left out."""
    known = {record.cell.id: record for record in records if record.measured}
    board = rank(plan, known.values(), definition)
    styles = assign_styles(name for row in plan.rows for name in (row.label, base_label(row.label)))
    panels: list[Panel] = []
    for section in board.sections:
        schedules = {row.schedule for row in section.measured}
        runs = [
            Runs(row, records_of_row, styles[row.label], _name(row, several=len(schedules) > 1))
            for row in section.measured
            if (records_of_row := [known[i] for i in row.cells if i in known])
        ]
        if runs:
            words = (section.backbone, section.wa, section.tuned, section.recipe)
            panels.append(Panel(*words, _apart(runs), None))
    return SuitePanels(
        name=label(plan.suite),
        definition=definition or plan.equilibrium,
        panels=[*_with_real(panels)],
        across=board.across,
        styles=styles,
        planned=[[cell.id for cell in row.cells] for row in plan.rows],
        known=frozenset(known),
        source=_source(plan),
    )


def no_f(runs: Iterable[Runs]) -> str:
    """The rows whose method has no f, in words; nothing if all have one."""
    names = [run.name for run in runs if not run.row.estimator.has_f]
    return f"No f, so no e: {', '.join(names)}" if names else ""


def _name(row: MeasuredRow, *, several: bool) -> str:
    words = [show_label(row.label)]
    if several and row.schedule != "default":
        words.append(row.schedule)
    if row.tuned:
        words.append(row.tuned.chosen)
    return label(", ".join(words))


def _apart(runs: list[Runs]) -> list[Runs]:
    """Rows of one label, which differ in their schedule, look different within their panel."""
    names = [run.row.label for run in runs]
    if len(set(names)) == len(names):
        return runs
    own = assign_styles(run.name for run in runs)
    return [Runs(run.row, run.records, own[run.name], run.name) for run in runs]


def _with_real(panels: list[Panel]) -> Iterator[Panel]:
    """Full precision beside the binary nets, and alone only where there are none."""
    real = {p.backbone: p.runs[0] for p in panels if p.wa == REAL}
    binary = {p.backbone for p in panels if p.wa != REAL}
    for panel in panels:
        if panel.wa != REAL:
            words = (panel.backbone, panel.wa, panel.tuned, panel.recipe, panel.runs)
            yield Panel(*words, real.get(panel.backbone))
        elif panel.backbone not in binary:
            yield panel


def _source(plan: Plan) -> str:
    """Suite, seeds, and the program's version."""
    counts = sorted({len(row.cells) for row in plan.rows})
    seeds = "to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))
    word = "seed" if counts == [1] else "seeds"
    return f"Suite {label(plan.suite)}, {seeds} {word}, signbench {__version__}"
