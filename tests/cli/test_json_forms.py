"""What commands print with `--json` reads as `bench schema COMMAND` says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bench.cli import json_forms, settings
from bench.cli.app import app

Ask = Callable[..., tuple[int, str, str]]
COMMANDS = {" ".join(words): command for words, command in settings.list_commands(
    settings.make_program(app))}  # fmt: skip
WRITING = {  # or talking to people and shells
    "cancel", "completion", "data prepare", "data verify", "deploy", "export", "init", "logs",
    "machines init", "machines show", "plot", "report", "schema", "site", "submit",
}  # fmt: skip
OTHERS = {"curve", "indicators", "machines check", "machines try", "perf", "run"}  # without a form
CALLS: dict[str, tuple[str, ...]] = {
    "check": ("ste", "--quick"),
    "config": (),
    "data list": (),
    "gc": (),
    "leaderboard": ("tiny",),
    "list": ("suites",),
    "machines list": (),
    "plan": ("tiny.yaml",),
    "power": ("tiny",),
    "show": ("ledger", "table3"),
    "status": (),
    "trace": ("tiny",),
    "verify": ("--no-accuracy",),
}


def test_every_reading_command_has_json() -> None:
    """With a form, or named here as one that writes or has none."""
    with_json = {
        name for name, command in COMMANDS.items() if "json" in settings.list_options(command)
    }

    without = {name for name in COMMANDS.keys() - with_json if not name.startswith("new ")}
    assert without <= WRITING
    assert with_json - OTHERS == json_forms.FORMS.keys()


@pytest.mark.parametrize("command", json_forms.FORMS)
def test_every_form_has_a_schema(command: str, ask: Ask) -> None:
    """That a JSON Schema reader takes."""
    code, text, _ = ask("schema", *command.split())

    assert code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("command", CALLS)
def test_what_is_printed_is_of_its_form(
    command: str, ask: Ask, measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a suite that ran."""
    monkeypatch.chdir(measured.parent)
    code, text, err = ask(*command.split(), *CALLS[command], "--json")
    found: Any = json.loads(text)

    assert code in {0, 3}, err
    jsonschema.validate(found, json_forms.make_schema(command))
    assert found or command in {"gc", "machines list", "power", "status"}


def test_a_command_without_json_has_no_schema(ask: Ask) -> None:
    """It is said, and what may have been meant."""
    code, _, err = ask("schema", "leaderbord")

    assert code == 2
    assert "did you mean `leaderboard`?" in err
