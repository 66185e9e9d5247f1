"""The command that describes one thing by its kind and name: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli import completion
from bench.cli.asked_form import TextForm, reading, write_form
from bench.cli.completion import offering
from bench.cli.options import Overrides
from bench.cli.streams import out
from bench.errors import UsageError
from bench.spec.choices import Kind


@reading
def show(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="estimator, backbone, data, schedule, suite, preset or ledger.",
            autocompletion=offering(completion.kind),
        ),
    ],
    name: Annotated[
        str,
        typer.Argument(
            help="Its name, as `bench list` prints it.",
            autocompletion=offering(completion.described),
        ),
    ],
    overrides: Overrides = None,
    form: TextForm = "rich",
) -> None:
    """Describe one plugin, data set, schedule or preset; of a suite, each value and its origin.

    Of a ledger: every published number as printed, its protocol and what must be said with it.
    Of a backbone with KEY=VALUE: what that network costs; `image`, `classes` and `channels` are
    those of its images. As in `bench show estimator reste`, `bench show suite table1 train.lr=0.2`,
    or `bench show backbone resnet20 width=32 classes=100`.
    """
    from bench.cli import catalogue

    found = catalogue.read_kind(kind)
    told = _describe(found, name, overrides or [])
    if form == "json":
        write_form(form, {"kind": found, "name": name, "text": "\n".join(told)})
        return
    for text in told:
        print_text(out, text)


def _describe(kind: Kind, name: str, overrides: list[str]) -> list[str]:
    """
    The parts of a description.

    Raises:
        UsageError: overrides of what takes none.
    """
    if kind == "suite":
        from bench.planning import suite_cache

        return [suite_cache.describe(Path(name), overrides)]
    if kind == "backbone" and overrides:
        from bench.cli import catalogue

        return [catalogue.describe_network(name, overrides)]
    if overrides:
        message = f"overrides are of suites and backbones; a {kind} takes none"
        raise UsageError(message)
    if kind == "preset":
        from bench.spec import preset

        return [preset.describe(name)]
    if kind == "ledger":
        from bench.spec import published

        return [*published.describe(published.read_ledger(name, Path()))]
    from bench.cli import catalogue

    return [catalogue.describe(kind, name)]
