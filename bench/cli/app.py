"""The `bench` command, put together: each command is a file of this folder by the same name."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from bench import __version__
from bench.base import signals
from bench.base.console import print_text
from bench.cli import lasting_output
from bench.cli.cancel import cancel
from bench.cli.check import check
from bench.cli.compare import compare
from bench.cli.completion import completion_
from bench.cli.curve import curve
from bench.cli.data import data_app
from bench.cli.deploy import deploy
from bench.cli.diff import diff
from bench.cli.doctor import doctor
from bench.cli.eval import eval_
from bench.cli.export import export
from bench.cli.gc import gc
from bench.cli.indicators import indicators
from bench.cli.init import init
from bench.cli.leaderboard import leaderboard
from bench.cli.list import list_
from bench.cli.logs import logs
from bench.cli.machines import machines_app
from bench.cli.merge import merge
from bench.cli.new import new_app
from bench.cli.perf import perf
from bench.cli.plan import plan
from bench.cli.plot import plot
from bench.cli.power import power
from bench.cli.report import report
from bench.cli.run import run
from bench.cli.schema import schema
from bench.cli.show import show
from bench.cli.site import site
from bench.cli.status import status
from bench.cli.streams import err, out
from bench.cli.submit import submit
from bench.cli.trace import trace
from bench.cli.verify import verify
from bench.cli.work import work
from bench.errors import BenchError, Detached, EnvironmentProblem, UsageError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich")
COMMANDS = {  # in the order of `bench --help`
    "run": run,
    "leaderboard": leaderboard,
    "gc": gc,
    "status": status,
    "cancel": cancel,
    "logs": logs,
    "list": list_,
    "show": show,
    "check": check,
    "schema": schema,
    "doctor": doctor,
    "eval": eval_,
    "deploy": deploy,
    "indicators": indicators,
    "curve": curve,
    "init": init,
    "completion": completion_,
    "trace": trace,
    "diff": diff,
    "export": export,
    "submit": submit,
    "merge": merge,
    "verify": verify,
    "plan": plan,
    "power": power,
    "compare": compare,
    "plot": plot,
    "report": report,
    "site": site,
    "perf": perf,
}
for _name, _function in COMMANDS.items():
    app.command(_name)(_function)
app.command("work", hidden=True)(work)
app.add_typer(data_app, name="data")
app.add_typer(machines_app, name="machines")
app.add_typer(new_app, name="new")


def _add_plugin_folders(folders: list[Path]) -> None:
    from bench.registry import add_folders

    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        message = f"--plugins: no folder `{missing[0]}`"
        raise UsageError(message)
    add_folders(folders)


def _version(wanted: bool) -> None:
    if wanted:
        print_text(out, f"signbench {__version__}")
        raise typer.Exit


@app.callback()
def _read_global_options(
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
        _add_plugin_folders(plugins)


def main() -> None:
    """Run the command; a BenchError is the user's to fix and needs no traceback."""
    signals.listen()
    lasting_output.install()
    try:
        try:
            app(prog_name="bench")
        finally:
            lost = lasting_output.conclude()
            if lost:
                print_text(err, f"note: {lost}")
    except BenchError as error:
        _exit_with("\n".join(f"error: {line}" for line in str(error).splitlines()), error.exit_code)
    except (Detached, signals.Stopped) as left:
        _exit_with(str(left), left.exit_code)
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # what a C module makes of a signal, or a disk of a file
        if (stopped := signals.raised()) is not None:
            _exit_with(str(stopped), stopped.exit_code)
        if not (isinstance(error, OSError) and error.filename and error.strerror):
            raise
        message = f"error: `{error.filename}` cannot be used: {error.strerror}"
        _exit_with(message, EnvironmentProblem.exit_code)
    finally:
        signals.deafen()


def _exit_with(text: str, code: int) -> None:
    signals.deafen()
    with suppress(SystemExit):  # rich's answer to a pipe without a reader
        print_text(err, text)
    sys.exit(code)
