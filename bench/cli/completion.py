"""
What a shell offers when Tab is pressed: names that are there now. Imports no torch, raises nothing.

typer asks the functions below for the words of an argument and keeps those that fit. Results may be
anybody's, and a shell reads what it was offered as if it had been typed: a name that it would
not read as one plain word is not offered.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage]

from bench.base.python_files import shipped
from bench.cli.streams import write
from bench.registry import BACKBONES, DATA, ESTIMATORS, Registry, add_folders
from bench.spec.choices import PLURALS, Kind
from bench.spec.schedule import SCHEDULES

Shell = Literal["bash", "zsh", "fish"]
Candidates = Callable[[typer.Context], Iterable[str]]
PLAIN = re.compile(r"[\w@%+=:,./][\w@%+=:,./-]*")  # nothing in it means anything to a shell


def offering(*sources: Candidates) -> Callable[[typer.Context], list[str]]:
    """For `autocompletion`: all that the sources name, less those that cannot tell."""

    def offered(ctx: typer.Context) -> list[str]:
        found: dict[str, None] = {}
        for source in sources:
            try:
                found |= dict.fromkeys(name for name in source(ctx) if PLAIN.fullmatch(name))
            except Exception:  # a line that is being typed has no place for it
                continue
        return [*found]

    return offered


def suites(_: typer.Context) -> Iterable[str]:
    """The shipped ones, and files of this folder."""
    yield from sorted(path.stem for path in shipped("suites").glob("*.yaml"))
    yield from sorted(path.name for path in Path().glob("*.yaml"))


def columns(_: typer.Context) -> Iterable[str]:
    """Keys of a leaderboard's columns."""
    from bench.leaderboard.columns.selection import list_keys

    return list_keys()


def ledgers(_: typer.Context) -> Iterable[str]:
    return sorted(path.stem for path in (shipped("suites") / "published").glob("*.yaml"))


def ran(ctx: typer.Context) -> Iterable[str]:
    """Suites of the results folder."""
    return sorted(path.parent.name for path in (_results(ctx) / "suites").glob("*/plan.json"))


def cells(ctx: typer.Context) -> Iterable[str]:
    return sorted(path.name for path in (_results(ctx) / "cells").glob("[!.]*"))


def estimators(ctx: typer.Context) -> Iterable[str]:
    return _plugins(ctx, ESTIMATORS)


def backbones(ctx: typer.Context) -> Iterable[str]:
    return _plugins(ctx, BACKBONES)


def data(ctx: typer.Context) -> Iterable[str]:
    return _plugins(ctx, DATA)


def schedules(_: typer.Context) -> Iterable[str]:
    return SCHEDULES


def overrides(_: typer.Context) -> Iterable[str]:
    """Keys of every suite."""
    from bench.spec.cell import Recipe
    from bench.spec.suite import Suite

    yield from (f"{key}=" for key in Suite.model_fields if key != "train")
    yield from (f"train.{key}=" for key in Recipe.model_fields)


def trackers(_: typer.Context) -> Iterable[str]:
    from bench.execution import tracking

    return tracking.names()


def profiles(ctx: typer.Context) -> Iterable[str]:
    """Profiles that are seen from here, and engines."""
    from bench.fleet import machines_file

    suite = ctx.params.get("suite")
    return machines_file.names(Path(suite) if suite else None)


def presets(_: typer.Context) -> Iterable[str]:
    return sorted(path.stem for path in (shipped("suites") / "presets").glob("*.yaml"))


def kinds(_: typer.Context) -> Iterable[str]:
    """What `bench list` names."""
    return PLURALS


def kind(_: typer.Context) -> Iterable[str]:
    """What `bench show` describes one of."""
    return PLURALS.values()


def described(ctx: typer.Context) -> Iterable[str]:
    """The names of what `bench show KIND` describes."""
    sources: dict[Kind, Candidates] = {
        "estimator": estimators, "backbone": backbones, "data": data, "schedule": schedules,
        "suite": suites, "preset": presets, "ledger": ledgers,
    }  # fmt: skip
    for several, kind in PLURALS.items():
        if ctx.params.get("kind") in {several, kind}:
            yield from sources[kind](ctx)


def _results(ctx: typer.Context) -> Path:
    return Path(ctx.params.get("results") or os.environ.get("BENCH_RESULTS") or "results")


def _plugins(ctx: typer.Context, registry: "Registry[Any]") -> Iterable[str]:
    add_folders(ctx.find_root().params.get("plugins") or [])
    return [name for name, origin in registry.origins().items() if not origin.problem]


def completion_(
    shell: Annotated[Shell, typer.Argument(help="For which shell.")],
) -> None:
    """Print a script by which a shell completes commands, suites, plugins, cells and keys.

    As in `bench completion bash >> ~/.bashrc`, `bench completion zsh >> ~/.zshrc`, or
    `bench completion fish > ~/.config/fish/completions/bench.fish`.
    """
    write(script(shell))


def script(shell: Shell) -> str:
    """What the shell is to source."""
    text = get_completion_script(prog_name="bench", complete_var="_BENCH_COMPLETE", shell=shell)
    if shell == "bash":  # no blank after `train.epochs=`
        text = text.replace(
            "return 0", '[[ "${COMPREPLY-}" == *= ]] && compopt -o nospace\n    return 0'
        )
    return text + "\n"
