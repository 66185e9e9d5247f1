"""The command that writes the JSON Schema of suites, and of machines.yaml: parse, call, print."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.base.console import print_text
from bench.cli.streams import out, write


def schema(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="Of what `bench COMMAND --json` prints; of a suite if not given."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it here.")] = None,
    machines: Annotated[
        bool, typer.Option("--machines", help="Of machines.yaml, not of a suite.")
    ] = False,
) -> None:
    """Write a JSON Schema: of a suite, installed plugins included, or of a command's `--json`.

    As in `bench schema -o suite.schema.json`, or `bench schema leaderboard`.
    """
    from bench.base.files import write_file

    text = json.dumps(_make(command, machines=machines), indent=1, ensure_ascii=False) + "\n"
    if output:
        print_text(out, f"wrote {write_file(output, text)}")
    else:
        write(text)


def _make(command: list[str] | None, *, machines: bool) -> dict[str, Any]:
    if command:
        from bench.cli import json_forms

        return json_forms.make_schema(" ".join(command))
    if machines:
        from bench.fleet import machines_file

        return machines_file.make_schema()
    from bench.planning import json_schema

    return json_schema.make_schema()
