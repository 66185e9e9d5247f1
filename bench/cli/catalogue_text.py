"""How what there is is listed."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from bench.cli.asked_form import AskedForm, write_form
from bench.cli.streams import out


def print_entries(entries: Iterable[tuple[str, str, bool]], form: AskedForm) -> None:
    """Print a line for each; a terminal wraps what is too long for it under its own column."""
    listed = [*entries]
    if form != "rich":
        write_form(form, [{"name": n, "text": t, "broken": broken} for n, t, broken in listed])
        return
    width = max((len(name) for name, _, _ in listed), default=0)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, width=width)
    for name, text, broken in listed:
        head = Text(name.ljust(width), style="red" if broken else "bold")
        if out.file.isatty():
            table.add_row(head, Text(text))
        else:
            out.print(head + Text(f"  {text}"), soft_wrap=True)
    if table.rows:
        out.print(table)
