"""The command that shows what a suite means, and what it costs here: parse, call, print."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bench.base.collector import held_back
from bench.base.console import print_text
from bench.base.duration import read_seconds
from bench.cli.asked_form import AskedForm, TableForm, reading, write_form
from bench.cli.options import (
    ELSEWHERE,
    CellOptions,
    On,
    prepare_torch,
    spread_options,
)
from bench.cli.streams import err, out
from bench.errors import DataError

if TYPE_CHECKING:  # it imports torch
    from bench.api.suite_plan import SuitePlan
    from bench.speed.slots import SlotOptions


@spread_options
@reading
def plan(
    options: CellOptions,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Train 20 steps of each graph: time left, and memory."),
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|HOURS",
            help="Which cells fit into it: 90 (seconds), 30m, 6h, 2d; with --on also 100gpuh, "
            "50coreh, and the plan is refused that does not fit.",
        ),
    ] = None,
    on: On = None,
    wait: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="The longest that the job of --on --calibrate may wait in the queue.",
            rich_help_panel=ELSEWHERE,
        ),
    ] = "1h",
    form: TableForm = "rich",
) -> None:
    """Show what SUITE means: its cells, which are recorded, and what is left out and why.

    As in `bench plan quickstart seeds=0..4`; a suite is shown without its data, too, with exit code
    5. What it costs on this machine is measured, and kept under ROOT/paces: `bench plan quickstart
    --calibrate`, `bench plan table3 --budget 6h`. What it costs elsewhere: `bench plan table3 --on
    cluster --calibrate`, or with `--budget 100gpuh`.
    """
    where = options.where()
    if on:
        from bench.cli.elsewhere import slots_here
        from bench.fleet import machines_file

        profile = machines_file.load(on, options.suite)
        if profile.engine != "local":
            from bench.cli.cost_elsewhere import show_cost

            wait_s = read_seconds("--wait", wait) if calibrate else None
            show_cost(options, profile, budget, wait_s, form)
            return
        where = slots_here(profile, where)
    limit = None if budget is None else read_seconds("--budget", budget)
    if calibrate or limit is not None:
        _show_forecast(options, where, limit, form)
        return
    from bench.api import suite_plan

    planned = suite_plan.plan(
        options.suite,
        options.overrides or [],
        results=options.results,
        data=options.data,
        filter=options.filter,
        unseen=True,
    )
    _show_plan(planned, form)
    if missing := planned.plan.missing:
        raise DataError("\n".join(missing))
    if not options.unchecked:
        planned.plan.refuse_failed_checks(planned.chosen)


@held_back()
def _show_plan(planned: "SuitePlan", form: AskedForm) -> None:
    """Print the plan, and how its cells stand."""
    from bench.cli import plan_text

    if form != "rich":
        fields = plan_text.plan_fields(planned.plan, planned.states)
        write_form(form, fields, fields["cells"])
    else:
        for line in plan_text.describe_plan(planned.plan, planned.states):
            print_text(out, line)


def _show_forecast(
    options: CellOptions, where: "SlotOptions", limit: float | None, form: AskedForm
) -> None:
    """Print what SUITE costs on this machine; what nobody measured yet is measured."""
    from bench.cli import forecast_text
    from bench.speed.forecast import ForecastRequest, make_forecast
    from bench.speed.measure import Measurer

    prepare_torch()
    asked = ForecastRequest(
        options.suite, tuple(options.overrides or ()), options.results, options.data,
        options.filter, tuple(options.words()),
    )  # fmt: skip
    measurer = Measurer(
        options.results, options.data, options.compile_, options.workers, partial(print_text, err)
    )
    costs = make_forecast(asked, where, measurer, limit)
    if form != "rich":
        fields = forecast_text.document(costs)
        write_form(form, fields, fields["graphs"])
    else:
        forecast_text.print_forecast(costs, out)
