"""The command that writes f and its derivative as numbers: parse, call, print."""

from typing import Annotated, Literal

import typer

from bench.cli import completion
from bench.cli.asked_form import reading
from bench.cli.completion import offering
from bench.cli.streams import write_csv, write_rows


@reading
def curve(
    estimator: Annotated[
        str,
        typer.Argument(
            help="As `bench list estimators` prints it.",
            autocompletion=offering(completion.estimators),
        ),
    ],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Its parameters, as in o_end=10."),
    ] = None,
    role: Annotated[Literal["W", "A"], typer.Option(help="Of weights or activations.")] = "W",
    at: Annotated[str, typer.Option(help="Progress of training, 0 to 1.")] = "0,0.5,0.999",
    low: Annotated[float, typer.Option("--from", help="The least z.")] = -2.0,
    high: Annotated[float, typer.Option("--to", help="The greatest z.")] = 2.0,
    points: Annotated[int, typer.Option(min=2, help="How many z, both ends included.")] = 401,
    form: Annotated[
        Literal["csv", "json"], typer.Option("--format", help="How to print it.")
    ] = "csv",
) -> None:
    """Write f and f' of one estimator as it trains: CSV with columns p, knob, z, f, df.

    As in `bench curve reste o_end=10 --at 0,0.5,1`.
    """
    from bench.properties.curve import (
        build_surrogate,
        parse_progress,
        space_evenly,
        tabulate_curve,
    )

    moments, grid = parse_progress(at), space_evenly(low, high, points)
    frame = tabulate_curve(build_surrogate(estimator, parameters or []), role, moments, grid)
    (write_rows if form == "json" else write_csv)(frame)
