"""The command that shows what runs: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.options import Results, refuse_if
from bench.cli.streams import out


def status(
    results: Results = Path("results"),
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until all runs have ended, or Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All runs there were, as JSON.")] = False,
) -> None:
    """What runs on a results folder: each cell's state, epoch, accuracy and time left.

    As in `bench status --watch`.
    """
    from bench.run.status import runs_as_json, show_runs, watch_runs

    refuse_if(watch and as_json, "--watch is for people, --json for programs; ask for one of them")
    if as_json:
        print_text(out, runs_as_json(results))
    elif watch:
        watch_runs(results, out)
    else:
        show_runs(results, out)
