"""The command that writes results for others: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.base.text import count
from bench.cli.options import Results, SuitesOrCells
from bench.cli.streams import err, out


def submit(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The archive, a new .tar.gz file.")
    ],
    names: SuitesOrCells = None,
    results: Results = Path("results"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be published, and write nothing.")
    ] = False,
) -> None:
    """Write results that others can check to one archive; says first what is published with it.

    As in `bench submit quickstart -o mine.tar.gz`. The first name may also be a results folder.
    Records with their seals, weights, logs without secrets, plans without folders. What `verify`
    would not find as recorded is told, and nothing is written.
    """
    from bench.results import submission

    with submission.opened(names or [], results) as source:
        found = submission.gather(source.root, source.names)
        for text in found.left_out:
            print_text(out, f"left out: {text}")
        for text in found.refused:
            print_text(err, f"refused: {text}")
        submission.refuse(found)
        print_text(out, "published:")
        for name, text in submission.told(found.chosen):
            if text:
                print_text(out, f"  {name:12}{text}")
        if not dry_run:
            size = submission.write(found.chosen, output)
            print_text(
                out, f"wrote {output}: {count(size, 'byte')}; check it: bench verify {output}"
            )
