"""What `bench diff` prints."""

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.base.console import print_text
from bench.results.diff import CellDiff, CellPair, FolderDiff


def print_diff(found: CellDiff | FolderDiff, console: Console) -> None:
    """Print two cells or two folders side by side."""
    if isinstance(found, CellDiff):
        _cells(found, console)
    else:
        _folders(found, console)


def _cells(found: CellDiff, console: Console) -> None:
    print_text(console, f"a  {found.a}\nb  {found.b}")
    parts = {"cell": found.cell, "made on": found.made_on, "outcome": found.outcome}
    for title, differences in parts.items():
        if differences:
            rows = ((d.name, d.a, d.b) for d in differences)
            console.print(_table((title, "a", "b"), rows))
    print_text(console, f"\n{verdict(found)}")
    for cause in found.causes:
        print_text(console, f"  may be why: {cause}")


def verdict(found: CellDiff) -> str:
    """What the two cells are to each other, in a line."""
    if found.obstacles:
        return f"not comparable: {'; '.join(found.obstacles)}"
    if not found.same_cell:
        return "comparable: nothing but estimator and seed differs"
    return "the same cell, other bits" if found.parted else "the same cell, the same bits"


def _folders(found: FolderDiff, console: Console) -> None:
    print_text(console, f"a  {found.a}\nb  {found.b}")
    listed = {
        "only in a": found.only_a,
        "only in b": found.only_b,
        "damaged weights": found.damaged,
    }
    for title, names in listed.items():
        if names:
            print_text(console, f"\n{title}: {len(names)}")
            print_text(console, "\n".join(f"  {name}" for name in names))
    lists: dict[str, list[CellPair]] = {
        "in both, other numbers": found.other,
        "in both, not measured in one": found.states,
        "the same training, other code": found.code,
    }
    for title, pairs in lists.items():
        if pairs:
            print_text(console, f"\n{title}: {len(pairs)}")
            rows = ((p.name, p.a, p.b, ", ".join(p.differ)) for p in pairs)
            console.print(_table(("cell", "a", "b", "what differs"), rows))
    print_text(console, f"\nin both, the same: {len(found.same)}")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(word) for word in row))
    return table
