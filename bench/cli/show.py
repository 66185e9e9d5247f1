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
from bench.spec.choices import ShownKind


@reading
def show(
    kind: Annotated[ShownKind, typer.Argument(help="Of which kind.")],
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
    """Describe one plugin, data set or schedule; of a suite, every value and where it is from.

    Of a ledger: every published number as printed, its protocol and what must be said with it.
    Of a backbone with KEY=VALUE: what that network costs; `image`, `classes` and `channels` are
    those of its images. As in `bench show estimator reste`, `bench show suite table1 train.lr=0.2`,
    or `bench show backbone resnet20 width=32 classes=100`.
    """
    told = _describe(kind, name, overrides or [])
    if form == "json":
        write_form(form, {"kind": kind, "name": name, "text": "\n".join(told)})
        return
    for text in told:
        print_text(out, text)


def _describe(kind: ShownKind, name: str, overrides: list[str]) -> list[str]:
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
    if kind == "ledger":
        from bench.spec import published

        return [*published.describe(published.read_ledger(name, Path()))]
    from bench.cli import catalogue

    return [catalogue.describe(kind, name)]
