"""The command that shows what a suite means, and what it costs here: parse, call, print."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.options import (
    Compile,
    Data,
    Device,
    Filter,
    Gpus,
    Jobs,
    Overrides,
    Results,
    SlotsPerGpu,
    Suite,
    Threads,
    Workers,
    one_thread,
    seconds,
    where,
)
from bench.cli.streams import err, out, write_json
from bench.errors import UsageError


def plan(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    data: Data = None,
    filter_: Filter = "",
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Train 20 steps of each graph: time left, and memory."),
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Which cells fit into it: 90 (seconds), 30m, 6h, 2d."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="What is measured, for programs.")
    ] = False,
    device: Device = "auto",
    gpus: Gpus = None,
    slots_per_gpu: SlotsPerGpu = None,
    jobs: Jobs = None,
    threads: Threads = 1,
    workers: Workers = None,
    compile_: Compile = None,
) -> None:
    """Show what SUITE means: its cells, which are recorded, and what is left out and why.

    As in `bench plan quickstart seeds=0..4`. What it costs on this machine is measured, and kept
    under ROOT/paces: `bench plan quickstart --calibrate`, `bench plan table3 --budget 6h`.
    """
    from bench.cli import plan_text, quote_text
    from bench.speed import quote
    from bench.speed.measure import Gauge

    one_thread()
    limit = None if budget is None else seconds("--budget", budget)
    options = {
        "--results": None if results == Path("results") else results,
        "--data": data,
        "--filter": filter_ or None,
        "--device": None if device == "auto" else device,
        "--gpus": gpus,
        "--slots-per-gpu": slots_per_gpu,
        "-j": jobs,
        "--threads": None if threads == 1 else threads,
        "--workers": workers,
    }
    given = [word for pair in options.items() if pair[1] is not None for word in map(str, pair)]
    given += [] if compile_ is None else ["--compile" if compile_ else "--no-compile"]
    asked = quote.Asked(suite, tuple(overrides or ()), results, data, filter_, tuple(given))
    if calibrate or limit is not None:
        gauge = Gauge(results, data, compile_, workers, partial(print_text, err))
        place = where(device, gpus, jobs, threads, slots_per_gpu)
        costs = quote.quote(asked, place, gauge, limit)
        if as_json:
            write_json(quote_text.document(costs))
        else:
            quote_text.show(costs, out)
        return
    if as_json:
        message = "--json goes with --calibrate or --budget"
        raise UsageError(message)
    for line in plan_text.describe_plan(*asked.plan(), results):
        print_text(out, line)
