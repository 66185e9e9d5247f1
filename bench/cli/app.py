"""The `bench` command, put together: each command is a file of this folder by the same name."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from bench import __version__
from bench.base import signals
from bench.base.console import print_text
from bench.cli import lasting_output, settings
from bench.cli.cancel import cancel
from bench.cli.check import check
from bench.cli.compare import compare
from bench.cli.completion import completion_
from bench.cli.config import config
from bench.cli.curve import curve
from bench.cli.data import data_app
from bench.cli.deploy import deploy
from bench.cli.diff import diff
from bench.cli.doctor import doctor
from bench.cli.equivalence import equivalence
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
from bench.cli.misuse import explain_misuse
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

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every option may also be said in the environment, `bench run --jobs` as "
    "BENCH_RUN_JOBS, and in a file: `bench config`.",
)
COMMANDS: dict[str, dict[str, Callable[..., None] | typer.Typer]] = {  # as `bench --help` has them
    "Run": {
        "init": init,
        "plan": plan,
        "run": run,
        "status": status,
        "logs": logs,
        "cancel": cancel,
        "machines": machines_app,
    },
    "Read results": {
        "leaderboard": leaderboard,
        "report": report,
        "site": site,
        "plot": plot,
        "trace": trace,
        "compare": compare,
        "power": power,
        "equivalence": equivalence,
        "indicators": indicators,
        "curve": curve,
    },
    "Prove": {
        "check": check,
        "verify": verify,
        "eval": eval_,
        "diff": diff,
    },
    "Share and keep": {
        "export": export,
        "submit": submit,
        "merge": merge,
        "deploy": deploy,
        "gc": gc,
    },
    "Extend": {
        "new": new_app,
        "list": list_,
        "show": show,
        "schema": schema,
        "data": data_app,
    },
    "This machine": {
        "doctor": doctor,
        "perf": perf,
        "config": config,
        "completion": completion_,
    },
}
FUNCTIONS = [
    c for panel in COMMANDS.values() for c in panel.values() if not isinstance(c, typer.Typer)
]
for _panel, _commands in COMMANDS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_panel)
        else:
            app.command(_name, rich_help_panel=_panel)(_command)
app.command("work", hidden=True)(work)


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
            _call()
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
        if not (message := _of_files(error)):
            raise
        _exit_with(f"error: {message}", EnvironmentProblem.exit_code)
    finally:
        signals.deafen()


def _call() -> None:
    """Call the command that the line names; what the line leaves out is said elsewhere."""
    program = settings.make_program(app)
    words = sys.argv[1:]
    helps = not {"-h", "--help", "--version"}.isdisjoint(words) or words[:1] == ["completion"]
    completes = "_BENCH_COMPLETE" in os.environ
    defaults = {} if helps or completes else settings.read_defaults(program)
    try:
        code = program(prog_name="bench", default_map=defaults, standalone_mode=False)
    except Exception as error:  # typer's own click, or click: no name holds for every version
        context, tell = getattr(error, "ctx", None), getattr(error, "format_message", None)
        if tell is None:
            raise
        if type(error).__name__ == "NoArgsIsHelpError" and context:
            print_text(err, context.get_help())
            sys.exit(2)
        raise UsageError(
            explain_misuse(tell(), context.command_path if context else "bench")
        ) from None
    sys.exit(code if isinstance(code, int) else 0)


def _of_files(error: Exception) -> str:
    """What an error says of a file or the working folder; nothing if it is of another kind."""
    if isinstance(error, FileNotFoundError):
        try:
            Path.cwd()
        except FileNotFoundError:
            return "the folder in which this was called is gone; change to another"
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"`{error.filename}` cannot be used: {error.strerror}"
    return ""


def _exit_with(text: str, code: int) -> None:
    signals.deafen()
    with suppress(SystemExit):  # rich's answer to a pipe without a reader
        print_text(err, text)
    sys.exit(code)
