"""The commands that look after a results folder: parse, call, print."""

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from bench.base.console import print_text
from bench.base.text import count
from bench.cli import completion
from bench.cli.completion import offering
from bench.cli.options import AllowStale, Data, Equilibrium, Results
from bench.cli.streams import out
from bench.errors import EmptyMatch
from bench.results import archive, cell_folders, weight_files

shelf_app = typer.Typer()

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SUITE|CELL",
        help="Suites that ran, by name, and cells, by id or a part of the folder's name. "
        "Everything, if none is named.",
        autocompletion=offering(completion.ran, completion.cells),
    ),
]
Form = Annotated[Literal["rich", "json"], typer.Option("--format", help="How to print it.")]


@shelf_app.command()
def trace(
    target: Annotated[
        str,
        typer.Argument(
            metavar="SUITE|CELL",
            help="A suite that ran, or a cell: id or part of it.",
            autocompletion=offering(completion.ran, completion.cells),
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD",
            help="Of a suite: its overrides, and what the row is called, in any order: estimator, "
            "backbone, W/A, schedule, `tuned` or `untuned`. All rows, if nothing is said.",
        ),
    ] = None,
    results: Results = Path("results"),
    equilibrium: Equilibrium = None,
    form: Form = "rich",
    allow_stale: AllowStale = False,
) -> None:
    """Go from a number of a leaderboard to the cells, files, commands and machines that made it.

    As in `bench trace quickstart reste 1/1`, or `bench trace 2a8236e84cec`.
    A row's numbers are shown with the values by seed that they are means of, then every cell.
    """
    from bench.leaderboard import trace as traces
    from bench.leaderboard.tables import trace_text

    found = traces.trace(target, words or [], results, equilibrium, stale=allow_stale)
    if form == "json":
        _json([asdict(row) for row in found] if isinstance(found, list) else asdict(found))
    elif isinstance(found, list):
        for row in found:
            trace_text.row(row, out)
    else:
        trace_text.trail(found, out)


@shelf_app.command()
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
    form: Form = "rich",
) -> None:
    """Show what differs between two cells, or between two results folders.

    As in `bench diff ste-resnet20-w1a1-s0 reste-resnet20-w1a1-s0`, or `bench diff results other`.
    Cells that differ in more than estimator and seed cannot be compared.
    Exit code 3: they cannot, or one cell came to other bits, or the folders differ.
    """
    from bench.cli import diff_text
    from bench.results import diff as diffs

    found = diffs.diff(a, b, results)
    if form == "json":
        _json(asdict(found))
    else:
        diff_text.show(found, out)
    if not found.agree:
        raise typer.Exit(3)


@shelf_app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive, a .tar.gz file.")],
    names: Names = None,
    results: Results = Path("results"),
    weights: Annotated[bool, typer.Option(help="Take the trained weights along.")] = True,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Take checkpoints and unfinished cells along.")
    ] = False,
) -> None:
    """Write cells, and the plans and tables of suites, to one archive for `bench merge`.

    As in `bench export quickstart -o quickstart.tar.gz`.
    The same results give the same bytes.
    """
    chosen, plans = cell_folders.chosen(results, names or [])
    taken = [k for k in chosen if k.record or (k.unfinished and checkpoints)]
    for kept in (kept for kept in chosen if kept not in taken):
        _say(f"left out: {kept.slug}: {kept.problem}")
    members = [m for plan in plans for m in archive.tables(results, plan)]
    for kept in taken:
        found = weight_files.judged(kept) if weights else {}
        for why in filter(None, found.values()):
            _say(f"left out: {kept.slug}: {why}")
        sound = [name for name, why in found.items() if not why]
        members += archive.files(kept, sound, checkpoints)
    if not members:
        message = f"nothing to export from `{results}`: no cell has a record"
        raise EmptyMatch(message)
    size = archive.pack(output, members)
    sums = {"cell": len(taken), "suite": len(plans), "file": len(members), "byte": size}
    _say(f"wrote {output}: {', '.join(count(n, noun) for noun, n in sums.items())}")


@shelf_app.command()
def merge(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE", help="Archives of `bench export`, results folders."),
    ],
    results: Annotated[
        Path,
        typer.Option(
            "--results",
            "--into",
            help="The results folder.",
            envvar="BENCH_RESULTS",
            show_envvar=True,
        ),
    ] = Path("results"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    prefer: Annotated[
        Literal["ours", "theirs"] | None,
        typer.Option(help="Whose outcome stays where both measured a cell and do not agree."),
    ] = None,
) -> None:
    """Bring results from elsewhere into a results folder; nothing that is there is lost.

    As in `bench merge quickstart.tar.gz other/results`.
    New cells are copied, equal ones skipped; a failure gives way to a measurement.
    What gives way is kept in `attic`, below the results folder.
    Exit code 3: both measured a cell and do not agree, or a cell of the source was refused.
    """
    from bench.results import merge as merging

    counts: Counter[str] = Counter()
    settled = True
    for source in sources:
        for step in merging.merge(source, results, prefer, dry=dry_run):
            counts[step.kind] += 1
            settled = settled and step.settled
            if step.kind != "equal":
                _say(f"{step.kind:10}{step.name}{f': {step.text}' if step.text else ''}")
    told = ", ".join(f"{n} {kind}" for kind, n in counts.items()) or "nothing there to merge"
    _say(f"{results}: {told}{'; nothing was changed' if dry_run else ''}")
    if not settled:
        raise typer.Exit(3)


@shelf_app.command()
def verify(
    names: Names = None,
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
    from bench.train import verify as verifying

    checked: list[verifying.Checked] = []
    with out.status("verifying") if out.is_terminal else nullcontext() as status:
        for number, total, cell in verifying.verify(results, names or [], data, accuracy=accuracy):
            checked.append(cell)
            _say(str(cell))
            if status:
                status.update(f"{number} of {count(total, 'cell')} verified")
    _say(verifying.summary(checked))
    if any(cell.wrong for cell in checked):
        raise typer.Exit(3)


def _json(value: Any) -> None:
    out.file.write(json.dumps(value, ensure_ascii=False, indent=1, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    """A claim as JSON holds it."""
    return value.model_dump(mode="json", exclude_defaults=True)


def _say(text: str) -> None:
    print_text(out, text)
