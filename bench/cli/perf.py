"""The command that measures this machine's speed: parse, call, print."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from bench.base.console import Terminal, print_text
from bench.cli.streams import err, out, write_json


def perf(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; all cores if not given.")
    ] = None,
    compile_: Annotated[
        bool, typer.Option("--compile", help="What is compiled, too: a minute or two more a net.")
    ] = False,
    method: Annotated[
        list[str] | None,
        typer.Option(help="A step of this estimator against one of STE, and nothing else; or all."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds, so noisier.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Measure how fast training is here: against a plain oracle, and the machine's limits.

    As in `bench perf --quick`. Estimators, training steps, an epoch, several trainings at a time;
    three minutes on two cores, on which nothing else should run. With --method NAME, or all:
    how many steps of STE one of its steps takes.
    """
    from dataclasses import asdict

    import torch

    from bench.base import machine
    from bench.speed.slots import SlotOptions, lay_out_slots
    from bench.speed.survey import method_cases, survey, table
    from bench.speed.survey.cases import choose_setting

    count = threads or machine.cores()
    slot = lay_out_slots(SlotOptions(device, jobs=1, threads=count))[0]
    at = choose_setting(torch.device(slot.device), count, compiled=compile_, quick=quick)
    names = [] if method == ["all"] else method or []
    asked = [*method_cases.list_method_cases(at, names)] if method else survey.list_cases(at)
    machine.keep_pages()  # as workers do; the oracle, too, gains by it
    with _progress(err) as tell:
        found = survey.run_survey(at, asked, tell)
    if as_json:
        write_json(asdict(found))
    else:
        out.print(table.render_tables(found.rows, found.caption))
    if not found.whole:
        raise KeyboardInterrupt


@contextmanager
def _progress(console: Terminal) -> Generator[Callable[[str], None], None, None]:
    """Say what is measured: in one line that changes on a terminal, else in a line for each."""
    from bench.run.display import redraws

    if not redraws(console):
        yield lambda text: print_text(console, text)
        return
    with console.status("") as status:
        yield status.update
