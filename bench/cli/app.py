"""The `bench` command: parse, call, print. No logic lives here."""

import io
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from bench import __version__
from bench.base import signals
from bench.base.console import iterate_silently, print_text
from bench.base.text import printable
from bench.cli import completion
from bench.cli.completion import offering
from bench.cli.doctor import doctor
from bench.cli.options import (
    AllowStale,
    Correction,
    Data,
    Equilibrium,
    Layout,
    Overrides,
    Results,
    Style,
    Suite,
    one_thread,
)
from bench.cli.perf import perf_app
from bench.cli.plan import plan_app
from bench.cli.plot import plot_app
from bench.cli.report import report_app
from bench.cli.results import shelf_app
from bench.cli.run import run
from bench.cli.streams import err, out
from bench.cli.tables import table_app
from bench.errors import BenchError, UsageError

if TYPE_CHECKING:  # only commands that train or check import torch
    from bench.spec.plan import Plan

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich")
data_app = typer.Typer(no_args_is_help=True, help="Find, fetch and verify data sets.")
new_app = typer.Typer(no_args_is_help=True, help="Start a plugin of your own.")
app.add_typer(shelf_app)  # without a name: its commands are the program's own
app.add_typer(plan_app)
app.add_typer(table_app)
app.add_typer(plot_app)
app.add_typer(report_app)
app.add_typer(perf_app)
app.add_typer(data_app, name="data")
app.add_typer(new_app, name="new")

OneCell = Annotated[
    str,
    typer.Argument(
        help="A cell's id or name, or a unique part of it.",
        autocompletion=offering(completion.cells),
    ),
]
OneData = Annotated[
    str,
    typer.Argument(
        help="As `bench data list` prints it.", autocompletion=offering(completion.data)
    ),
]
Reading = Literal["p", "p-fixed", "end", "l2-uniform", "l2-normal", "trained"]
Kind = Literal["estimators", "backbones", "data", "schedules", "suites"]


def _plugins(folders: list[Path]) -> None:
    from bench.registry import add_folders

    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        message = f"--plugins: no folder `{missing[0]}`"
        raise UsageError(message)
    add_folders(folders)


def _version(wanted: bool) -> None:
    if wanted:
        _say(f"signbench {__version__}")
        raise typer.Exit


@app.callback()
def _all(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
    plugins: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of plugins of your own.", envvar="BENCH_PLUGINS"),
    ] = None,
) -> None:
    """Which gradient estimator trains binary neural networks best?"""
    if plugins:
        _plugins(plugins)


app.command()(run)


@app.command()
def leaderboard(
    suite: Suite,
    overrides: Overrides = None,
    results: Results = Path("results"),
    form: Layout = "rich",
    style: Style = "",
    equilibrium: Equilibrium = None,
    correction: Correction = "holm",
    allow_stale: AllowStale = False,
) -> None:
    """Rebuild SUITE's table from what `bench run` left in the results folder; no torch needed.

    As in `bench leaderboard quickstart`, `bench leaderboard table3 --style paper:table3`, or
    `bench leaderboard table1 --format tex > table.tex`, which a paper takes in as it is.
    """
    from bench.leaderboard import saved
    from bench.leaderboard.tables import render
    from bench.spec.plan import name_of

    name = name_of(suite, overrides or [])
    plan, board, notes = saved.board(results, name, equilibrium, correction, stale=allow_stale)
    _warn_if_changed(plan, suite, overrides or [])
    render.render(board, form, out, style)
    if form == "csv":  # which has no place for them
        for note in notes:
            print_text(err, f"note: {note}")


@app.command()
def gc(
    results: Results = Path("results"),
    move: Annotated[
        bool, typer.Option("--move", help="Move all of it to the attic of the results folder.")
    ] = False,
) -> None:
    """List what no kept plan wants: orphans, stale and damaged records, cut writes.

    Nothing is deleted: `--move` puts it into ROOT/attic. As in `bench gc --move`.
    """
    from bench.results import attic

    for line in attic.report(results, move=move):
        _say(line)


