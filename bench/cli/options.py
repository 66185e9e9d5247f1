"""The arguments and options that several commands share, and what their words mean."""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.base.user_folders import keep_compiled
from bench.cli import completion
from bench.cli.completion import offering
from bench.errors import UsageError
from bench.leaderboard.tables.choice import TablePart
from bench.leaderboard.tables.formats import TableFormat
from bench.spec import choices

if TYPE_CHECKING:  # it imports torch
    from bench.speed.slots import PerGpu, SlotOptions

WHERE = "Where cells run"
ELSEWHERE = "On other machines"

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
        metavar="SUITE",
        help="A suite that ran, by name or file.",
        autocompletion=offering(completion.ran),
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
Equilibrium = Annotated[
    choices.Definition | None,
    typer.Option(help="Which e and s to show; the suite's choice if not given."),
]
Correction = Annotated[
    choices.Correction,
    typer.Option(help="Of the tests between rows: for any false one, or for their part."),
]
Format = Annotated[
    TableFormat,
    typer.Option("--format", help="How to print it; tex is booktabs, html a page of its own."),
]
Style = Annotated[
    str,
    typer.Option(help="Columns and rows of a table of the ReSTE paper, as in paper:table3."),
]

Columns = Annotated[
    str,
    typer.Option(
        "--columns",
        help="Only these columns, by the keys of JSON and CSV, as in acc,n,step_ratio; of rich, "
        "md, html and tex.",
        autocompletion=offering(completion.columns),
    ),
]
Part = Annotated[
    TablePart | None,
    typer.Option(help="Of tex, one part: macros for the preamble, table, or notes."),
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
    list[str] | None,
    typer.Option(
        "--filter",
        "-k",
        help='As in "estimator=reste,ste & wa=1/1 & seed=0"; of several all must hold.',
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=WHERE)]
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
        "--jobs",
        "-j",
        min=1,
        help="Cells at a time; all cores if not given.",
        rich_help_panel=WHERE,
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
Unchecked = Annotated[
    bool,
    typer.Option("--unchecked", help="Train plugins that fail `bench check`, too; rows say so."),
]
Compile = Annotated[
    bool | None,
    typer.Option(
        "--compile/--no-compile",
        help="torch.compile the training step; long trainings if not given.",
        show_default=False,
        rich_help_panel=WHERE,
    ),
]

TrustJobs = Annotated[
    bool,
    typer.Option(
        "--trust-jobs",
        help="Follow and end jobs, too, that other users submitted into this results folder; their "
        "profile's lines of shell are run.",
        rich_help_panel=ELSEWHERE,
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="PROFILE",
        help="In jobs: a profile that `bench machines list` names, or slurm, ray, as in "
        "slurm:partition=gpu.",
        autocompletion=offering(completion.profiles),
        rich_help_panel=ELSEWHERE,
    ),
]


@dataclass(frozen=True)
class CellOptions:
    """Which cells of a suite, and where they run: the parameters of both `run` and `plan`."""

    suite: Suite
    overrides: Overrides = None
    results: Results = Path("results")
    data: Data = None
    filter_: Filter = None
    device: Device = "auto"
    gpus: Gpus = None
    slots_per_gpu: SlotsPerGpu = None
    jobs: Jobs = None
    threads: Threads = 1
    workers: Workers = None
    compile_: Compile = None
    unchecked: Unchecked = False

    @property
    def filter(self) -> str:
        return join_filters(self.filter_)

    def where(self) -> "SlotOptions":
        """
        Read the options that say where cells run.

        Raises:
            UsageError: one is not a number, or not several, as it should be.
        """
        from bench.speed.slots import SlotOptions

        gpus = None if self.gpus is None else _parse_gpus(self.gpus)
        per_gpu = _parse_slots_per_gpu(self.slots_per_gpu)
        return SlotOptions(self.device, gpus, self.jobs, self.threads, per_gpu)

    def words(self) -> list[str]:
        """Spell the options that are not at their defaults, for commands that are shown."""
        names = {"jobs": "-j"}
        words: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("suite", "overrides") or value == field.default:
                continue
            if field.name == "unchecked":
                words.append("--unchecked")
            elif field.name == "filter_":
                words += ["--filter", self.filter]
            elif field.name == "compile_":
                words.append("--compile" if value else "--no-compile")
            else:
                option = names.get(field.name, f"--{field.name.replace('_', '-')}")
                words += [option, str(value)]
        return words


def join_filters(filters: list[str] | None) -> str:
    """One filter that holds where all do."""
    return " & ".join(filters or [])


def spread_options(command: Callable[..., None]) -> Callable[..., None]:
    """
    Turn a command whose first parameter is a dataclass into one with a parameter for each field.

    So options that several commands share are written once, and typer sees them in each.
    """
    (shared, *own) = inspect.signature(command).parameters.values()
    spelled = inspect.signature(shared.annotation).parameters

    @functools.wraps(command)
    def spread(**values: Any) -> None:
        options = shared.annotation(**{name: values.pop(name) for name in spelled})
        command(options, **values)

    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*spelled.values(), *own)]
    spread.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    spread.__annotations__ = {p.name: p.annotation for p in parameters}
    return spread


def refuse_if(wrong: bool, message: str) -> None:
    """Raise a UsageError with this message if options do not go together."""
    if wrong:
        raise UsageError(message)


def prepare_torch() -> None:
    """
    Import torch for small tensors, to be computed on one core; compiled code has its folder.

    Where cores are busy, more threads wait for each other.
    """
    keep_compiled()
    import torch

    torch.set_num_threads(1)


def _parse_gpus(text: str) -> list[int]:
    if not all(part.strip().isdigit() for part in text.split(",")):
        message = f"--gpus `{text}`: expected numbers joined by commas, as in 0,1"
        raise UsageError(message)
    return [int(part) for part in text.split(",")]


def _parse_slots_per_gpu(text: str | None) -> "PerGpu":
    if text is None or text == "auto":
        return text
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        message = f"--slots-per-gpu `{text}`: expected a number above 0, or auto"
        raise UsageError(message)
    return int(text)
