"""The command that measures kept weights again: parse, call, print."""

from pathlib import Path

import typer

from bench.base.console import print_text
from bench.cli.options import CellName, Data, Results
from bench.cli.streams import out


def eval_(
    cell: CellName,
    results: Results = Path("results"),
    data: Data = None,
) -> None:
    """Measure the kept weights of one cell again, and compare with its record.

    As in `bench eval ste-resnet20-w1a1-s0`.
    """
    from bench.train import evaluation

    agrees = True
    for text, same in evaluation.measure_again(cell, results, data):
        print_text(out, text)
        agrees = agrees and same
    if not agrees:
        raise typer.Exit(3)
