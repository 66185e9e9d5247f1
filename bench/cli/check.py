"""The command that checks plugins against what they say: parse, call, print."""

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
from bench.spec.choices import READINGS, Baseline, FormName, Kind, PropertyDefinition


@reading
def check(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|FILE]... [KEY=VALUE]...",
            help="Of one NAME also its parameters.",
            autocompletion=offering(completion.estimators, completion.backbones, completion.data),
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
    images are read: shapes, labels, splits that share none, the same from the same seed. Of a
    backbone: that it can be built, gives logits, has layers that may be binary, learns, and judges
    each image by itself; `image`, `classes` and `channels` are of its images.
    As in `bench check reste`, `bench check rbnn t_min=1.4143`, `bench check resnet20 width=32`,
    `bench check mine.py`, or `bench check --all --study`.
    """
    from bench.properties import check_text, checked_kind, latents

    unnamed = not words and not all_
    refuse_if(unnamed, "name an estimator, or give --all; `bench list estimators` names them")
    prepare_torch()
    names = checked_kind.name_files(words or [])
    kind = checked_kind.find_kind(names)
    if kind != "estimator":
        others = study or all_ or bool(definition or baseline or function or cell)
        refuse_if(others, f"a {kind.replace('data', 'data set')} has no f, and no such options")
        _tell(_reports(kind, names, data), form)
        return
    refuse_if(
        study and bool(definition or baseline or function), "--study asks every reading of them"
    )
    refuse_if(
        bool(cell) and definition not in {None, "trained"}, "--cell is for --definition trained"
    )
    measured = latents.sample_latents(cell, results, data) if cell else None
    if study and form != "rich":
        write_form(form, [*iterate_silently(check_text.list_study(names, measured))])
        return
    if study:
        for part in iterate_silently(check_text.render_study(names, measured)):
            out.print(part, markup=False, highlight=False)
        return
    lines = check_text.render_reports(names, quick=quick)
    if definition or baseline or function or cell:
        chosen = definition or ("trained" if cell else "p")
        criterion = Criterion(chosen, baseline or "identity", function or "pure")
        lines = check_text.render_verdicts(names, criterion, measured)
    _tell(lines, form)


def _reports(kind: Kind, names: list[str], data: Path | None) -> Iterator[tuple[str, bool]]:
    """The reports on plugins that have no f."""
    from bench.properties import backbone_claims, data_claims

    if kind == "backbone":
        return backbone_claims.render_reports(names)
    from bench.data.source import data_folder

    return data_claims.render_reports(names, data or data_folder())


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
