"""The command that shows e and s of one cell by layer: parse, call, print."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.cli.options import AsJson, CellName, Results
from bench.cli.streams import out, write_csv, write_rows
from bench.errors import UsageError
from bench.spec.choices import Definition


def indicators(
    cell: CellName,
    results: Results = Path("results"),
    equilibrium: Annotated[Definition, typer.Option(help="Which e and s to show.")] = "paper",
    form: Annotated[
        Literal["rich", "csv", "json"],
        typer.Option("--format", help="csv, json: every layer and epoch."),
    ] = "rich",
    histograms: Annotated[
        bool, typer.Option("--histograms", help="Instead the histograms kept, as CSV.")
    ] = False,
    curves: Annotated[
        bool, typer.Option("--curves", help="Instead loss and accuracy by epoch, as CSV.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show e and s of one cell layer by layer, weights and activations apart.

    As in `bench indicators ste-resnet20-w1a1-s0 --format csv`.
    """
    from bench.leaderboard import per_layer
    from bench.results import cell_folders

    form = "json" if as_json else form
    if (form != "rich") + histograms + curves > 1:
        message = "--format csv, --histograms and --curves are three tables; ask for one of them"
        raise UsageError(message)
    record = cell_folders.find_record(results, cell)
    if histograms:
        write_csv(per_layer.histograms(record))
    elif curves:
        write_csv(per_layer.curves(record))
    elif form == "json":
        write_rows(per_layer.frame(record, equilibrium))
    elif form == "csv":
        write_csv(per_layer.frame(record, equilibrium))
    else:
        out.print(per_layer.table(record, equilibrium))
