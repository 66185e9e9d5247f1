"""Figures of what a suite measured: `bench.plot`."""

from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure

from bench.api.arguments import Overrides, spell_overrides
from bench.report.figures import files
from bench.spec.choices import Definition


class SuiteFigures(dict[str, Figure]):
    """
    Figures by their names, as matplotlib has them.

    Attributes:
        notes: what is missing in them, and what makes it.
        captions: their titles and notes are not in them, but written beside by `save`.
    """

    def __init__(
        self, drawn: Iterable[tuple[str, Figure]], notes: list[str], *, captions: bool = False
    ) -> None:
        super().__init__(drawn)
        self.notes, self.captions = notes, captions

    def save(self, folder: str | Path = "figures", formats: str = "svg,pdf") -> list[Path]:
        """
        Write every figure in each format, as `bench plot` does; the same records, the same bytes.

        Of figures with a width also what belongs into the caption, as text.

        Args:
            folder: made if it is not there.
            formats: svg, pdf or png, or several joined by commas.

        Raises:
            UsageError: no such format.
            EnvironmentProblem: the folder cannot be written.
        """
        forms = files.formats(formats)
        return [
            path
            for drawn in self.items()
            for path in files.write(drawn, Path(folder), forms, captions=self.captions)
        ]

    def _repr_html_(self) -> str:
        """What a notebook shows: the figures as SVG, one below the other."""
        return "\n".join(files.encode(figure, "svg").decode() for figure in self.values())


def plot(
    suite: str | Path,
    overrides: Overrides = (),
    *,
    kind: str | Iterable[str] = (),
    results: str | Path = "results",
    equilibrium: Definition | None = None,
    allow_stale: bool = False,
    width: str = "",
    filter: str = "",
) -> SuiteFigures:
    """
    Draw figures of what a suite measured, or of every estimator's f and f', as `bench plot` does.

    Args:
        suite: that ran; or `gallery`.
        overrides: that it ran with.
        kind: one or several of those that `bench plot --help` names; none: all that can be drawn.
        results: the results folder.
        equilibrium: which e and s, `paper`, `code` or `scale_free`; None: the suite's own.
        allow_stale: draw records that other code made, too.
        width: column, text or centimetres, for a paper: no title and note in the figure, which
            `save` writes beside; empty: each as wide as it needs.
        filter: rows and panels to draw, as in `"estimator=ste & wa=1/1"`.

    Raises:
        UsageError: no such kind, one that cannot be drawn of this suite, or it never ran.
        EmptyMatch: it ran, and nothing was measured.
    """
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    words = spell_overrides(overrides)
    wide = files.inches(width)
    own = Path(suite), words, kinds, Path(results), equilibrium, allow_stale, wide, filter
    request = files.PlotRequest(*own)
    return SuiteFigures(*files.figures(request), captions=wide is not None)
