"""The arguments and options that several commands share, and what their words mean."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.cli import completion
from bench.cli.completion import offering
from bench.errors import UsageError
from bench.spec import choices

if TYPE_CHECKING:  # it imports torch
    from bench.speed.packing import PerGpu, Where

WHERE = "Where cells run"

Results = Annotated[
    Path, typer.Option(help="The results folder.", envvar="BENCH_RESULTS", show_envvar=True)
]
AllowStale = Annotated[
    bool, typer.Option("--allow-stale", help="Show stale records in the table, marked.")
]
Data = Annotated[
    Path | None,
    typer.Option(help="The data folder; ./data if not given.", envvar="BENCH_DATA"),
]
Ran = Annotated[
    Path,
    typer.Argument(
        metavar="SUITE", help="A suite that ran.", autocompletion=offering(completion.ran)
    ),
]
RanWith = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY.PATH=VALUE]...", help="Overrides that it ran with."),
]
SuitesOrCells = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SUITE|CELL",
        help="Suites that ran, by name, and cells, by id or a part of the folder's name. "
        "Everything, if none is named.",
        autocompletion=offering(completion.ran, completion.cells),
    ),
]
CellName = Annotated[
    str,
    typer.Argument(
        help="A cell's id or name, or a unique part of it.",
        autocompletion=offering(completion.cells),
    ),
]
RichOrJson = Annotated[Literal["rich", "json"], typer.Option("--format", help="How to print it.")]
Equilibrium = Annotated[
    choices.Definition | None,
    typer.Option(help="Which e and s to show; the suite's choice if not given."),
]
Correction = Annotated[
    choices.Correction,
    typer.Option(help="Of the tests between rows: for any false one, or for their part."),
]
Layout = Annotated[
    Literal["rich", "md", "tex", "html", "csv", "json"],
    typer.Option("--format", help="How to print it; tex is booktabs, html a page of its own."),
]
Style = Annotated[
    str,
    typer.Option(help="Columns and rows of a table of the ReSTE paper, as in paper:table3."),
]

Suite = Annotated[
    Path,
    typer.Argument(
        metavar="SUITE",
        help="A suite file, or the name of a shipped suite.",
        autocompletion=offering(completion.suites),
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY.PATH=VALUE]...",
        help="Overrides, as in train.epochs=3.",
        autocompletion=offering(completion.overrides),
    ),
]
Filter = Annotated[
    str, typer.Option("--filter", "-k", help='As in "estimator=reste,ste & wa=1/1 & seed=0".')
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel=WHERE)]
Gpus = Annotated[
    str | None,
    typer.Option(help="GPU numbers, as in 0,1; all if not given.", rich_help_panel=WHERE),
]
SlotsPerGpu = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto",
        help="Cells at a time on each GPU, one if not given; auto measures what is best.",
        rich_help_panel=WHERE,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, help="Cells at a time; all cores if unset.", rich_help_panel=WHERE
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads per cell.", rich_help_panel=WHERE)]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Threads per cell that decode image files; no effect on numbers.",
        rich_help_panel=WHERE,
    ),
]
Compile = Annotated[
    bool | None,
    typer.Option(
        "--compile/--no-compile",
        help="torch.compile the training step; long trainings if unset.",
        show_default=False,
        rich_help_panel=WHERE,
    ),
]

LONGEST_S = 1e9  # thirty years


def refuse_if(wrong: bool, message: str) -> None:
    """Raise a UsageError with this message if options do not go together."""
    if wrong:
        raise UsageError(message)


def where(
    device: str, gpus: str | None, jobs: int | None, threads: int, slots_per_gpu: str | None
) -> "Where":
    """Where cells are to run, in one."""
    from bench.speed.packing import Where

    return Where(
        device, None if gpus is None else _numbers(gpus), jobs, threads, _per_gpu(slots_per_gpu)
    )


def seconds(option: str, text: str) -> float:
    """
    A time: 90 (seconds), 30m, 2h, 1d.

    Raises:
        UsageError: it is none, not above 0, or longer than anybody waits.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    number = float(found[1]) * {"m": 60, "h": 3600, "d": 86400}.get(found[2], 1) if found else 0.0
    if not found or not 0 < number < LONGEST_S:
        message = f"{option} `{text}`: expected a time above 0, as in 90 (seconds), 30m, 2h or 1d"
        raise UsageError(message)
    return number


def one_thread() -> None:
    """Small tensors on cores that may be busy: more threads would only wait for each other."""
    import torch

    torch.set_num_threads(1)


def _numbers(text: str) -> list[int]:
    if not all(part.strip().isdigit() for part in text.split(",")):
        message = f"--gpus `{text}`: expected numbers joined by commas, as in 0,1"
        raise UsageError(message)
    return [int(part) for part in text.split(",")]


def _per_gpu(text: str | None) -> "PerGpu":
    if text is None or text == "auto":
        return text
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        message = f"--slots-per-gpu `{text}`: expected a number above 0, or auto"
        raise UsageError(message)
    return int(text)
