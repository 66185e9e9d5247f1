"""
How every figure looks: type, colours, markers, and the bytes that it becomes.

Colours are those of Okabe and Ito, which colour-blind eyes tell apart; since print may be grey, no
two estimators of a suite share both marker and dashes. Text of suites is shown as it stands,
never read as mathematics. The same figure gives the same bytes: no dates, no random ids.
"""

import hashlib
import io
import math
import re
import textwrap
import warnings
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, TypeAlias, cast

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.base.text import printable

Traits: TypeAlias = dict[str, Any]  # keywords of an artist
FigureFormat: TypeAlias = Literal["svg", "pdf", "png"]

COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.6)), (0, (1, 1.2)), (0, (6, 1.4, 1, 1.4)))
FIRST = ("ste", "reste", "ede", "dsq", "fda", "rbnn", "none")  # have these styles in every suite
COMBINATIONS = math.lcm(len(COLOURS), len(MARKERS), len(DASHES))
GREY, SHADE, MAP = "#767676", "#BBBBBB", "cividis"
LONGEST = 36  # characters of a label
PAPER_WIDTH: ContextVar[float | None] = ContextVar("PAPER_WIDTH", default=None)  # in inches
NARROWEST = 1.9  # inches of axes beside others

RC: Traits = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "axes.unicode_minus": True,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.titlesize": 9,
    "figure.titleweight": "bold",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": 8,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "signbench",
    "text.parse_math": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
}


