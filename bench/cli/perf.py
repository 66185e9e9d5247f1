"""The command that measures this machine's speed: parse, call, print."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bench.base.console import Terminal, print_text
from bench.base.duration import read_seconds
from bench.base.user_folders import keep_compiled
from bench.cli.asked_form import TableForm, reading, write_form
from bench.cli.streams import err, out

if TYPE_CHECKING:  # it imports torch
    from bench.speed.survey.survey import Watch
    from bench.speed.survey.table import CaseResult


@reading
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
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer rounds, so noisier, in two minutes.")
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Begin no case after it: 90 (seconds), 5m, 1h."),
    ] = None,
    form: TableForm = "rich",
) -> None:
    """Measure how fast training is here: against a plain oracle, and the machine's limits.

    As in `bench perf --quick`. Estimators, training steps, an epoch, several trainings at a time;
    three minutes on two cores, on which nothing else should run. With --method NAME, or all:
    how many steps of STE one of its steps takes. Rows are shown as they are measured, and Ctrl-C
    prints what there is.
    """
    keep_compiled()
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
    text = budget or ("2m" if quick else None)
    budget_s = read_seconds("--budget", text) if text else math.inf
    with _progress(err) as watch:
        found = survey.run_survey(at, asked, watch, budget_s)
    if form != "rich":
        write_form(form, asdict(found), [asdict(row) for row in found.rows])
    else:
        out.print(table.render_tables(found.rows, found.caption))
    if not found.whole:
        raise KeyboardInterrupt


@contextmanager
def _progress(console: Terminal) -> "Generator[Watch, None, None]":
    """Show what is measured, and the rows as they come: tables that grow, or a line for each."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from bench.execution.display import redraws
    from bench.speed.survey import table

    if redraws(console):
        with Live(console=console, transient=True) as live:
            yield lambda text, rows: live.update(Group(table.render_tables(rows, ""), Text(text)))
        return
    shown = 0

    def print_new(text: str, rows: "list[CaseResult]") -> None:
        nonlocal shown
        for row in rows[shown:]:
            print_text(console, f"  {table.describe(row)}")
        shown = len(rows)
        print_text(console, text)

    yield print_new
