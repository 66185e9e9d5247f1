"""The command that compares two cells, or two results folders: parse, call, print."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import completion
from bench.cli.asked_form import TextForm, reading, write_form
from bench.cli.completion import offering
from bench.cli.options import Results
from bench.cli.streams import out


@reading
def diff(
    a: Annotated[
        str,
        typer.Argument(
            help="A cell: id, part of its name, its folder or record; or a results folder.",
            autocompletion=offering(completion.cells),
        ),
    ],
    b: Annotated[
        str,
        typer.Argument(help="Another of the same kind.", autocompletion=offering(completion.cells)),
    ],
    results: Results = Path("results"),
    form: TextForm = "rich",
) -> None:
    """Show what differs between two cells, or between two results folders.

    As in `bench diff ste-resnet20-w1a1-s0 reste-resnet20-w1a1-s0`, or `bench diff results other`.
    Cells that differ in more than estimator and seed cannot be compared.
    Exit code 3: they cannot, or one cell came to other bits, or the folders differ.
    """
    from bench.cli import diff_text
    from bench.results.diff import diff_targets

    found = diff_targets(a, b, results)
    if form == "json":
        write_form(form, asdict(found))
    else:
        diff_text.print_diff(found, out)
    if not found.agree:
        raise typer.Exit(3)
