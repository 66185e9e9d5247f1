"""f and f' of one estimator along its schedule, in ink for light pages or for dark ones."""

import io

import torch
from matplotlib import colormaps, rc_context  # pyright: ignore[reportUnknownVariableType]
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plugin import Surrogate
from bench.properties.verdicts import list_visited

INKS = {"light": "#333333", "dark": "#cccccc"}
MOMENTS = (0.0, 0.25, 0.5, 0.75, 0.999)


def draw(estimator: Surrogate, ink: str) -> str:
    """An SVG, f on the left and f' on the right; early curves are blue, late ones orange."""
    file = io.StringIO()
    inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    with rc_context({"svg.hashsalt": "plot", "font.size": 9, **dict.fromkeys(inked, ink)}):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot([-2, 0, 0, 2], [-1, -1, 1, 1], color=ink, lw=0.8, ls=":", label="sign z")
        _curves(estimator, left, right)
        for axes, title in ((left, "f(z)"), (right, "f′(z)")):
            axes.set(xlabel="z", title=title)
            axes.spines[["top", "right"]].set_visible(False)
        left.legend(frameon=False, handlelength=1.2)
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def _curves(estimator: Surrogate, left: Axes, right: Axes) -> None:
    z = torch.linspace(-2, 2, 801, dtype=torch.float64)
    name, values = _knobs(estimator)
    for i, value in enumerate(values):
        knob = torch.tensor(value, dtype=torch.float64)
        colour = colormaps["plasma"](0.1 + 0.65 * i / max(len(values) - 1, 1))
        label = f"{name} = {value:.3g}" if name else "f"
        left.plot(z, estimator.f(z, knob), color=colour, label=label)
        right.plot(z, estimator.df(z, knob), color=colour)


def _knobs(estimator: Surrogate) -> tuple[str, list[float]]:
    """The knob's name, and values on its path; of a learned one, from all over its range."""
    knob = estimator.knob()
    if knob is None:
        return "", [0.0]
    if knob.learned:
        every = list_visited(knob)
        return knob.name, [every[int(p * len(every))] for p in MOMENTS]
    return knob.name, [*dict.fromkeys(estimator.path(p) for p in MOMENTS)]
