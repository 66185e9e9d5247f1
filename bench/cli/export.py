"""The command that writes results to one archive: parse, call, print."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.base.collector import held_back
from bench.base.console import print_text
from bench.base.text import count
from bench.cli.options import Results, SuitesOrCells
from bench.cli.streams import out
from bench.errors import EmptyMatch

TOLD = (
    "what travels: names, numbers and logs of the cells, and of each the machine's name, "
    "processor, versions, commit, command line and folders"
)


@held_back()
def export(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The archive, a .tar.gz file; or the table.")
    ],
    names: SuitesOrCells = None,
    results: Results = Path("results"),
    weights: Annotated[bool, typer.Option(help="Take the trained weights along.")] = True,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Take checkpoints and unfinished cells along.")
    ] = False,
    form: Annotated[
        Literal["archive", "csv", "parquet"],
        typer.Option("--format", help="csv, parquet: a table with a line for each cell."),
    ] = "archive",
) -> None:
    """Write cells, and the plans and tables of suites, to one archive for `bench merge`.

    As in `bench export quickstart -o quickstart.tar.gz`. The same results give the same bytes.
    For other programs a table, a line for each cell, every parameter in a column of its own:
    `bench export quickstart --format csv -o cells.csv`.
    """
    if form != "archive":
        _export_table(output, names or [], results, form)
        return
    from bench.results import archive, cell_folders, weight_files

    chosen, plans = cell_folders.select_folders(results, names or [], told=True)
    taken: list[cell_folders.CellFolder] = []
    for kept in chosen:
        if kept.record or (kept.unfinished and checkpoints):
            taken.append(kept)
        else:
            print_text(out, f"left out: {kept.slug}: {kept.problem}")
    members = [m for plan in plans for m in archive.list_suite_files(results, plan)]
    for kept in taken:
        problems = weight_files.check_weight_files(kept) if weights else {}
        for problem in filter(None, problems.values()):
            print_text(out, f"left out: {kept.slug}: {problem}")
        sound = [name for name, problem in problems.items() if not problem]
        members += archive.list_cell_files(kept, sound, checkpoints)
    if not members:
        message = f"nothing to export from `{results}`: no cell has a record"
        raise EmptyMatch(message)
    print_text(out, TOLD)
    size = archive.write_archive(output, members)
    sums = {"cell": len(taken), "suite": len(plans), "file": len(members), "byte": size}
    print_text(out, f"wrote {output}: {', '.join(count(n, noun) for noun, n in sums.items())}")


def _export_table(
    output: Path, names: list[str], results: Path, form: Literal["csv", "parquet"]
) -> None:
    """
    Write a table with a line for each cell.

    Raises:
        EmptyMatch: there is no cell.
        EnvironmentProblem: what writes Parquet is not installed, or the file cannot be written.
    """
    from bench.api import recorded_cells
    from bench.base.files import write_output
    from bench.leaderboard import frame_files

    table = recorded_cells.cells(*names, results=results)
    if table.empty:
        message = f"nothing to export from `{results}`: there is no cell"
        raise EmptyMatch(message)
    if form == "csv":
        content = frame_files.write_csv(table).encode()
    else:
        content = frame_files.write_parquet(table)
    write_output(output, content)
    print_text(out, f"wrote {output}: {count(len(table), 'cell')}, {table.shape[1]} columns")
