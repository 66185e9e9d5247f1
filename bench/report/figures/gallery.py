"""The estimators themselves: f and f' along the schedule, and where the identity is better."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench import __version__
from bench.errors import PluginError
from bench.nn.contract import Knob, Surrogate
from bench.planning.resolved_suite import resolve
from bench.properties.curve import space_evenly
from bench.properties.estimating_error import ROUNDING, measure_baseline_error, measure_error
from bench.properties.verdicts import knob_in_training, list_visited
from bench.registry import ESTIMATORS
from bench.report.figures.style import GREY, Traits, beside, footnote, label, legend, shades, sheet
from bench.spec.cell import Role

CAPTION = "f and f' of each estimator at the start, half way and at the end of its schedule"
MOMENTS = {"start": 0.0, "half way": 0.5, "end": 0.999}
DASHES = ((0, (1, 1.2)), (0, (5, 1.6)), "solid")
REACH, POINTS, COLUMNS = 2.0, 801, 4
STEEPEST = 30  # of a slope that is shown


@dataclass(frozen=True)
class EstimatorCurves:
    """An estimator as one role uses it."""

    name: str
    surrogate: Surrogate
    role: Role


def installed() -> list[EstimatorCurves]:
    """Every estimator that can be imported and has an f, at its defaults."""
    found: list[EstimatorCurves] = []
    for name in ESTIMATORS.names():
        try:
            estimator = ESTIMATORS.build(name, {})
        except (PluginError, ValueError):  # broken, as `bench list` says, or without defaults
            continue
        if isinstance(estimator, Surrogate):
            found.append(EstimatorCurves(label(name), estimator, "W"))
    return found


def of_suite(suite: Path, overrides: Sequence[str]) -> tuple[list[EstimatorCurves], list[str]]:
    """
    The estimators of a suite's rows, activations where they differ from weights; who has no f.

    Raises:
        SuiteError: anything wrong with the suite or what it says of plugins, all at once.
    """
    axes = resolve(suite, overrides).axes
    found: list[EstimatorCurves] = []
    without: dict[str, None] = {}
    for name, roles in axes.estimators.items():
        plugins: list[tuple[Role, object]] = [(role, named.plugin) for role, named in roles.items()]
        different = len({repr(plugin) for _, plugin in plugins}) > 1
        for role, plugin in plugins if different else plugins[:1]:
            words = f"{name}, {role}" if different else name
            if isinstance(plugin, Surrogate):
                found.append(EstimatorCurves(label(words), plugin, role))
            else:
                without[label(words)] = None
    return found, [*without]


def split(estimators: Iterable[EstimatorCurves]) -> tuple[list[EstimatorCurves], list[str]]:
    """Those whose f is a curve, and in words why others cannot be drawn."""
    shown: list[EstimatorCurves] = []
    problems: list[str] = []
    for curves in estimators:
        try:
            violations(curves, z := torch.linspace(-REACH, REACH, 5, dtype=torch.float64))
            _moments(curves, z)
        except Exception as error:  # whatever a stranger's f does
            why = f"{type(error).__name__}: {error}"
            problems.append(f"{curves.name} cannot be drawn: {' '.join(why.split())}")
        else:
            shown.append(curves)
    return shown, problems


def draw(estimators: Sequence[EstimatorCurves], title: str) -> Figure:
    """
    Draw f above f' of each.

    Raises:
        PluginError: an f raises, or returns what is no curve.
    """
    columns = min(beside(COLUMNS), len(estimators))
    lines = -(-len(estimators) // columns)
    size = (1.5 + 1.9 * columns, 0.9 + 3.2 * lines)
    figure, rows = sheet(title, 2 * lines, columns, size, sharex=True)
    for row in rows:
        for axes in row:
            axes.set_axis_off()
    for number, curves in enumerate(estimators):
        line, column = divmod(number, columns)
        try:
            _curves(rows[2 * line][column], rows[2 * line + 1][column], curves, first=not column)
        except Exception as error:  # whatever a stranger's f does
            message = f"{curves.name} cannot be drawn: {type(error).__name__}: {error}"
            raise PluginError(message) from error
    legend(figure, _entries())
    note = (
        "f and f' as they train, at the parameters given. Shaded: z where, at a value that the "
        "knob takes in training, f is further from sign z than z is. Of weights, unless "
        f"A is named. Slopes beyond {STEEPEST} are cut. "
        f"signbench {__version__}."
    )
    footnote(figure, note)
    return figure


def violations(curves: EstimatorCurves, z: torch.Tensor) -> list[bool]:
    """For each z: is f further from sign than the identity is, at any visited knob?"""
    knobs = list_visited(knob_in_training(curves.surrogate, curves.role))
    with torch.no_grad():
        errors = torch.stack([measure_error(curves.surrogate, z, knob) for knob in knobs])
    wrong = errors - measure_baseline_error(z) > ROUNDING
    return [bool(x) for x in wrong.any(0)]


def _curves(top: Axes, bottom: Axes, curves: EstimatorCurves, *, first: bool) -> None:
    surrogate, role = curves.surrogate, curves.role
    points = space_evenly(-REACH, REACH, POINTS)
    z = torch.tensor(points, dtype=torch.float64)
    for axes in (top, bottom):
        axes.set_axis_on()
        for low, high in _spans(points, violations(curves, z)):
            axes.axvspan(low, high, **SHADED)
    top.plot([-REACH, 0, 0, REACH], [-1, -1, 1, 1], **SIGN)
    for (f, df), colour, dashes in zip(_moments(curves, z), shades(3), DASHES, strict=True):
        for axes, values in ((top, f), (bottom, df)):
            axes.plot(points, values.numpy(), color=colour, linestyle=dashes)
    _cut(bottom)
    top.set_ylim(-2, 2)
    top.set_title(f"{curves.name}\n{_path(surrogate.knob(role))}")
    bottom.set_xlabel("z")
    bottom.tick_params(labelbottom=True)
    if first:
        top.set_ylabel("f(z)")
        bottom.set_ylabel("f'(z)")


def _moments(curves: EstimatorCurves, z: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """f and f' at each moment of the schedule, as many values as z has."""
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    for p in MOMENTS.values():
        knob = torch.tensor(curves.surrogate.path(p, curves.role), dtype=torch.float64)
        with torch.no_grad():
            values = curves.surrogate.f(z, knob), curves.surrogate.df(z, knob)
        found.append((values[0].expand_as(z), values[1].expand_as(z)))
    return found


