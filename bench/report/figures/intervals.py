"""A mean over seeds and its interval, drawn along an axis."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from bench.leaderboard.stats.intervals import Estimate, estimate
from bench.report.figures.style import LineStyle

BANDS = "Lines: means over seeds; bands: 95 % t intervals (none with one seed)"
FINE = 200  # places at which a band of many epochs is drawn; its mean is drawn at all


def means(curves: Sequence[Sequence[float]]) -> list[Estimate]:
    """The estimate at each place, over as many curves as have one there."""
    length = max((len(curve) for curve in curves), default=0)
    at = ([curve[i] for curve in curves if i < len(curve)] for i in range(length))
    return [found for values in at if (found := estimate(values))]


def band(axes: Axes, style: LineStyle, x: Sequence[float], found: Sequence[Estimate]) -> None:
    """Draw the mean, and where there is one its interval."""
    axes.plot(x, [e.mean for e in found], **style.line(len(found)))
    wide = [(at, e.mean, e.half_width) for at, e in zip(x, found, strict=True) if e.half_width]
    if wide:
        every = max(1, len(wide) // FINE)
        wide = wide[:-1:every] + wide[-1:]
        places, middle, half = zip(*wide, strict=True)
        low, high = ([m + sign * h for m, h in zip(middle, half, strict=True)] for sign in (-1, 1))
        axes.fill_between(places, low, high, color=style.colour, alpha=0.15, linewidth=0)


def whisker(found: Estimate | None) -> float | None:
    """The half width of an error bar; none where there is no interval."""
    return found.half_width if found else None
