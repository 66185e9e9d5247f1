"""Every command's help has an example, and the example is one."""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.main import get_command

from bench.cli.app import app

PROGRAM: Any = get_command(app)


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


ALL = dict(commands(PROGRAM))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_has_an_example(words: tuple[str, ...]) -> None:
    """`As in` and a call of this very command, whose arguments and options are read as meant."""
    told = re.findall(r"As in (.*?)(?:\n\n|\Z)", ALL[words].help, re.DOTALL)
    calls = re.findall(r"`bench ([^`]+)`", " ".join(" ".join(told).split()))

    assert calls
    for call in calls:
        args = shlex.split(re.split(r" >+ ", call)[0])
        assert tuple(args[: len(words)]) == words
        ALL[words].make_context("bench", args[len(words) :])


def test_help_shows_what_one_types(ask: Callable[..., tuple[int, str, str]]) -> None:
    """A switch has no type behind it, and what completes is one command."""
    _, first, _ = ask("-h")
    _, run, _ = ask("run", "-h")

    assert "--dry-run" in run
    assert "<bool>" not in first + run
    assert "--install-completion" not in first


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_commands_that_help_names_are_there(words: tuple[str, ...]) -> None:
    """What a help text calls `bench ...` elsewhere is a command, too."""
    command = ALL[words]
    texts = [command.help, *(getattr(p, "help", None) or "" for p in command.params)]
    for call in re.findall(r"`bench ([a-z][a-z ]*)", " ".join(texts)):
        first = call.split()
        assert tuple(first[:1]) in ALL or tuple(first[:2]) in ALL or first[0] in PROGRAM.commands
