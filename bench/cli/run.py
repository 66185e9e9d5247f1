"""The command that runs a suite: parse and call."""

import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from bench.base import signals
from bench.base.console import Terminal, print_text
from bench.cli import completion
from bench.cli.completion import offering
from bench.cli.options import AllowStale, CellOptions, parse_seconds, spread_options, use_one_thread
from bench.cli.streams import err, out

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
            help="Run these and no others; repeatable.",
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
            help="Stopped by a signal, SIGUSR1 too, exit with 75.",
            rich_help_panel=TROUBLE,
        ),
    ] = False,
    checkpoint_every: Annotated[
        str,
        typer.Option(
            help="Time between two checkpoints of a cell.", metavar="TIME", rich_help_panel=TROUBLE
        ),
    ] = "5m",
) -> None:
    """Run every cell of SUITE that has no record yet, then print its leaderboard.

    Running again continues: measured cells are kept, failed ones are tried again, and those that
    are stale (measured by other code, or on other data) are named and left alone.

    As in `bench run quickstart`, `bench run quickstart train.epochs=3 --filter "seed=0" -j 2`,
    `bench run quickstart --json --track tensorboard`, or `bench run table3 --slots-per-gpu auto`.
    """
    from bench.run import session
    from bench.run.json_stream import Stream
    from bench.run.request import RunRequest, prepare
    from bench.run.settings import RetryPolicy
    from bench.speed import calibration, packing
    from bench.speed.measure import Measurer

    signals.listen(requeue=requeue)
    use_one_thread()
    request = RunRequest(
        suite=options.suite,
        overrides=tuple(options.overrides or ()),
        root=options.results,
        data=options.data,
        filter_=options.filter_,
        rerun=tuple(rerun or ()),
        allow_stale=allow_stale,
        track=tuple(track or ()),
        until_separated=until_separated,
        max_seeds=max_seeds,
        compiled=options.compile_,
        workers=options.workers,
        argv=tuple(sys.argv[1:]),
        checkpoint_s=parse_seconds("--checkpoint-every", checkpoint_every),
        timeout_s=None if timeout is None else parse_seconds("--timeout", timeout),
        retry=RetryPolicy(retries, 1 if fail_fast else max_failures),
    )
    run = prepare(request)
    measurer = Measurer(request.root, request.data, request.compiled, request.workers, _note)
    slots = packing.choose_slots(
        options.where(),
        lambda: (
            run.chosen if rerun else calibration.list_cells_left(run.plan, run.chosen, run.states)
        ),
        measurer,
    )
    settings, suite = request.settings(slots), run.plan.suite
    place = Terminal(quiet=True) if quiet else err if as_json else out
    lines = Stream(sys.stdout, suite, request.root, request.argv) if as_json else None
    with lines or nullcontext():
        if not session.run(
            run.plan, run.chosen, settings, place, err, run.choice, lines, run.states
        ):
            raise typer.Exit(1)


def _note(text: str) -> None:
    print_text(err, text)
