"""The command that checks what a results folder holds: parse, call, print."""

import secrets
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.base.text import count
from bench.cli.asked_form import TableForm, reading, write_form
from bench.cli.options import Data, Results, SuitesOrCells
from bench.cli.streams import out


@reading
def verify(
    names: SuitesOrCells = None,
    results: Results = Path("results"),
    data: Data = None,
    accuracy: Annotated[
        bool, typer.Option(help="Measure the kept weights again, from data.")
    ] = True,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Measure so many cells again, drawn by lot; all if not given."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the lot; one that nobody knows before if not given.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="What cannot be measured again is an error, too.")
    ] = False,
    form: TableForm = "rich",
) -> None:
    """Check records, seals, weights and their accuracy again, a line for each cell.

    As in `bench verify`, or `bench verify quickstart --no-accuracy`. The first name may also be an
    archive, or a results folder: `bench verify theirs.tar.gz --sample 3`. Nothing in it is run.
    What could not be checked is said. Exit code 3: something differs from what was recorded.
    """
    from bench.planning.plan_check import check_plan
    from bench.results.submission import opened
    from bench.train.verify import Checked, Measuring, summarize, verify_cells

    drawn_by = secrets.randbelow(10**6) if seed is None else seed
    checked: list[Checked] = []
    with (
        opened(names or [], results) as source,
        out.status("verifying") if out.is_terminal else nullcontext() as status,
    ):
        how = Measuring(sample, drawn_by, strict, check_plan if source.foreign else None)
        found = verify_cells(source.root, source.names, data, accuracy=accuracy, measuring=how)
        for number, total, cell in found:
            checked.append(cell)
            if form == "rich":
                print_text(out, str(cell))
            if status:
                status.update(f"{number} of {count(total, 'cell')} verified")
    if form != "rich":
        write_form(form, [{"state": cell.state, **asdict(cell)} for cell in checked])
        if any(cell.wrong for cell in checked):
            raise typer.Exit(3)
        return
    lot = f"; measured again: {sample}, drawn by --seed {drawn_by}" if sample and accuracy else ""
    print_text(out, summarize(checked) + lot)
    if any(cell.wrong for cell in checked):
        raise typer.Exit(3)
