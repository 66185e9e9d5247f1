"""What commands print with `--json` reads as `bench schema COMMAND` says."""

import csv
import io
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
NOT_READING = {  # they write, or talk to people and shells
    "cancel", "completion", "data prepare", "deploy", "export", "init", "logs", "machines init",
    "new backbone", "new data", "new estimator", "new method", "new results-repository", "plot",
    "report", "run", "schema", "site", "submit",
}  # fmt: skip
CALLS: dict[str, tuple[str, ...]] = {
    "check": ("ste", "--quick"),
    "config": (),
    "curve": ("ste", "--points", "3"),
    "data list": (),
    "data verify": ("digits",),
    "equivalence": ("tiny", "--to", "ste"),
    "gc": (),
    "indicators": ("ste", "--curves"),
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


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - NOT_READING))
def test_a_reading_command_prints_for_programs(command: str) -> None:
    """It takes --json and --format, says so in one way, and its form is described."""
    options = settings.list_options(COMMANDS[command])

    assert {"json", "format"} <= options.keys()
    assert options["json"].help.startswith("As --format json")
    assert command in json_forms.FORMS


def test_forms_are_of_commands() -> None:
    """That there are; and what does not read is named above because it is there."""
    assert json_forms.FORMS.keys() <= COMMANDS.keys()
    assert COMMANDS.keys() >= NOT_READING


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


def test_csv_has_a_line_for_each(ask: Ask, measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all fields that JSON has; what is nested in one is JSON."""
    monkeypatch.chdir(measured.parent)
    _, planned, _ = ask("plan", "tiny.yaml", "--json")
    _, text, _ = ask("plan", "tiny.yaml", "--format", "csv")
    _, verified, _ = ask("verify", "--no-accuracy", "--format", "csv")
    cells = json.loads(planned)["cells"]

    assert [*csv.DictReader(io.StringIO(text))] == [
        {key: str(value) for key, value in cell.items()} for cell in cells
    ]
    (first, *_) = csv.DictReader(io.StringIO(verified))
    assert "weights" in " ".join(json.loads(first["checked"]))


def test_a_command_without_json_has_no_schema(ask: Ask) -> None:
    """It is said, and what may have been meant."""
    code, _, err = ask("schema", "leaderbord")

    assert code == 2
    assert "did you mean `leaderboard`?" in err
