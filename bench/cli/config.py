"""The command that tells what is set outside the command line: parse, call, print."""

from dataclasses import asdict

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from bench.base.console import print_text
from bench.cli import settings
from bench.cli.asked_form import TableForm, reading, write_form
from bench.cli.streams import err, out


@reading
def config(context: typer.Context, form: TableForm = "rich") -> None:
    """Tell which options the environment and your file set, and what is wrong in them.

    As in `bench config`. In the file an option stands under its command, or at the top for every
    command that has it: `results: /data/results`, `run: {jobs: 4}`. The command line goes before
    the environment, and that before the file.
    """
    program = context.find_root().command
    file, found = settings.find_file(), settings.list_settings(program)
    unknown = settings.list_unknown(program)
    if form != "rich":
        name, said = str(file) if file else None, [asdict(setting) for setting in found]
        strange = [asdict(one) for one in unknown]
        write_form(form, {"file": name, "settings": said, "unknown": strange}, said)
        return
    print_text(out, f"file: {file or f'none; {settings.home_file()} would be read'}")
    if found:
        table = Table("option", "value", "from", box=box.SIMPLE_HEAD)
        for setting in found:
            table.add_row(*map(Text, (setting.option, setting.value, setting.place)))
        out.print(table)
    else:
        print_text(out, "nothing is set outside the command line")
    for one in unknown:
        print_text(err, f"note: {one.name} means nothing here{one.hint}")