@app.command()
def status(
    results: Results = Path("results"),
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until all runs have ended, or Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All runs there were, as JSON.")] = False,
) -> None:
    """What runs on a results folder: each cell's state, epoch, accuracy and time left.

    As in `bench status --watch`.
    """
    from bench.run import status as runs

    _refuse(watch and as_json, "--watch is for people, --json for programs; ask for one of them")
    if as_json:
        _say(runs.as_json(results))
    elif watch:
        runs.watch(results, out)
    else:
        runs.show(results, out)


@app.command()
def logs(
    cell: OneCell,
    results: Results = Path("results"),
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the cell has ended, or Ctrl-C.")
    ] = False,
) -> None:
    """Print the log of a cell, recorded or running.

    As in `bench logs ste-resnet20-w1a1-s0 --follow`.
    """
    from bench.run import log_reader

    path = log_reader.find(results, cell)
    if follow:
        log_reader.follow(results, path, _raw)
    else:
        log_reader.show(path, _raw)


@app.command("list")
def list_(kind: Annotated[Kind, typer.Argument(help="What to list.")]) -> None:
    """Name what there is, broken plugins with the reason.

    As in `bench list estimators`.
    """
    from bench.cli import catalogue

    _entries(catalogue.entries(kind))


@app.command()
def show(
    kind: Annotated[
        Literal["estimator", "backbone", "data", "schedule", "suite", "ledger"],
        typer.Argument(help="Of which kind."),
    ],
    name: Annotated[
        str,
        typer.Argument(
            help="Its name, as `bench list` prints it.",
            autocompletion=offering(completion.described),
        ),
    ],
    overrides: Overrides = None,
) -> None:
    """Describe one plugin, data set or schedule; of a suite, every value and where it is from.

    Of a ledger: every published number as printed, its protocol and what must be said with it.
    As in `bench show estimator reste`, or `bench show suite table1 train.lr=0.2`.
    """
    from bench.cli import catalogue
    from bench.spec import published

    if kind == "suite":
        from bench.planning import explain

        _say(explain.describe(Path(name), overrides or []))
    elif overrides:
        message = f"overrides are of suites; a {kind} takes none"
        raise UsageError(message)
    elif kind == "ledger":
        for text in published.describe(published.ledger(name, Path())):
            _say(text)
    else:
        _say(catalogue.describe(kind, name))


@app.command()
def check(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]... [KEY=VALUE]...",
            help="Of one NAME also its parameters.",
            autocompletion=offering(completion.estimators),
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every installed estimator.")] = False,
    study: Annotated[
        bool, typer.Option("--study", help="One table: the verdicts by every definition.")
    ] = False,
    definition: Annotated[
        Reading | None, typer.Option(help="What rational and flexible mean.")
    ] = None,
    baseline: Annotated[
        Literal["identity", "hardtanh"] | None, typer.Option(help="Rational relative to this.")
    ] = None,
    form: Annotated[
        Literal["pure", "truncated"] | None, typer.Option(help="f as printed, or as it trains.")
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="A trained cell, whose values `trained` integrates over.",
            autocompletion=offering(completion.cells),
        ),
    ] = None,
    results: Results = Path("results"),
    data: Data = None,
) -> None:
    """Is the estimator what its formula says? Is it rational, is it flexible, and if not, where?

    As in `bench check reste`, `bench check rbnn t_min=1.4143`, or `bench check --all --study`.
    """
    from bench.properties import check_text, latents

    unnamed = not words and not all_
    _refuse(unnamed, "name an estimator, or give --all; `bench list estimators` names them")
    one_thread()
    _refuse(study and bool(definition or baseline or form), "--study asks every reading of them")
    _refuse(
        bool(cell) and definition not in {None, "trained"}, "--cell is for --definition trained"
    )
    measured = latents.measured(cell, results, data) if cell else None
    if study:
        for part in iterate_silently(check_text.study(words or [], measured)):
            out.print(part, markup=False, highlight=False)
        return
    lines = check_text.reports(words or [])
    if definition or baseline or form or cell:
        asked = definition or ("trained" if cell else "p")
        question = asked, baseline or "identity", form or "pure"
        lines = check_text.answers(words or [], question, measured)
    ok = True
    for text, fine in iterate_silently(lines):
        _say(text)
        ok = ok and fine
    if not ok:
        raise typer.Exit(3)


