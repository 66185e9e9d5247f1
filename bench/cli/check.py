"""The command that checks estimators and data sets against what they say: parse, call, print."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import iterate_silently, print_text
from bench.cli import completion
from bench.cli.asked_form import AskedForm, TableForm, reading, write_form
from bench.cli.completion import offering
from bench.cli.options import Data, Results, prepare_torch, refuse_if
from bench.cli.streams import out
from bench.properties.criterion import Criterion
from bench.spec.choices import READINGS, Baseline, FormName, PropertyDefinition


@reading
def check(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]... [KEY=VALUE]...",
            help="Of one NAME also its parameters.",
            autocompletion=offering(completion.estimators, completion.data),
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every installed estimator.")] = False,
    study: Annotated[
        bool, typer.Option("--study", help="One table: the verdicts by every definition.")
    ] = False,
    definition: Annotated[
        PropertyDefinition | None,
        typer.Option(
            help="What rational asks, b being the baseline; p is definition P of the tables. "
            + ". ".join(f"{name}: {reading}" for name, reading in READINGS.items())
        ),
    ] = None,
    baseline: Annotated[Baseline | None, typer.Option(help="Rational relative to this.")] = None,
    function: Annotated[
        FormName | None, typer.Option("--function", "--form", help="f as printed, or as it trains.")
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="A trained cell, whose values `trained` integrates over.",
            autocompletion=offering(completion.cells),
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Compile nothing, which takes half a minute a method.")
    ] = False,
    results: Results = Path("results"),
    data: Data = None,
    form: TableForm = "rich",
) -> None:
    """Is the estimator what its formula says? Is it rational, is it flexible, and if not, where?

    A method trains two small blocks, and what it promises is looked for there. Of a data set all
    images are read: shapes, labels, splits that share none, the same from the same seed.
    As in `bench check reste`, `bench check rbnn t_min=1.4143`, or `bench check --all --study`.
    """
    from bench.properties import check_text, data_claims, latents

    unnamed = not words and not all_
    refuse_if(unnamed, "name an estimator, or give --all; `bench list estimators` names them")
    prepare_torch()
    if data_claims.are_data(words or []):
        from bench.data.source import data_folder

        others = study or bool(definition or baseline or function or cell)
        refuse_if(others, "a data set has no f; its check has no such options")
        _tell(data_claims.render_reports(words or [], data or data_folder()), form)
        return
    refuse_if(
        study and bool(definition or baseline or function), "--study asks every reading of them"
    )
    refuse_if(
        bool(cell) and definition not in {None, "trained"}, "--cell is for --definition trained"
    )
    measured = latents.sample_latents(cell, results, data) if cell else None
    if study and form != "rich":
        write_form(form, [*iterate_silently(check_text.list_study(words or [], measured))])
        return
    if study:
        for part in iterate_silently(check_text.render_study(words or [], measured)):
            out.print(part, markup=False, highlight=False)
        return
    lines = check_text.render_reports(words or [], quick=quick)
    if definition or baseline or function or cell:
        chosen = definition or ("trained" if cell else "p")
        criterion = Criterion(chosen, baseline or "identity", function or "pure")
        lines = check_text.render_verdicts(words or [], criterion, measured)
    _tell(lines, form)


def _tell(reports: Iterator[tuple[str, bool]], form: AskedForm) -> None:
    """
    Print what was found.

    Raises:
        Exit: something does not hold.
    """
    passed = True
    told: list[dict[str, object]] = []
    for text, holds in iterate_silently(reports):
        if form != "rich":
            told.append({"holds": holds, "lines": text.splitlines()})
        else:
            print_text(out, text)
        passed = passed and holds
    if form != "rich":
        write_form(form, told)
    if not passed:
        raise typer.Exit(3)