@dataclass(frozen=True)
class LineStyle:
    """Colour, marker and dashes of one estimator."""

    colour: str
    marker: str
    dashes: Any

    def line(self, points: int = 0, **change: Any) -> Traits:
        """
        Of a curve of so many points; `change` goes before.

        Some eight are marked, not where another marker has its own.
        """
        every = max(1, points // 8)
        first = MARKERS.index(self.marker) * every // len(MARKERS)
        own: Traits = {
            "color": self.colour,
            "linestyle": self.dashes,
            "marker": self.marker,
            "markevery": (first, every),
            "markersize": 3.5,
        }
        return own | change

    def point(self) -> Traits:
        """Of a point with its error bars."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": "none",
            "capsize": 2,
            "elinewidth": 0.9,
            "markersize": 5.5,
            "markeredgecolor": "white",
            "markeredgewidth": 0.4,
        }


def assign_styles(labels: Iterable[str]) -> dict[str, LineStyle]:
    """
    The style of each label.

    Those of `FIRST` have their own for ever. Another's follows from its name, but its colour is
    that of the row it is named after: `ste_gain` has that of `ste`. Where two of one suite would
    look alike, the later in the alphabet takes the next that is free.
    """
    names = sorted(set(labels), key=lambda name: (name not in FIRST, name))
    taken: Counter[Any] = Counter()
    found: dict[str, LineStyle] = {}
    for name in names:
        found[name] = min(
            _candidates(name, found.get(name.split("_")[0])),
            key=lambda own: [taken[trait] for trait in _traits(own)],
        )
        taken.update(_traits(found[name]))
    return found


def _candidates(name: str, after: LineStyle | None) -> Iterator[LineStyle]:
    """The styles that a label, named after another or none, may have, the best first."""
    if name in FIRST:
        yield _style(FIRST.index(name))
        return
    start = int.from_bytes(hashlib.sha256(name.encode(errors="replace")).digest()[:8])
    styles = (_style(start + i) for i in range(COMBINATIONS))
    yield from (own for own in styles if after is None or own.colour == after.colour)


def _style(at: int) -> LineStyle:
    return LineStyle(
        COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)], DASHES[at % len(DASHES)]
    )


def _traits(style: LineStyle) -> tuple[Any, ...]:
    """What two styles should not share, the worst first."""
    colour, marker, dashes = style.colour, style.marker, style.dashes
    return (marker, dashes), colour, (colour, dashes), (colour, marker), marker


def shades(count: int) -> list[str]:
    """Colours of moments of training, the first the lightest; grey print keeps their order."""
    found = mpl.colormaps[MAP]
    return [to_hex(found(0.85 * (1 - i / max(1, count - 1)))) for i in range(count)]


@contextmanager
def styled(width: float | None = None) -> Generator[None, None, None]:
    """
    Within, figures are made and written in the style, wherever the program runs.

    Args:
        width: in inches, of figures for a paper, whose title and note are its caption's; None: each
            is as wide as it needs, with both in it.
    """
    token = PAPER_WIDTH.set(width)
    try:
        with _in_style():
            yield
    finally:
        PAPER_WIDTH.reset(token)


@contextmanager
def _in_style() -> Generator[None, None, None]:
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(cast("Any", RC))
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield


def label(text: str) -> str:
    """A stranger's text, in one line of a length that a figure has room for."""
    line = " ".join(printable(text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def sheet(
    title: str, rows: int, columns: int, size: tuple[float, float], **more: Any
) -> tuple[Figure, list[list[Axes]]]:
    """
    A figure in inches with its title, and its axes by row and column.

    Of a given width those of one row stand below each other where they would be too narrow.
    """
    width = PAPER_WIDTH.get()
    stacked = width is not None and rows == 1 and width < NARROWEST * columns
    lines, across = (columns, 1) if stacked else (rows, columns)
    if width is not None:
        high = min(size[1] / rows, max(1.3, 0.66 * width / across))
        size = width, lines * high + 0.3
    figure = Figure(figsize=size, layout="constrained")
    figure.set_label(printable(title))
    if width is None:
        figure.suptitle(printable(title), x=0.01, ha="left")
    grid = [list(row) for row in figure.subplots(lines, across, squeeze=False, **more)]
    return figure, [[row[0] for row in grid]] if stacked else grid


def beside(most: int) -> int:
    """How many axes stand beside each other, which are `most` where there is room."""
    width = PAPER_WIDTH.get()
    return most if width is None else max(1, min(most, int(width / 1.5)))


def broken(text: str) -> str:
    """The name of an axis, in two lines where there is little room."""
    return text if PAPER_WIDTH.get() is None else text.replace(", ", ",\n", 1)


def caption(figure: Figure) -> str:
    """A figure's title, and what must be said of it: a line each."""
    return str(figure.get_label())


def footnote(figure: Figure, text: str) -> None:
    """What must be said of a figure, below it, or in its caption where it is a paper's."""
    figure.set_label(f"{caption(figure)}\n{printable(text)}")
    if PAPER_WIDTH.get() is not None:
        return
    wide = int(figure.get_figwidth() * 20)
    lines = "\n".join(textwrap.wrap(printable(text), wide))
    figure.supxlabel(lines, x=0.01, ha="left", fontsize=6, color="#444444")


def legend(figure: Figure, entries: Mapping[str, Artist]) -> None:
    """What each line is, beside the axes or of a paper's figure below, where it covers nothing."""
    if not entries:
        return
    blank = [str(number) for number in range(len(entries))]
    width = PAPER_WIDTH.get()
    place: Traits = {"loc": "outside right upper"}
    if width is not None:
        letters = max(map(len, entries))
        columns = max(1, min(len(entries), int(width / (0.5 + 0.065 * letters))))
        place = {"loc": "outside lower center", "ncols": columns, "handlelength": 2.4}
    found = figure.legend(list(entries.values()), blank, **place)
    for text, name in zip(found.get_texts(), entries, strict=True):
        text.set_text(name)  # not as a label, of which some have a meaning: `_x` is hidden


def sample(style: LineStyle, **change: Any) -> Line2D:
    """A piece of an estimator's line, for the legend."""
    return Line2D([], [], **style.line(**change))


def logarithmic(axes: Axes, which: Literal["x", "y"]) -> None:
    """A logarithmic axis, its ticks in plain text, where anything on it is above 0."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if not math.isfinite(axis.get_minpos()):
        return
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,), numticks=6))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(power))


def whole(axes: Axes, which: Literal["x", "y"] = "x") -> None:
    """Ticks at whole numbers along an axis."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def within(axes: Axes, low: float, high: float) -> None:
    """Show no more than `low` to `high` along y, whatever intervals reach beyond."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, low), min(top, high))


def power(value: float, _: object = None) -> str:
    """`10⁻³`, `2·10⁻³`; as it is from 0.01 to 9999."""
    if value <= 0 or 0.01 <= value < 10_000:
        return f"{value:g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    factor = value / 10**exponent
    return f"10{raised}" if abs(factor - 1) < 1e-6 else f"{factor:.3g}·10{raised}"


def encode(figure: Figure, form: FigureFormat) -> bytes:
    """The file of a figure; the same for the same figure and matplotlib."""
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[form]
    written = io.BytesIO()
    with styled():
        figure.savefig(written, format=form, dpi=200, metadata=dates)
    data = written.getvalue()  # equal images get equal ids, which nothing refers to
    return re.sub(rb' id="image[0-9a-f]+"', b"", data) if form == "svg" else data


def svg(figure: Figure, name: str, caption: str = "") -> str:
    """
    A figure as an element of a page.

    Args:
        name: begins every id in it, so that several stand in one page.
        caption: what is read to those who do not see it.
    """
    text = encode(figure, "svg").decode()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    own = re.sub(r"[^A-Za-z0-9]+", "-", name)
    text = re.sub(r'(\sid="|="#|url\(#)', lambda found: f"{found[0]}{own}-", text)
    titled = f'<svg role="img" aria-label="{escape(printable(caption or name))}"'
    return text.replace("<svg", titled, 1)
