"""The command that measures kept weights again: parse, call, print."""

from pathlib import Path

import typer

from bench.base.console import print_text
from bench.cli.asked_form import TextForm, reading, write_form
from bench.cli.options import CellName, Data, Results
from bench.cli.streams import out


@reading
def eval_(
    cell: CellName,
    results: Results = Path("results"),
    data: Data = None,
    form: TextForm = "rich",
) -> None:
    """Measure the kept weights of one cell again, and compare with its record.

    As in `bench eval ste-resnet20-w1a1-s0`.
    """
    from bench.train import evaluation

    told: list[dict[str, object]] = []
    for text, same in evaluation.measure_again(cell, results, data):
        told.append({"holds": same, "lines": text.splitlines()})
        if form == "rich":
            print_text(out, text)
    if form == "json":
        write_form(form, told)
    if not all(one["holds"] for one in told):
        raise typer.Exit(3)
