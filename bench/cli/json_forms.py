"""
The one place that says how the `--json` of each command reads; `bench schema COMMAND` prints it.

A form is a type of this file, or the dataclass that a command dumps, named as `module:type` since
some of these import torch. Keys may be added in later versions; none changes its meaning.
"""

from importlib import import_module
from typing import Any, NotRequired

from typing_extensions import TypedDict  # typing's, as pydantic needs it before Python 3.12

from bench.base.text import suggest
from bench.errors import UsageError

HERE = __name__


class Entry(TypedDict):
    """One of what there is."""

    name: str
    text: str  # a line about it
    broken: bool


class Description(TypedDict):
    """One thing, described."""

    kind: str
    name: str
    text: str


class Report(TypedDict):
    """What one check found."""

    holds: bool
    lines: list[str]


class Checked(TypedDict):
    """What was verified of one cell."""

    cell: str
    state: str  # ok, partly, not, DIFFERS
    checked: list[str]
    wrong: list[str]
    unchecked: list[str]


class Leftover(TypedDict):
    """Something in a results folder that no kept plan wants."""

    path: str
    reason: str
    size: int  # bytes
    held: bool  # by a run that is at work


class Merged(TypedDict):
    """What became of a cell or suite of a source."""

    source: str
    kind: str
    name: str
    text: str


class PlannedCell(TypedDict):
    """A cell of a plan, once for each row that has it."""

    id: str
    row: str
    backbone: str
    wa: str
    schedule: str
    seed: int
    part: str  # of a chain or of tuning; empty: it is the row's own
    state: str
    note: str


class LeftOut(TypedDict):
    combination: str
    reason: str


class Planned(TypedDict):
    """What a suite means, and where its cells stand; of costs it is another form."""

    suite: str
    cells: list[PlannedCell]
    left_out: list[LeftOut]
    failed_checks: dict[str, list[str]]  # what fails → the rows that use it
    missing: list[str]  # data that is not there


class Section(TypedDict):
    """A table: rows that share network, bits, recipe and data."""

    backbone: str
    wa: str
    recipe: str
    classes: int
    tuned: bool
    lines: list[dict[str, Any]]  # rows, by the keys of `bench leaderboard --format csv`


class Leaderboard(TypedDict):
    suite: str
    sections: list[Section]
    across: dict[str, Any] | None  # average ranks over several tables
    recorded: int
    stale: int
    total: int
    answers: list[str]
    notes: list[str]
    equilibrium: str
    correction: str
    alpha: float


class TracedRow(TypedDict):
    """A row of a table and what it is made of."""

    suite: str
    line: dict[str, Any]
    seeds: list[dict[str, Any]]
    trails: list[dict[str, Any]]  # of its cells: files, processes, digests


class Pair(TypedDict):
    """Two rows that their seeds cannot tell apart."""

    better: str
    worse: str
    backbone: str
    wa: str
    tuned: bool
    difference: float  # of the means, as a fraction
    n: list[int]
    needed: int | None  # seeds of each row
    more: int | None


class RunCell(TypedDict):
    id: str
    name: str
    state: str
    epoch: int
    epochs: int
    acc: float | None
    left: float | None  # seconds
    reason: str
    place: str
    log: str


class RunState(TypedDict):
    """A run of a results folder."""

    state: str
    cells: list[RunCell]
    suite: NotRequired[str]


class Setting(TypedDict):
    option: str
    value: str
    place: str  # the variable, or file:line:column


class Unknown(TypedDict):
    name: str
    hint: str


class Configuration(TypedDict):
    """What environment and file set."""

    file: str | None
    settings: list[Setting]
    unknown: list[Unknown]


class NamedProfile(TypedDict):
    name: str
    where: str  # file:line:column
    profile: dict[str, Any]


FORMS: dict[str, tuple[str, bool]] = {  # command → its type, and whether it is a list of these
    "check": (f"{HERE}:Report", True),
    "compare": (f"{HERE}:Leaderboard", False),
    "config": (f"{HERE}:Configuration", False),
    "data list": (f"{HERE}:Entry", True),
    "diff": ("bench.results.diff:CellDiff", False),
    "doctor": ("bench.cli.health.finding:Finding", True),
    "eval": (f"{HERE}:Report", True),
    "gc": (f"{HERE}:Leftover", True),
    "leaderboard": (f"{HERE}:Leaderboard", False),
    "list": (f"{HERE}:Entry", True),
    "machines list": (f"{HERE}:NamedProfile", True),
    "merge": (f"{HERE}:Merged", True),
    "plan": (f"{HERE}:Planned", False),
    "power": (f"{HERE}:Pair", True),
    "show": (f"{HERE}:Description", False),
    "status": (f"{HERE}:RunState", True),
    "trace": (f"{HERE}:TracedRow", True),
    "verify": (f"{HERE}:Checked", True),
}


def make_schema(command: str) -> dict[str, Any]:
    """
    The JSON Schema of what a command prints with `--json`.

    Raises:
        UsageError: no such command, or it has no `--json`.
    """
    from pydantic import TypeAdapter

    if command not in FORMS:
        message = f"no `--json` of `bench {command}` is described{suggest(command, FORMS)}"
        raise UsageError(message)
    name, several = FORMS[command]
    module, _, kind = name.partition(":")
    made: Any = getattr(import_module(module), kind)
    form: Any = list[made] if several else made  # pyright: ignore[reportInvalidTypeForm]
    schema = TypeAdapter(form).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
