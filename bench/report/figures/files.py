"""Which figures of what is there are asked for, and their files: `bench plot`."""

import re
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
from bench.report.figures.panels import SuitePanels, arrange_panels
from bench.report.figures.style import FigureFormat, caption, encode, styled
from bench.results import cell_folders, store
from bench.results.cell_state import CellStates, read_saved_states
from bench.spec.choices import Definition
from bench.spec.filters import select
from bench.spec.plan import Plan
from bench.spec.suite_file import find_suite

KINDS = (*FigureKind, GALLERY)
WIDTHS = {"column": 3.25, "text": 6.75}  # inches of a paper in two columns
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
    width: float | None = None  # in inches, of figures for a paper
    rows: str = ""  # which to draw, as `--filter` of `bench run` says it; none: all

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


def inches(text: str) -> float | None:
    """
    The width that `column`, `text` or a number of centimetres is; None of an empty text.

    Raises:
        UsageError: it is none of them.
    """
    if not text or text in WIDTHS:
        return WIDTHS.get(text)
    found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?) *(?:cm)?", text.strip())
    centimetres = float(found[1]) if found else 0.0
    if not 4 <= centimetres <= 60:
        message = f"--width `{text}`: expected column, text, or centimetres from 4 to 60"
        raise UsageError(message)
    return centimetres / 2.54


def write(
    drawn: tuple[str, Figure],
    folder: Path,
    forms: Iterable[FigureFormat],
    *,
    captions: bool = False,
) -> Iterator[Path]:
    """
    Write one figure in each format, whole or not at all.

    Args:
        captions: write its title and note as text beside it, too.

    Raises:
        EnvironmentProblem: the disk is full, or the folder cannot be written.
    """
    name, figure = drawn
    for form in forms:
        yield write_output(folder / f"{name}.{form}", encode(figure, form))
    if captions:
        yield write_output(folder / f"{name}.txt", f"{caption(figure)}\n".encode())


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
        figure, notes = _gallery(gallery.installed(), "Estimators", request.width)
        return [(GALLERY, figure)], notes
    kinds = list(dict.fromkeys(request.kinds)) or PAPER.get(_of_paper(request)) or [*FigureKind]
    drawn: list[tuple[str, Figure]] = []
    notes: list[str] = []
    if recorded := [FigureKind(kind) for kind in kinds if kind != GALLERY]:
        drawn, notes = _recorded(request, recorded)
    if GALLERY in kinds:
        estimators, without = gallery.of_suite(request.suite, request.overrides)
        title = f"Estimators of {request.name}"
        figure, skipped = _gallery(estimators, title, request.width)
        drawn.append((GALLERY, figure))
        notes += [*([f"no f to draw: {', '.join(without)}"] if without else []), *skipped]
    return [(f"{request.name}-{name}", figure) for name, figure in drawn], notes


def _of_paper(request: PlotRequest) -> str:
    return request.suite.stem.removesuffix("-mini")


def _gallery(
    estimators: list[gallery.EstimatorCurves], title: str, width: float | None
) -> tuple[Figure, list[str]]:
    """Those that can be drawn, and in words those that cannot."""
    shown, problems = gallery.split(estimators)
    if not shown:
        message = "\n".join(["no estimator here has an f to draw", *problems])
        raise EmptyMatch(message)
    with styled(width):
        return gallery.draw(shown, title), problems


def _recorded(
    request: PlotRequest, kinds: Sequence[FigureKind]
) -> tuple[list[tuple[str, Figure]], list[str]]:
    """The figures that records make."""
    plan = _plan(request)
    standings, notes = read_saved_states(request.root, plan)
    records = [r for r in standings.records(stale=request.stale) if r.measured]
    suite = arrange_panels(plan, records, request.definition)
    if request.rows:
        suite = suite.only({cell.id for cell in select(plan, request.rows)})
    notes += _missing(plan, suite, standings)
    if suite.lacking == suite.asked:
        raise EmptyMatch("\n".join(notes))
    drawn: list[tuple[str, Figure]] = []
    wanting: list[str] = []
    for kind in kinds:
        made = draw_panels(suite, [kind], request.width)
        several = [(name, figure) for name, _, figure in made]
        drawn += several
        if not several:
            wanting.append(f"{kind}: {kind.module.NEEDS}")
    if not drawn:
        raise UsageError("\n".join([*notes, *wanting]))
    return drawn, notes + [f"not drawn: {text}" for text in wanting]


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


def _missing(plan: Plan, suite: SuitePanels, standings: CellStates) -> Iterator[str]:
    """What has no record that is drawn, and what to do about it."""
    ids = suite.lacking
    lacking = [cell for cell in plan.cells if cell.id in ids]
    stale = [cell for cell in lacking if cell.id in standings.stale]
    of = f"of {len(suite.asked)} cells"
    if stale:
        yield f"{len(stale)} {of} have stale records only; --allow-stale draws them"
    if len(lacking) > len(stale):
        slugs = [cell.slug for cell in lacking if cell not in stale]
        some = ", ".join([*slugs[:5], "..."] if len(slugs) > 5 else slugs)
        command = " ".join(["bench run", plan.source, *plan.overrides])
        yield f"{len(slugs)} {of} without result: {some}; `{command}` makes them"
