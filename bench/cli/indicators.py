"""The command that shows e and s of one cell by layer: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.asked_form import TableForm, reading
from bench.cli.options import CellName, Results, refuse_if
from bench.cli.streams import out, write_csv, write_rows
from bench.spec.choices import Definition


@reading
def indicators(
    cell: CellName,
    results: Results = Path("results"),
    equilibrium: Annotated[
        Definition, typer.Option(help="Which e and s to show; the paper's if not given.")
    ] = "paper",
    form: TableForm = "rich",
    histograms: Annotated[
        bool, typer.Option("--histograms", help="Instead the histograms kept, as CSV.")
    ] = False,
    curves: Annotated[
        bool, typer.Option("--curves", help="Instead loss and accuracy by epoch, as CSV.")
    ] = False,
) -> None:
    """Show e and s of one cell layer by layer, weights and activations apart.

    As in `bench indicators ste-resnet20-w1a1-s0 --format csv`.
    """
    from bench.leaderboard import per_layer
    from bench.results import cell_folders

    refuse_if(histograms and curves, "--histograms and --curves are two tables; ask for one")
    record = cell_folders.find_record(results, cell)
    if form == "rich" and not (histograms or curves):
        out.print(per_layer.table(record, equilibrium))
        return
    if histograms:
        frame = per_layer.histograms(record)
    else:
        frame = per_layer.curves(record) if curves else per_layer.frame(record, equilibrium)
    (write_rows if form == "json" else write_csv)(frame)
