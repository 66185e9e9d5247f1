"""The command that runs a suite: parse and call."""

import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.base import signals
from bench.base.console import Terminal, print_text
from bench.base.duration import read_seconds
from bench.base.text import count
from bench.cli import completion, lasting_output
from bench.cli.completion import offering
from bench.cli.options import (
    ELSEWHERE,
    WHERE,
    AllowStale,
    CellOptions,
    On,
    TrustJobs,
    prepare_torch,
    refuse_if,
    spread_options,
)
from bench.cli.streams import err, out, write

if TYPE_CHECKING:  # imported when they are used: most commands start without them
    from bench.execution.job import Slot
    from bench.execution.request import PreparedRun
    from bench.spec.cell import Cell
    from bench.speed.slots import SlotOptions

SHOWN = "What is shown"
SEEDS = "Seeds where they are needed"
TROUBLE = "When something goes wrong"


@spread_options
def run(
    options: CellOptions,
    rerun: Annotated[
        list[str] | None,
        typer.Option(
            metavar="failed|stale|CELL",
            help="Run these, and what waits for them or they need; repeatable.",
            autocompletion=offering(lambda _: ("failed", "stale"), completion.cells),
        ),
    ] = None,
    allow_stale: AllowStale = False,
    track: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:FOLDER]",
            help="Tell a tracker: tensorboard, trackio; repeatable.",
            autocompletion=offering(completion.trackers),
            rich_help_panel=SHOWN,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="JSON lines on stdout, all else on stderr.", rich_help_panel=SHOWN
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only what went wrong.", rich_help_panel=SHOWN)
    ] = False,
    paths: Annotated[
        bool,
        typer.Option(
            "--paths", help="Name every file of the suite at the end.", rich_help_panel=SHOWN
        ),
    ] = False,
    until_separated: Annotated[
        bool,
        typer.Option(
            "--until-separated",
            help="Add seeds to rows until they can be told apart.",
            rich_help_panel=SEEDS,
        ),
    ] = False,
    max_seeds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="The most seeds of a row; 20 if not given.",
            rich_help_panel=SEEDS,
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            help="Of one try at a cell, its process's start included: 90 (seconds), 30m, 2h, 1d.",
            metavar="TIME",
            rich_help_panel=TROUBLE,
        ),
    ] = None,
    retries: Annotated[
        int,
        typer.Option(
            min=0,
            help="Tries more for a cell that fails; a divergence is none.",
            rich_help_panel=TROUBLE,
        ),
    ] = 0,
    max_failures: Annotated[
        int | None,
        typer.Option(
            min=1, help="Stop the run after so many failed cells.", rich_help_panel=TROUBLE
        ),
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="As --max-failures 1.", rich_help_panel=TROUBLE)
    ] = False,
    requeue: Annotated[
        bool,
        typer.Option(
            "--requeue",
            help="Stopped by a signal, SIGUSR1 and SIGUSR2 too, exit with 75.",
            rich_help_panel=TROUBLE,
        ),
    ] = False,
    checkpoint_every: Annotated[
        str,
        typer.Option(
            help="Time between two checkpoints of a cell.", metavar="TIME", rich_help_panel=TROUBLE
        ),
    ] = "5m",
    ranks: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes that train one cell together; a GPU each, where there are GPUs.",
            rich_help_panel=WHERE,
        ),
    ] = 1,
    on: On = None,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Submit, and leave; run again to follow.", rich_help_panel=ELSEWHERE
        ),
    ] = False,
    when_stopped: Annotated[
        Literal["ask", "detach", "cancel"] | None,
        typer.Option(
            help="What Ctrl-C does to jobs; ask on a terminal, detach elsewhere, if not given.",
            show_default=False,
            rich_help_panel=ELSEWHERE,
        ),
    ] = None,
    trust_jobs: TrustJobs = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would run or be submitted, and begin nothing."),
    ] = False,
) -> None:
    """Run every cell of SUITE that has no record yet, then print its leaderboard.

    Running again continues: measured cells are kept, failed ones are tried again, and those that
    are stale (measured by other code, or on other data) are named and left alone.

    As in `bench run quickstart`, `bench run quickstart train.epochs=3 --filter "seed=0" -j 2`,
    `bench run quickstart --json --track tensorboard`, `bench run table3 --slots-per-gpu auto`, or
    `bench run table3 --on slurm:partition=gpu,time=12h`.
    """
    from bench.cli.elsewhere import load_elsewhere
    from bench.execution import session
    from bench.execution.json_stream import JsonEventWriter
    from bench.execution.request import RunRequest, prepare
    from bench.execution.settings import RetryPolicy

    signals.listen(requeue=requeue)
    lasting_output.outlast()
    request = RunRequest(
        suite=options.suite,
        root=options.results,
        overrides=tuple(options.overrides or ()),
        data=options.data,
        filter_=options.filter,
        rerun=tuple(rerun or ()),
        allow_stale=allow_stale,
        unchecked=options.unchecked,
        track=tuple(track or ()),
        paths=paths,
        until_separated=until_separated,
        max_seeds=max_seeds,
        compiled=options.compile_,
        workers=options.workers,
        argv=tuple(sys.argv[1:]),
        checkpoint_s=read_seconds("--checkpoint-every", checkpoint_every),
        timeout_s=None if timeout is None else read_seconds("--timeout", timeout),
        retry=RetryPolicy(retries, 1 if fail_fast else max_failures),
        on=on or "",
    )
    where = replace(options.where(), ranks=ranks)
    elsewhere = {"detach": detach, "trust-jobs": trust_jobs, "when-stopped": when_stopped}
    alone = [f"--{name} goes with --on" for name, said in elsewhere.items() if said and not on]
    refuse_if(bool(alone), "; ".join(alone))
    prepared = prepare(request, prepare_torch)
    shown = Terminal(quiet=True) if quiet else err if as_json else out
    away, where = load_elsewhere(on, prepared, where) if on else (None, where)
    several = away is not None and ranks > 1
    refuse_if(several, "--ranks: a profile says gpus_per_cell or ranks_per_cell")
    if dry_run:
        write(away.script() if away else _tell_cells(session.first_cells(prepared)))
        return
    choose_slots = (lambda: ()) if away else partial(_choose_slots, where, prepared)
    json_events = None
    if as_json:
        json_events = JsonEventWriter(sys.stdout, prepared.plan.suite, request.root, request.argv)
    given = {"detach": detach, "trusting": trust_jobs}
    executor = away.executor(shown, when_stopped, **given) if away else None
    with json_events or nullcontext(), executor or nullcontext():
        if not session.run(prepared, choose_slots, shown, err, json_events, executor):
            raise typer.Exit(1)


def _tell_cells(cells: "list[Cell]") -> str:
    """Say what would train here."""
    lines = [f"{cell.id}  {cell.name}\n" for cell in cells]
    return "".join([*lines, f"{count(len(cells), 'cell')} would train here; nothing was begun\n"])


def _choose_slots(where: "SlotOptions", prepared: "PreparedRun") -> "tuple[Slot, ...]":
    """Choose where cells run; imports torch, which a run of recorded cells does without."""
    from bench.speed.run_slots import choose_run_slots

    return choose_run_slots(where, prepared, partial(print_text, err))
