"""The page of all commands, from the program itself: what `--help` knows."""

from collections.abc import Iterator
from typing import Any

from bench.cli.app import app
from bench.cli.settings import make_program

HEAD = """# Commands

Made from the program; `bench COMMAND --help` prints the same. Exit codes: 0 done, 1 some cells
failed or stay stale, or `bench plan --on --budget` does not suffice, 2 wrong usage or suite, 3 a
check differs, 4 a filter matched nothing, 5 device, disk or data missing, 75 stopped and to be
queued again, 129, 130 and 143 stopped by a signal.

Every option has a variable of the environment and a place in a file: [Environment and
configuration](environment.md).
"""


def page() -> str:
    """Markdown: a section for each command, its arguments and options in tables."""
    return "\n".join([HEAD, *_command(make_program(app), "bench", None)])


def _command(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=name.split()[-1], parent=parent)
    yield f"## {name}\n"
    yield f"{_text(command.help or '')}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
    panels: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record and not record[0].endswith("--help"):
            kind = "Arguments" if param.param_type_name == "argument" else "Options"
            panel = getattr(param, "rich_help_panel", None) or kind
            panels.setdefault(panel, []).append(record)
    for panel, records in panels.items():
        yield f"| {panel} | |\n|---|---|"
        yield "\n".join(f"| {_code(names)} | {_text(text)} |" for names, text in records) + "\n"
    for child in getattr(command, "commands", {}).values():
        if not child.hidden:
            yield from _command(child, f"{name} {child.name}", context)


def _code(words: str) -> str:
    return f"<code>{_text(words)}</code>"


def _text(words: str) -> str:
    """As it stands: nothing in it is HTML or ends a cell of a table."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")
