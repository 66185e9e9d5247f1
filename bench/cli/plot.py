"""The command that draws: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli import completion
from bench.cli.completion import offering
from bench.cli.options import AllowStale, Equilibrium, RanWith, Results, join_filters
from bench.cli.streams import err, out
from bench.report.figures.kinds import GALLERY, FigureKind


def plot(
    suite: Annotated[
        Path,
        typer.Argument(
            metavar="SUITE|gallery",
            help="A suite that ran, by name or file; or `gallery`.",
            autocompletion=offering(completion.ran, lambda _: [GALLERY]),
        ),
    ],
    overrides: RanWith = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help=f"{', '.join(FigureKind)} or {GALLERY}; repeatable. "
            "If not given: of a paper's figure what it shows, else all.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder.")] = Path("figures"),
    form: Annotated[
        str, typer.Option("--format", help="svg, pdf or png, or several joined by commas.")
    ] = "svg,pdf",
    width: Annotated[
        str,
        typer.Option(
            help="Of a paper: column, text, or centimetres. Type has its true size then, and title "
            "and note stand in NAME.txt, for the caption."
        ),
    ] = "",
    filter_: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", "-k", help='Rows and panels to draw, as in "estimator=ste & wa=1/1".'
        ),
    ] = None,
    results: Results = Path("results"),
    equilibrium: Equilibrium = None,
    allow_stale: AllowStale = False,
) -> None:
    """Draw figures of what a suite measured, or every estimator's f and f'.

    As in `bench plot figure4-mini`, `bench plot quickstart --kind curves --width column`,
    `bench plot gallery`. What cannot be drawn is left out, and said.
    The same records give the same bytes.
    """
    from bench.api import suite_figures
    from bench.report.figures import files

    files.formats(form)  # before anything is drawn
    drawn = suite_figures.plot(
        suite,
        overrides or [],
        kind=kind or (),
        results=results,
        equilibrium=equilibrium,
        allow_stale=allow_stale,
        width=width,
        filter=join_filters(filter_),
    )
    for note in drawn.notes:
        print_text(err, f"note: {note}")
    for path in drawn.save(output, form):
        print_text(out, f"wrote {path}")
