"""How findings are shown."""

from collections.abc import Iterable
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from bench.cli.asked_form import AskedForm, write_form
from bench.cli.health.finding import Finding
from bench.cli.streams import out

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def show(findings: Iterable[Finding], form: AskedForm) -> bool:
    """Print findings as they come, or all for programs; returns whether none is a failure."""
    shown: list[Finding] = []
    for finding in findings:
        shown.append(finding)
        if form == "rich":
            out.print(table(finding))
    if form != "rich":
        write_form(form, [asdict(finding) for finding in shown])
    return all(finding.state != "fail" for finding in shown)


def table(finding: Finding) -> Table:
    """Its state, what it is about, and below what was found what to do."""
    style = STYLES[finding.state]
    lines = Table.grid(padding=(0, 1))
    for width in (4, 12, None):
        lines.add_column(width=width, overflow="fold")
    lines.add_row(Text(finding.state, style), Text(finding.what), Text(finding.found))
    if finding.advice:
        lines.add_row("", "", Text(f"→ {finding.advice}", style))
    return lines
