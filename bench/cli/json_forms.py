"""
The one place that says how the `--json` of each command reads; `bench schema COMMAND` prints it.

A form is a type of this file, or the dataclass that a command dumps, named as `module:type` since
some of these import torch. A command that prints several things has several forms. Keys may be
added in later versions; none changes its meaning.
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


class StudyVerdict(TypedDict):
    """An estimator's verdict by one definition of rational and flexible."""

    estimator: str
    definition: str
    baseline: str
    form: str
    rational: str
    flexible: str
    nearly: bool  # not rational, by so little that no training sees it


class CurvePoint(TypedDict):
    """f and its derivative at one z, as they train."""

    p: float  # progress of training
    knob: float
    z: float
    f: float
    df: float


class LayerEpoch(TypedDict):
    """A layer after an epoch."""

    layer: str
    role: str
    epoch: int
    e: float | None  # None: no f
    s: float | None
    n: int  # latent values
    zeros: int
    knob: float | None


class HistogramBin(TypedDict):
    layer: str
    role: str
    epoch: int
    quantity: str
    low: float
    high: float
    count: int


class CurveEpoch(TypedDict):
    """A cell after an epoch; accuracies are fractions."""

    epoch: int
    train_loss: float | None
    test_acc: float | None
    test_top5: float | None
    lr: float | None


class GraphCost(TypedDict):
    """What its cells cost that compute one graph; times are seconds."""

    name: str
    cells: list[str]
    left_s: float
    problem: str  # why it was not measured
    tempo: dict[str, Any] | None


class Forecast(TypedDict):
    """What a suite costs here; times are seconds."""

    suite: str
    slots: list[dict[str, Any]]
    left_s: float
    graphs: list[GraphCost]
    ends: dict[str, float]  # of cells, from now
    ways: list[dict[str, Any]]  # to share the CPU, the fastest first
    budget: NotRequired[dict[str, Any]]


class PlannedJob(TypedDict):
    cells: list[str]
    seconds: float | None


class CostElsewhere(TypedDict):
    """What a suite costs on a profile's machines; times are seconds."""

    profile: dict[str, Any]
    cells_at_once: int
    jobs: list[PlannedJob]
    graphs: list[GraphCost]
    unit: str  # of hours
    hours: float
    ends: dict[str, float]
    left_s: float


class RunLine(TypedDict):
    """
    A line of `bench run --json`: what happened, when; `kind` says which of the others it has.

    Kinds: run, part, over, summary, stop, and of a cell queue, start, compile, progress, note, end,
    retry, elsewhere, takeover, moved.
    """

    version: int
    at: str  # UTC
    suite: str
    kind: str
    command: NotRequired[list[str]]  # run
    root: NotRequired[str]
    owner: NotRequired[dict[str, Any]]  # part
    cells: NotRequired[list[dict[str, Any]]]
    cell: NotRequired[str]
    cell_id: NotRequired[str]
    epoch: NotRequired[int]
    fraction: NotRequired[float]  # of the next epoch
    acc: NotRequired[float]
    images_per_s: NotRequired[float]
    status: NotRequired[str]  # end, retry
    reason: NotRequired[str]
    error: NotRequired[str]  # summary, which also counts cells by their status
    exit_code: NotRequired[int]


FORMS: dict[str, tuple[str, ...]] = {  # command → what it may print; `[]`: a list of these
    "check": ("Report[]", "StudyVerdict[]"),
    "compare": ("Leaderboard",),
    "config": ("Configuration",),
    "curve": ("CurvePoint[]",),
    "data list": ("Entry[]",),
    "data verify": ("Description",),
    "diff": ("bench.results.diff:CellDiff", "bench.results.diff:FolderDiff"),
    "doctor": ("bench.cli.health.finding:Finding[]",),
    "equivalence": ("bench.cli.equivalence_form:Equivalences",),
    "eval": ("Report[]",),
    "gc": ("Leftover[]",),
    "indicators": ("LayerEpoch[]", "HistogramBin[]", "CurveEpoch[]"),
    "leaderboard": ("Leaderboard",),
    "list": ("Entry[]",),
    "machines check": ("bench.cli.health.finding:Finding[]",),
    "machines list": ("NamedProfile[]",),
    "merge": ("Merged[]",),
    "perf": ("bench.speed.survey.survey:SurveyReport",),
    "plan": ("Planned", "Forecast", "CostElsewhere"),
    "power": ("Pair[]",),
    "run": ("RunLine",),  # each line
    "show": ("Description",),
    "status": ("RunState[]",),
    "trace": ("TracedRow[]", "bench.leaderboard.cell_trace:CellTrace"),
    "verify": ("Checked[]",),
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
    form, *others = map(_find, FORMS[command])
    for other in others:
        form |= other
    schema = TypeAdapter(form).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _find(name: str) -> Any:
    """The type that a form's name stands for."""
    module, _, kind = name.removesuffix("[]").rpartition(":")
    made: Any = getattr(import_module(module or HERE), kind)
    return list[made] if name.endswith("[]") else made
