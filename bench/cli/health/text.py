"""How a finding is shown."""

from rich.table import Table
from rich.text import Text

from bench.cli.health.finding import Finding

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


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
