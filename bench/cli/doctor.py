"""The command that examines this machine: parse, call, print."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import Data, Results
from bench.cli.streams import out, write_json
from bench.errors import EnvironmentProblem

if TYPE_CHECKING:
    pass


def doctor(
    results: Results = Path("results"),
    data: Data = None,
    device: Annotated[
        list[str] | None, typer.Option(help="cpu, cuda or cuda:N; every one if not given.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads per cell.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Is this machine fit to run suites, and does it compute the same thing twice?

    As in `bench doctor --device cpu`.
    """
    from bench.cli.health.checks import examine
    from bench.cli.health.finding import Finding, Setup
    from bench.cli.health.text import table

    findings: list[Finding] = []
    for finding in examine(Setup(results, data, tuple(device or ()), threads)):
        findings.append(finding)
        if not as_json:
            out.print(table(finding))
    if as_json:
        write_json([asdict(finding) for finding in findings])
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(EnvironmentProblem.exit_code)
