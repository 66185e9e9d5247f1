"""The command that writes a site of many suites: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.options import AllowStale
from bench.cli.streams import err, out


def site(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The site's folder; new, or an older site's.")
    ],
    results: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RESULTS]...",
            help="Results folders; ./results if none is named.",
            envvar="BENCH_RESULTS",
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="What the site is called.")] = "signbench",
    allow_stale: AllowStale = False,
    figures: Annotated[bool, typer.Option(help="Draw figures.")] = True,
    weights: Annotated[bool, typer.Option(help="Archives have the trained weights, too.")] = False,
) -> None:
    """Write a site of every suite that ran: its questions, their answers, and all behind them.

    As in `bench site public results other/results`, then open `public/index.html`.
    A page for each suite, method, network and machine; boards as CSV, JSON and LaTeX, cells as CSV,
    results as archives. It needs no server and no network, and runs nothing of what it shows.
    """
    from bench.api import results_site
    from bench.report.site.write import summarize

    made = results_site.site(
        folder,
        *(results or []),
        title=title,
        allow_stale=allow_stale,
        figures=figures,
        weights=weights,
    )
    for problem in made.problems:
        print_text(err, f"note: {problem}")
    print_text(out, f"wrote {folder / 'index.html'}: {summarize(made)}")