@app.command()
def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it here.")] = None,
) -> None:
    """Write the JSON Schema of a suite, installed plugins included, for editors.

    As in `bench schema -o suite.schema.json`.
    """
    from bench.base.files import write_file
    from bench.planning.json_schema import schema as build

    text = json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
    if output:
        _say(f"wrote {write_file(output, text)}")
    else:
        _raw(text)


app.command()(doctor)


@app.command("eval")
def eval_(
    cell: OneCell,
    results: Results = Path("results"),
    data: Data = None,
) -> None:
    """Measure the kept weights of one cell again, and compare with its record.

    As in `bench eval ste-resnet20-w1a1-s0`.
    """
    from bench.train import evaluation

    ok = True
    for text, same in evaluation.again(cell, results, data):
        _say(text)
        ok = ok and same
    if not ok:
        raise typer.Exit(3)


@app.command()
def indicators(
    cell: OneCell,
    results: Results = Path("results"),
    equilibrium: Annotated[
        Literal["paper", "code", "scale_free"], typer.Option(help="Which e and s to show.")
    ] = "paper",
    form: Annotated[
        Literal["rich", "csv"], typer.Option("--format", help="csv: every layer and epoch.")
    ] = "rich",
    histograms: Annotated[
        bool, typer.Option("--histograms", help="Instead the histograms kept, as CSV.")
    ] = False,
    curves: Annotated[
        bool, typer.Option("--curves", help="Instead loss and accuracy by epoch, as CSV.")
    ] = False,
) -> None:
    """Show e and s of one cell layer by layer, weights and activations apart.

    As in `bench indicators ste-resnet20-w1a1-s0 --format csv`.
    """
    from bench.leaderboard import per_layer
    from bench.results import cell_folders

    if (form == "csv") + histograms + curves > 1:
        message = "--format csv, --histograms and --curves are three tables; ask for one of them"
        raise UsageError(message)
    record = cell_folders.recorded(results, cell)
    if histograms:
        _raw(per_layer.histograms(record).to_csv(index=False))
    elif curves:
        _raw(per_layer.curves(record).to_csv(index=False))
    elif form == "csv":
        _raw(per_layer.frame(record, equilibrium).to_csv(index=False))
    else:
        out.print(per_layer.table(record, equilibrium))


@app.command()
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
) -> None:
    """Write f and f' of one estimator as it trains: CSV with columns p, knob, z, f, df.

    As in `bench curve reste o_end=10 --at 0,0.5,1`.
    """
    from bench.properties import curve as curves

    moments, grid = curves.moments(at), curves.grid(low, high, points)
    found = curves.frame(curves.surrogate(estimator, parameters or []), role, moments, grid)
    _raw(found.to_csv(index=False))


@new_app.command("estimator")
def new_estimator(
    name: Annotated[str, typer.Argument(help="The file's and the plugin's name.")],
    into: Annotated[Path, typer.Option(help="The folder.")] = Path("estimators"),
) -> None:
    """Write a working estimator to start from; `bench list estimators` has it at once.

    As in `bench new estimator mine`.
    """
    from bench.cli.new_estimator import new_estimator as write

    path = write(name, into)
    local = into == Path("estimators")
    call = f"bench check {name}" if local else f"bench --plugins {into} check {name}"
    where = "" if local else f" that says `plugins: [{into}]`"
    _say(f"wrote {path}\nnext: edit it, `{call}`, and name it in a suite{where}")


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The suite's name, or its file.")] = "suite",
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> None:
    """Write a suite to start from: it runs as it stands, in a minute, and explains itself.

    As in `bench init mine`.
    """
    from bench.cli.new_suite import new_suite

    path = new_suite(name, force=force)
    _say(f"wrote {path}\nnext: edit it, `bench plan {path}`, `bench run {path}`")


