"""The command that checks what a results folder holds: parse, call, print."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.base.text import count
from bench.cli.options import Data, Results, SuitesOrCells
from bench.cli.streams import out


def verify(
    names: SuitesOrCells = None,
    results: Results = Path("results"),
    data: Data = None,
    accuracy: Annotated[
        bool, typer.Option(help="Measure the kept weights again, from data.")
    ] = True,
) -> None:
    """Check records, seals, weights and their accuracy again, a line for each cell.

    As in `bench verify`, or `bench verify quickstart --no-accuracy`.
    What could not be checked is said. Exit code 3: something differs from what was recorded.
    """
    from bench.train.verify import Checked, summarize, verify_cells

    checked: list[Checked] = []
    with out.status("verifying") if out.is_terminal else nullcontext() as status:
        for number, total, cell in verify_cells(results, names or [], data, accuracy=accuracy):
            checked.append(cell)
            print_text(out, str(cell))
            if status:
                status.update(f"{number} of {count(total, 'cell')} verified")
    print_text(out, summarize(checked))
    if any(cell.wrong for cell in checked):
        raise typer.Exit(3)
