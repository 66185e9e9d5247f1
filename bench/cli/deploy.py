"""The command that writes a trained network for use elsewhere: parse, call, print."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.base.console import print_text
from bench.cli.options import CellName, Data, Results
from bench.cli.streams import out


def deploy(
    cell: CellName,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder, which is made.")],
    results: Results = Path("results"),
    data: Data = None,
    which: Annotated[
        Literal["last", "best"], typer.Option(help="Weights of the last or the best epoch.")
    ] = "last",
    only: Annotated[
        Literal["bits", "onnx"] | None, typer.Option(help="One form alone.", show_default=False)
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="A file of class names, one a line, in order of labels.")
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Check the first N test images; all if not given."),
    ] = None,
) -> None:
    """Write a trained network to a folder: ONNX, and packed bits with a reader of numpy.

    As in `bench deploy ste-resnet20-w1a1-s0 -o parts`.
    Both take images as they are stored, uint8, and are checked on the test split.
    """
    from bench.deploy import bundle

    forms: tuple[bundle.Form, ...] = (only,) if only else ("bits", "onnx")
    order = bundle.Order(cell, results, data, which, forms, classes, images)
    for line in bundle.deploy(order, output):
        print_text(out, line)
