"""Which figures of what is there are asked for, and their files: `bench plot`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from matplotlib.figure import Figure

from bench.base.files import write_output
from bench.base.text import suggest
from bench.errors import EmptyMatch, UsageError
from bench.leaderboard import saved
from bench.report.figures import gallery
from bench.report.figures.drawing import draw_panels
from bench.report.figures.kinds import GALLERY, FigureKind
from bench.report.figures.panels import arrange_panels
from bench.report.figures.style import FigureFormat, encode, styled
from bench.results import cell_folders, store
from bench.results.cell_state import CellStates, read_saved_states
from bench.results.record import Record
from bench.spec.choices import Definition
from bench.spec.plan import Plan
from bench.spec.suite_file import find_suite

KINDS = (*FigureKind, GALLERY)
FORMATS: tuple[FigureFormat, ...] = get_args(FigureFormat)
PAPER = {  # what each figure of the ReSTE paper shows
    "figure2": ["histograms"],
    "figure3": [GALLERY],
    "figure4": ["sweep"],
    "figure5": ["histograms"],
    "figure6": ["curves"],
    "figure-a1": ["sweep"],
    "figure-a2": ["histograms"],
    "figure-a3": ["knob"],
}


@dataclass(frozen=True)
class PlotRequest:
    """A suite, as its command names it, and what to draw of it."""

    suite: Path
    overrides: Sequence[str]
    kinds: Sequence[str]  # none: the paper's, or all that can be drawn
    root: Path
    definition: Definition | None = None
    stale: bool = False

    @property
    def name(self) -> str:
        return saved.name_of(self.root, self.suite, self.overrides)

    @property
    def command(self) -> str:
        """What measures the suite."""
        return " ".join(["bench run", str(self.suite), *self.overrides])


def formats(text: str) -> list[FigureFormat]:
    """
    Of words joined by commas, as in `svg,pdf`.

    Raises:
        UsageError: a word that names none.
    """
    words = [word.strip() for word in text.split(",")]
    if wrong := [word for word in words if word not in FORMATS]:
        message = f"--format `{wrong[0]}`: expected svg, pdf or png, or several joined by commas"
        raise UsageError(message)
    return [form for form in FORMATS if form in words]


def write(drawn: tuple[str, Figure], folder: Path, forms: Iterable[FigureFormat]) -> Iterator[Path]:
    """
    Write one figure in each format, whole or not at all.

    Raises:
        EnvironmentProblem: the disk is full, or the folder cannot be written.
    """
    name, figure = drawn
    for form in forms:
        yield write_output(folder / f"{name}.{form}", encode(figure, form))


def figures(request: PlotRequest) -> tuple[list[tuple[str, Figure]], list[str]]:
    """
    Each figure with its name, and what must be said: what is missing, and what makes it.

    Raises:
        UsageError: no such kind, a kind that cannot be drawn of this suite, or it never ran.
        SuiteError: no such suite, or its estimators cannot be built.
        EmptyMatch: it ran, and nothing was measured.
    """
    for kind in request.kinds:
        if kind not in KINDS:
            message = f"--kind `{kind}`: there is no such figure{suggest(kind, KINDS)}"
            raise UsageError(message)
    if str(request.suite) == GALLERY and {*request.kinds} <= {GALLERY}:
        return [(GALLERY, _gallery(gallery.installed(), "Estimators"))], []
    kinds = list(dict.fromkeys(request.kinds)) or PAPER.get(_of_paper(request)) or [*FigureKind]
    drawn: list[tuple[str, Figure]] = []
    notes: list[str] = []
    if recorded := [FigureKind(kind) for kind in kinds if kind != GALLERY]:
        drawn, notes = _recorded(request, recorded)
    if GALLERY in kinds:
        estimators = gallery.of_suite(request.suite, request.overrides)
        drawn.append((GALLERY, _gallery(estimators, f"Estimators of {request.name}")))
    return [(f"{request.name}-{name}", figure) for name, figure in drawn], notes


def _of_paper(request: PlotRequest) -> str:
    return request.suite.stem.removesuffix("-mini")


def _gallery(estimators: list[gallery.EstimatorCurves], title: str) -> Figure:
    if not estimators:
        message = "no estimator here has an f to draw"
        raise EmptyMatch(message)
    with styled():
        return gallery.draw(estimators, title)


def _recorded(
    request: PlotRequest, kinds: Sequence[FigureKind]
) -> tuple[list[tuple[str, Figure]], list[str]]:
    """The figures that records make."""
    plan = _plan(request)
    standings, notes = read_saved_states(request.root, plan)
    records = [r for r in standings.records(stale=request.stale) if r.measured]
    notes += _missing(request, plan, records, standings)
    if not records:
        raise EmptyMatch("\n".join(notes))
    suite = arrange_panels(plan, records, request.definition)
    drawn: list[tuple[str, Figure]] = []
    wanting: list[str] = []
    for kind in kinds:
        several = [(name, figure) for name, _, figure in draw_panels(suite, [kind])]
        drawn += several
        if not several:
            wanting.append(f"{kind}: {kind.module.NEEDS}")
    if not drawn:
        raise UsageError("\n".join([*notes, *wanting]))
    return drawn, notes + (wanting if request.kinds else [])


def _plan(request: PlotRequest) -> Plan:
    if request.name in (ran := cell_folders.list_suites(request.root)):
        return store.find_plan(request.root, request.name)
    find_suite(request.suite)
    twin = f"{request.suite.stem}-mini"
    hint = f"; `bench plot {twin}` draws what its small twin measured" if twin in ran else ""
    message = (
        f"no results of `{request.name}` in `{request.root}`; `{request.command}` makes them{hint}"
    )
    raise UsageError(message)


def _missing(
    request: PlotRequest, plan: Plan, records: Sequence[Record], standings: CellStates
) -> Iterator[str]:
    """What has no record that is drawn, and what to do about it."""
    there = {record.cell.id for record in records}
    lacking = [cell for cell in plan.cells if cell.id not in there]
    stale = [cell for cell in lacking if cell.id in standings.stale]
    of = f"of {len(plan.cells)} cells"
    if stale:
        yield f"{len(stale)} {of} have stale records only; --allow-stale draws them"
    if len(lacking) > len(stale):
        slugs = [cell.slug for cell in lacking if cell not in stale]
        some = ", ".join([*slugs[:5], "..."] if len(slugs) > 5 else slugs)
        command = " ".join(["bench run", plan.source, *plan.overrides])
        yield f"{len(slugs)} {of} without result: {some}; `{command}` makes them"
