"""
How a reading command is asked to print: `--format`, and `--json`, which is `--format json`.

Every command that reads has both. It takes one parameter, `form`, and `reading` adds the other; a
value for programs is written here, whatever command it is of.
"""

import csv
import functools
import inspect
import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import typer

from bench.base.text import no_formula, printable
from bench.cli.streams import write, write_json

AskedForm: TypeAlias = Literal["rich", "csv", "json"]
TableForm = Annotated[
    AskedForm, typer.Option("--format", help="How to print it; csv: a line for each, all fields.")
]
TextForm = Annotated[Literal["rich", "json"], typer.Option("--format", help="How to print it.")]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="As --format json, whatever that says; `bench schema` has its form."
    ),
]


def reading(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that has a parameter `form` also `--json`."""
    own = inspect.signature(command).parameters

    @functools.wraps(command)
    def asked(*args: Any, as_json: bool = False, **values: Any) -> None:
        if as_json:
            values["form"] = type(values["form"])("json")
        command(*args, **values)

    added = inspect.Parameter(
        "as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson
    )
    parameters = [*own.values(), added]
    asked.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    asked.__annotations__ = {p.name: p.annotation for p in parameters}
    return asked


def write_form(
    form: AskedForm,
    value: Any,
    lines: Iterable[Mapping[str, Any]] | None = None,
    default: Callable[[Any], Any] | None = None,
) -> None:
    """
    Write a value to stdout for programs.

    Args:
        lines: what CSV has a line for; None: the value is the list of them.
        default: turns what JSON lacks into what it has.
    """
    if form == "csv":
        write(_spell_csv(value if lines is None else lines))
    else:
        write_json(value, default=default)


def _spell_csv(lines: Iterable[Mapping[str, Any]]) -> str:
    """Every mapping in a line, what it lacks empty; a value in it that is nested, as JSON."""
    flat = [{key: _spell(value) for key, value in line.items()} for line in lines]
    heads = dict.fromkeys(key for line in flat for key in line)
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(heads)
    table.writerows([line.get(key, "") for key in heads] for line in flat)
    return printable(written.getvalue())


def _spell(value: Any) -> Any:
    if isinstance(value, str):
        return no_formula(value)
    if isinstance(value, bool) or (value is not None and not isinstance(value, (int, float))):
        return json.dumps(value, ensure_ascii=False)
    return value
