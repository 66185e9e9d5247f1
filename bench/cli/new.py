"""The commands that write a plugin to start from: parse, call, print."""

from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.streams import out

new_app = typer.Typer(no_args_is_help=True, help="Start a plugin of your own.")
Folder = Annotated[Path, typer.Option("--output", "-o", "--into", help="The folder.")]


@new_app.command("estimator")
def estimator(
    name: Annotated[str, typer.Argument(help="The file's and the plugin's name.")],
    into: Folder = Path("estimators"),
) -> None:
    """Write a working estimator to start from; `bench list estimators` has it at once.

    As in `bench new estimator mine`.
    """
    from bench.cli.new_estimator import write_plugin

    _tell(write_plugin(name, into), name, into)


@new_app.command("method")
def method(
    name: Annotated[str, typer.Argument(help="The file's and the plugin's name.")],
    into: Folder = Path("estimators"),
) -> None:
    """Write a working method to start from: a forward, a coach and a loss.

    As in `bench new method mine`.
    """
    from bench.cli.new_estimator import write_plugin
    from bench.cli.new_method import TEMPLATE

    _tell(write_plugin(name, into, TEMPLATE), name, into)


@new_app.command("backbone")
def backbone(
    name: Annotated[str, typer.Argument(help="The file's and the network's name.")],
    into: Folder = Path("backbones"),
) -> None:
    """Write a working network to start from; `bench list backbones` has it at once.

    As in `bench new backbone mine`.
    """
    from bench.cli.new_backbone import TEMPLATE
    from bench.cli.new_estimator import write_plugin
    from bench.registry import BACKBONES

    _tell(write_plugin(name, into, TEMPLATE, BACKBONES), name, into, "backbones")


@new_app.command("data")
def data(
    name: Annotated[str, typer.Argument(help="The file's and the data set's name.")],
    into: Folder = Path("data"),
) -> None:
    """Write a working data set to start from; `bench list data` has it at once.

    As in `bench new data mine`. A folder of images, an npz or a parquet file needs none:
    `show data folder` says how.
    """
    from bench.cli.new_data import TEMPLATE
    from bench.cli.new_estimator import write_plugin
    from bench.registry import DATA

    _tell(write_plugin(name, into, TEMPLATE, DATA), name, into, "data")


@new_app.command("results-repository")
def results_repository(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Its folder.")],
) -> None:
    """Write a repository that takes results of others by pull request, with its workflows.

    As in `bench new results-repository board`.
    """
    from bench.cli.new_repository import write_repository

    for path in write_repository(folder):
        print_text(out, f"wrote {path}")
    print_text(out, f"next: read {folder / 'README.md'}, and push it to where it shall live")


def _tell(path: Path, name: str, into: Path, home: str = "estimators") -> None:
    """Say what was written, and what comes next."""
    if into == Path(home):  # where plugins are found without being named
        check, suite = f"bench check {name}", "a suite"
    else:
        check = f"bench --plugins {into} check {name}"
        suite = f"a suite that says `plugins: [{into}]`"
    print_text(out, f"wrote {path}\nnext: edit it, `{check}`, and name it in {suite}")
