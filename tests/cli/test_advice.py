"""What texts tell users to type is there: commands, subcommands and options, by their names."""

import re
from collections.abc import Iterator
from pathlib import Path

import typer
from typer._click import Command

from bench.cli import app

ROOT = Path(app.__file__).parents[2]
TEXTS = ["bench/**/*.py", "docs/pages/*.md", "suites/**/*.yaml", "README.md", "CONTRIBUTING.md"]
ADVICE = re.compile(r"`bench ([a-z]+)( [^`]*)?`")
JOINED = re.compile(r'"\s*\n\s*f?"')  # a string that is written in several lines


def advice() -> Iterator[tuple[Path, str, list[str]]]:
    """Each command that stands in backticks: where, its name, and its words."""
    for pattern in TEXTS:
        for path in ROOT.glob(pattern):
            text = JOINED.sub("", path.read_text(encoding="utf-8"))
            for name, words in ADVICE.findall(text):
                yield path, name, words.split()


def options(command: Command) -> set[str]:
    return {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}


def test_every_command_that_is_named_is_there() -> None:
    """A command or an option that was renamed is renamed in all texts."""
    commands = typer.main.get_command(app.app).commands  # type: ignore[attr-defined]
    wrong: list[str] = []
    for path, name, words in advice():
        command = commands.get(name)
        below = getattr(command, "commands", {})
        command = below.get(words[0], command) if words else command
        known = options(command) if command else set[str]()
        given = {m[0] for word in words if (m := re.match(r"--?[a-z][a-z-]*", word))}
        wrong += [f"{path}: {name} {unknown}" for unknown in given - known]
        wrong += [] if command else [f"{path}: {name}"]

    assert wrong == []
