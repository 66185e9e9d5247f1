"""
A suite: the fields that its document may have, their defaults, and what is wrong with them.

`bench.spec.composition` makes the document of a file.
"""

import re
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from bench.base.plain_data import as_list
from bench.base.validation import LONGEST_VALUE, Frozen, problems
from bench.base.yaml_document import Document, Problem
from bench.spec.cell import WA, Binarization, Recipe
from bench.spec.choices import Definition
from bench.spec.preset import PresetName
from bench.spec.published import Protocol
from bench.spec.schedule import ScheduleName

ScheduleChoice: TypeAlias = ScheduleName | Literal["default"]
Entry: TypeAlias = dict[str, Any]
MOST_SEEDS = 10_000  # of a row


def _listed(value: Any) -> Any:
    """One value where a list is meant."""
    return [value] if isinstance(value, str | int) else value


def _seeds(value: Any) -> Any:
    """
    `0`, `[0, 1]`, or the range `0..4`, both ends included.

    A bare `5` is asked about, for it may mean five seeds, and another way to write a range, too.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 1 < value <= MOST_SEEDS:
        meant = f"`0..{value - 1}` are {value} seeds, `[{value}]` is the one called {value}"
        message = f"does `{value}` mean how many, or which? {meant}"
        raise ValueError(message)
    if isinstance(value, list):
        _refuse_odd(cast("list[Any]", value))
    if not isinstance(value, str):
        return _listed(value)
    match = re.fullmatch(r"\s*(\d{1,6})\s*(\.\.|\.\.\.|-|–|:|to|)\s*(\d{1,6})\s*", value)
    if match and match[2] == ".." and int(match[1]) <= int(match[3]):
        return list(range(int(match[1]), int(match[3]) + 1))
    if match and match[2]:
        low, high = sorted((int(match[1]), int(match[3])))
        message = f"a range is written low..high, got `{value}`; did you mean `{low}..{high}`?"
        raise ValueError(message)
    if re.fullmatch(r"\d+(\s*,\s*\d+)+", value):
        message = f"several seeds are a list, got `{value}`; did you mean `[{value}]`?"
        raise ValueError(message)
    _refuse_odd([value])
    return _listed(value)


def _refuse_odd(seeds: list[Any]) -> None:
    """Refuse what is no number: a range that does not stand alone, a word, true for 1."""
    for seed in seeds:
        told = str(seed).lower() if isinstance(seed, bool) else str(seed)
        if isinstance(seed, str | bool) and not told.isdigit() and len(told) <= LONGEST_VALUE:
            wants = "a number, a list of numbers or one range such as 0..4"
            message = f"expected {wants}, got `{told}`"
            raise ValueError(message)


Seeds: TypeAlias = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**63)]],
    BeforeValidator(_seeds),
    Field(min_length=1, max_length=MOST_SEEDS),
]
Words: TypeAlias = Annotated[list[str], BeforeValidator(_listed)]


class Include(Frozen):
    """Cells beyond the cross product; what is not named takes the suite's axes."""

    estimator: str  # a label of the suite, or none: full precision, with wa 32/32
    backbone: str | None = None
    wa: WA | None = None
    schedule: ScheduleChoice = "default"
    seeds: Seeds | None = None


class Exclude(Frozen):
    """Combinations to leave out: those that match every field given."""

    estimator: Words | None = None
    backbone: Words | None = None
    wa: Annotated[list[WA], BeforeValidator(_listed)] | None = None
    schedule: Annotated[list[ScheduleChoice], BeforeValidator(_listed)] | None = None
    reason: str


class Published(Frozen):
    """
    Numbers to print beside ours: ledgers by name, or accuracies in percent by label.

    Those written here stand beside rows of one W/A and one backbone at its default schedule;
    `none` is the full-precision row.
    """

    ledgers: Words = []  # `published: table3` is short for this
    source: str = ""
    wa: WA = "1/1"
    backbone: str | None = None  # any, if the suite has but one
    acc: dict[str, FiniteFloat] = {}
    caution: str = ""  # what must be known of them all
    protocol: Protocol = {}

    @model_validator(mode="after")
    def _attributed(self) -> "Published":
        if self.acc and not self.source:
            message = "acc needs a source: who printed these numbers"
            raise ValueError(message)
        return self


def _ledgers(value: Any) -> Any:
    """`table3` and `[table3, readme]` for `{ledgers: ...}`."""
    return {"ledgers": value} if isinstance(value, str) or as_list(value) else value


class Tune(Frozen):
    """
    Axes whose value is chosen for each estimator alone, on held-out training images.

    Every estimator gets the same number of trials, drawn from its own grid where that is
    larger; the test images are not looked at.
    """

    train: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    estimators: dict[str, dict[str, Annotated[list[Any], Field(min_length=1)]]] = {}
    backbones: dict[str, dict[str, Annotated[list[Any], Field(min_length=1)]]] = {}
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    budget: PositiveInt | None = None  # trials for each estimator; None: the smallest grid
    seeds: Seeds = [1000, 1001, 1002]  # of each trial; not those of the rows


class Cross(Frozen):
    """Values of recipe and binary layers that every backbone trains with, in turn: an axis."""

    train: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    binarization: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}


class Suite(Frozen):
    """A comparison: the cross product of its axes under one recipe."""

    extends: str | None = None  # a suite that says what this one does not
    preset: PresetName | None = None
    estimators: dict[str, Entry]
    backbones: dict[str, Entry]  # a backbone's own `train` and `data` go before the suite's
    data: dict[str, Entry]
    wa: Annotated[list[WA], BeforeValidator(_listed), Field(min_length=1)] = ["1/1"]
    schedules: Annotated[list[ScheduleChoice], BeforeValidator(_listed), Field(min_length=1)] = [
        "default"
    ]
    seeds: Seeds
    include: list[Include] = []
    exclude: list[Exclude] = []
    baseline: str | None = None
    train: Recipe
    cross: Cross = Cross()
    binarization: Binarization = Binarization()
    plugins: Words = []
    published: Annotated[Published, BeforeValidator(_ledgers)] = Published()
    equilibrium: Definition = "paper"  # of e and s in the table
    tune: Tune | None = None
    teachers: dict[str, Entry] = {}  # networks that an estimator's `teacher` may name; no axis


def parse(document: Document) -> tuple[Suite | None, list[Problem]]:
    """Read a suite's own fields: the suite, or what is wrong with it. Plugins are built later."""
    try:
        return Suite.model_validate(document.data), []
    except ValidationError as error:
        return None, problems(error, (), Suite)


def sound_part(document: Document, wrong: list[Problem]) -> Suite | None:
    """
    Leave out of a suite the keys that something is wrong with, so that the rest can be checked.

    Returns None if those are its estimators or backbones.
    """
    keys = {problem.path[0] for problem in wrong if problem.path}
    if keys & {"estimators", "backbones"}:
        return None
    required = {"seeds": [0], "train": {"epochs": 1}, "data": {}}  # in place of what is left out
    sound = {k: v for k, v in document.data.items() if k not in keys}
    try:
        return Suite.model_validate(required | sound)
    except ValidationError:
        return None