def _cut(axes: Axes) -> None:
    """No slope beyond `STEEPEST` is shown, so that one that explodes hides no other."""
    found = np.concatenate([np.asarray(line.get_ydata()) for line in axes.get_lines()])
    found = found[np.isfinite(found)].clip(-STEEPEST, STEEPEST)
    low, high = float(found.min(initial=0)), float(found.max(initial=1e-3))
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _path(knob: Knob | None) -> str:
    if knob is None:
        return "no knob"
    if knob.learned:
        return f"{knob.name} from {knob.start:g}, learned"
    return f"{knob.name} from {knob.start:g} to {knob.end:g}"


def _spans(z: list[float], wrong: list[bool]) -> Iterator[tuple[float, float]]:
    """The stretches in which all is wrong."""
    for value, group in groupby(zip(z, wrong, strict=True), key=lambda pair: pair[1]):
        places = [place for place, _ in group]
        if value:
            yield places[0], places[-1]


SHADED: Traits = {"color": "#F3C9A9", "linewidth": 0, "zorder": 0.5}
SIGN: Traits = {"color": GREY, "linewidth": 0.9, "zorder": 1}


def _entries() -> dict[str, Artist]:
    found: dict[str, Artist] = {
        name: Line2D([], [], color=colour, linestyle=dashes)
        for name, colour, dashes in zip(MOMENTS, shades(3), DASHES, strict=True)
    }
    return found | {"sign z": Line2D([], [], **SIGN), "violates": Patch(**SHADED)}
