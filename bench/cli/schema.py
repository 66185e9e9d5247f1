"""The command that writes the JSON Schema of suites, and of machines.yaml: parse, call, print."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.base.console import print_text
from bench.cli.streams import out, write


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it here.")] = None,
    machines: Annotated[
        bool, typer.Option("--machines", help="Of machines.yaml, not of a suite.")
    ] = False,
) -> None:
    """Write the JSON Schema of a suite, installed plugins included, for editors.

    As in `bench schema -o suite.schema.json`.
    """
    from bench.base.files import write_file
    from bench.fleet import machines_file
    from bench.planning import json_schema

    made = machines_file.make_schema() if machines else json_schema.make_schema()
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    if output:
        print_text(out, f"wrote {write_file(output, text)}")
    else:
        write(text)
