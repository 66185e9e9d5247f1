"""The `bench` command: parse, call, print. No logic lives here."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import BenchError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _all() -> None: ...


@app.command()
def run(
    suite: Path,
    overrides: Annotated[list[str] | None, typer.Argument()] = None,
    results: Path = Path("results"),
    data: Path = Path("data"),
    compile: bool = False,
) -> None:
    """Run every cell of SUITE that has no record yet."""
    from bench import executor, store
    from bench.crossing import plan

    resolved = plan(suite, overrides or [], data)
    store.save_plan(results, resolved)
    settings = executor.Settings(
        root=results,
        data=data,
        slots=executor.slots("auto", None, None, 1),
        compiled=compile,
        argv=tuple(sys.argv[1:]),
    )
    executor.execute(
        executor.wanted(results, resolved.cells),
        settings,
        lambda e: typer.echo(e) if e.kind != "progress" or e.acc is not None else None,
    )


def main() -> None:
    """Run the command; a BenchError is the user's to fix and needs no traceback."""
    try:
        app()
    except BenchError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
