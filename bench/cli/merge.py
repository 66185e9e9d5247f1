"""The command that brings results from elsewhere: parse, call, print."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.base.console import print_text
from bench.cli.asked_form import TableForm, reading, write_form
from bench.cli.streams import out


@reading
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be merged, and change nothing.")
    ] = False,
    prefer: Annotated[
        Literal["ours", "theirs"] | None,
        typer.Option(help="Whose outcome stays where both measured a cell and do not agree."),
    ] = None,
    form: TableForm = "rich",
) -> None:
    """Bring results from elsewhere into a results folder; nothing that is there is lost.

    As in `bench merge quickstart.tar.gz other/results`.
    New cells are copied, equal ones skipped; a failure gives way to a measurement.
    What gives way is kept in `attic`, below the results folder.
    Exit code 3: both measured a cell and do not agree, or a cell of the source was refused.
    """
    from bench.results.merge import merge_into

    counts: Counter[str] = Counter()
    settled = True
    told: list[dict[str, str]] = []
    for source in sources:
        for step in merge_into(source, results, prefer, dry=dry_run):
            counts[step.kind] += 1
            settled = settled and step.settled
            told.append({"source": str(source), **asdict(step)})
            if step.kind != "equal" and form == "rich":
                text = f": {step.text}" if step.text else ""
                print_text(out, f"{step.kind:10}{step.name}{text}")
    if form != "rich":
        write_form(form, told)
        if not settled:
            raise typer.Exit(3)
        return
    sums = ", ".join(f"{n} {kind}" for kind, n in counts.items()) or "nothing there to merge"
    unchanged = "; nothing was changed" if dry_run else ""
    print_text(out, f"{results}: {sums}{unchanged}")
    if not settled:
        raise typer.Exit(3)
