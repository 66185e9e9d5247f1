"""The arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench import completion
from bench.completion import offering

Results = Annotated[
    Path, typer.Option(help="The results folder.", envvar="BENCH_RESULTS", show_envvar=True)
]
AllowStale = Annotated[
    bool, typer.Option("--allow-stale", help="Show stale records in the table, marked.")
]
Data = Annotated[
    Path | None,
    typer.Option(help="The data folder; ./data if not given.", envvar="BENCH_DATA"),
]
Ran = Annotated[
    Path,
    typer.Argument(
        metavar="SUITE", help="A suite that ran.", autocompletion=offering(completion.ran)
    ),
]
RanWith = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY.PATH=VALUE]...", help="Overrides that it ran with."),
]
Equilibrium = Annotated[
    Literal["paper", "code", "scale_free"] | None,
    typer.Option(help="Which e and s to show; the suite's choice if not given."),
]
Correction = Annotated[
    Literal["holm", "fdr"],
    typer.Option(help="Of the tests between rows: for any false one, or for their part."),
]
Layout = Annotated[
    Literal["rich", "md", "tex", "html", "csv", "json"],
    typer.Option("--format", help="How to print it; tex is booktabs, html a page of its own."),
]
Style = Annotated[
    str,
    typer.Option(help="Columns and rows of a table of the ReSTE paper, as in paper:table3."),
]
