"""The commands that find, fetch and verify data sets: parse, call, print."""

from functools import partial
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli import completion
from bench.cli.asked_form import TableForm, TextForm, reading, write_form
from bench.cli.catalogue_text import print_entries
from bench.cli.completion import offering
from bench.cli.options import Data
from bench.cli.streams import decoding_progress, err, out

data_app = typer.Typer(no_args_is_help=True, help="Find, fetch and verify data sets.")

DataName = Annotated[
    str,
    typer.Argument(
        help="As `bench data list` prints it.", autocompletion=offering(completion.data)
    ),
]


@data_app.command("list")
@reading
def list_data(data: Data = None, form: TableForm = "rich") -> None:
    """Name the data sets, and what is there of each.

    As in `bench data list`.
    """
    from bench.cli import catalogue

    print_entries(catalogue.list_data_sets(data), form)


@data_app.command("verify")
@reading
def verify_data(
    name: DataName,
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Its parameters, as in classes=100."),
    ] = None,
    data: Data = None,
    form: TextForm = "rich",
) -> None:
    """Load one data set, check all of it, image files decoded, and print sizes and fingerprint.

    As in `bench data verify digits`.
    """
    from bench.cli import catalogue

    with decoding_progress(err) as count:
        text = catalogue.verify_data_set(name, data, fields or [], count)
    if form == "json":
        write_form(form, {"kind": "data", "name": name, "text": text})
    else:
        print_text(out, text)


@data_app.command("prepare")
def prepare_data(
    name: DataName,
    data: Data = None,
    mirror: Annotated[
        list[str] | None, typer.Option(help="A URL to try first; may be given several times.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Only say what is missing.", envvar="BENCH_OFFLINE")
    ] = False,
) -> None:
    """Fetch one data set into the data folder: resumed, checked, from the first good mirror.

    As in `bench data prepare cifar10`.
    """
    from bench.cli import catalogue
    from bench.data import download
    from bench.data.source import data_folder

    folder = data or data_folder()
    download.prepare(
        name, folder, mirrors=mirror or [], allowed=not offline, report=partial(print_text, out)
    )
    print_text(out, catalogue.describe_data_set(name, folder))