@app.command("completion")
def completion_(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="For which shell.")],
) -> None:
    """Print a script by which a shell completes commands, suites, plugins, cells and keys.

    As in `bench completion bash >> ~/.bashrc`, `bench completion zsh >> ~/.zshrc`, or
    `bench completion fish > ~/.config/fish/completions/bench.fish`.
    """
    _raw(completion.script(shell))


@data_app.command("list")
def data_list(data: Data = None) -> None:
    """Name the data sets, and what is there of each.

    As in `bench data list`.
    """
    from bench.cli import catalogue

    _entries(catalogue.data_sets(data))


@data_app.command("verify")
def data_verify(
    name: OneData,
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Its parameters, as in classes=100."),
    ] = None,
    data: Data = None,
) -> None:
    """Load one data set, check all of it, image files decoded, and print sizes and fingerprint.

    As in `bench data verify digits`.
    """
    from bench.cli import catalogue
    from bench.run.display import counter

    with counter(err) as count:
        text = catalogue.verify(name, data, fields or [], count)
    _say(text)


@data_app.command("prepare")
def data_prepare(
    name: OneData,
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
    from bench.data.sources import data_folder

    folder = data or data_folder()
    download.prepare(name, folder, mirrors=mirror or [], allowed=not offline, report=_say)
    _say(catalogue.summary(name, folder))


def _entries(entries: Iterable[tuple[str, str, bool]]) -> None:
    """A line each; a terminal has what is too long for it wrapped under its own column."""
    listed = [*entries]
    width = max((len(name) for name, _, _ in listed), default=0)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, width=width)
    for name, text, broken in listed:
        head = Text(name.ljust(width), style="red" if broken else "bold")
        if out.file.isatty():
            table.add_row(head, Text(text))
        else:
            out.print(head + Text(f"  {text}"), soft_wrap=True)
    if table.rows:
        out.print(table)


def _say(text: str) -> None:
    print_text(out, text)


def _raw(text: str) -> None:
    """For pipes: as it is."""
    out.file.write(printable(text))
    out.file.flush()


def _refuse(wrong: bool, message: str) -> None:
    if wrong:
        raise UsageError(message)


def _warn_if_changed(plan: "Plan", suite: Path, overrides: list[str]) -> None:
    """Say so if the suite no longer says what it said when it ran."""
    from bench.spec.suite import digest, load

    try:
        document, _, _ = load(suite, overrides)
    except BenchError:
        return  # its results can be read without it
    if digest(document) != plan.source_digest:
        text = f"note: {document.source} changed since it ran; this is the table of that run"
        print_text(err, text)


def main() -> None:
    """Run the command; a BenchError is the user's to fix and needs no traceback."""
    signals.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where ± or … has no place in the encoding
    try:
        app(prog_name="bench")
    except BenchError as error:
        _fail("\n".join(f"error: {line}" for line in str(error).splitlines()), error.exit_code)
    except signals.Stopped as stopped:
        _fail(str(stopped), stopped.exit_code)
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception:  # what a C module makes of a signal
        if (stopped := signals.raised()) is None:
            raise
        _fail(str(stopped), stopped.exit_code)
    finally:
        signals.deafen()


def _fail(text: str, code: int) -> None:
    signals.deafen()
    with suppress(SystemExit):  # rich's answer to a pipe without a reader
        print_text(err, text)
    sys.exit(code)
