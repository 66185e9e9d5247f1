"""
A suite file: found, read, validated. Every error at once, each with its line.

What a suite does not say it may take from another (`extends`), then from a preset, and last from
the defaults of the fields below. The places of all that is taken are kept.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    FiniteFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from bench import preset
from bench.cell import WA, Binarization, Definition, Frozen, Recipe
from bench.claim import Protocol
from bench.claim import find as ledger_file
from bench.document import Document, Path_, Problem, dotted, items, mapping, read, suggest
from bench.errors import SuiteError, UsageError
from bench.schedule import ScheduleName

ScheduleChoice: TypeAlias = ScheduleName | Literal["default"]
Entry: TypeAlias = dict[str, Any]


def _listed(value: Any) -> Any:
    """One value where a list is meant."""
    return [value] if isinstance(value, str | int) else value


def _seeds(value: Any) -> Any:
    """`3`, `[0, 1]`, or the range `0..4`, both ends included."""
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,6})\.\.(\d{1,6})", value)):
        return list(range(int(match[1]), int(match[2]) + 1))
    return _listed(value)


AXES = ("estimators", "backbones")
Seeds: TypeAlias = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**63)]], BeforeValidator(_seeds), Field(min_length=1)
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
    protocol: Protocol = {}

    @model_validator(mode="after")
    def _attributed(self) -> "Published":
        if self.acc and not self.source:
            message = "acc needs a source: who printed these numbers"
            raise ValueError(message)
        return self


def _ledgers(value: Any) -> Any:
    """`table3` and `[table3, readme]` for `{ledgers: ...}`."""
    return {"ledgers": value} if isinstance(value, str) or items(value) else value


class Tune(Frozen):
    """
    Axes whose value is chosen for each estimator alone, on held-out training images.

    Every estimator gets the same number of trials, drawn from its own grid where that is
    larger; the test images are not looked at.
    """

    train: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    estimators: dict[str, dict[str, Annotated[list[Any], Field(min_length=1)]]] = {}
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    budget: PositiveInt | None = None  # trials for each estimator; None: the smallest grid
    seeds: Seeds = [1000, 1001, 1002]  # of each trial; not those of the rows


class Suite(Frozen):
    """A comparison: the cross product of its axes under one recipe."""

    extends: str | None = None  # a suite that says what this one does not
    preset: Literal["reference", "paper"] | None = None
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
    binarization: Binarization = Binarization()
    plugins: Words = []
    published: Annotated[Published, BeforeValidator(_ledgers)] = Published()
    equilibrium: Definition = "paper"  # of e and s in the table
    tune: Tune | None = None


def load(path: Path, overrides: Iterable[str] = ()) -> tuple[Document, Suite | None, list[Problem]]:
    """
    Read a suite, apply overrides, and check its own fields; plugins are checked by crossing.

    Returns the document, and either the suite or what is wrong with it.

    Raises:
        SuiteError: no such file, not YAML, or not a mapping.
    """
    document = _read(find(path), ())
    for text in overrides:
        if text.startswith("extends="):
            message = f"override `{text}`: only a file can extend; write one that says `extends:`"
            raise SuiteError(message)
        document.override(text)
        _spread(document)
        _reach(document, text)
    if (name := document.data.get("preset")) in preset.NAMES:
        document.inherit(preset.below(document, name))
    try:
        return document, Suite.model_validate(document.data), []
    except ValidationError as error:
        return document, None, problems(error, (), Suite)


def _reach(document: Document, text: str) -> None:
    """An override of `train` goes before what backbones say of it themselves."""
    key = text.partition("=")[0]
    for entry in (mapping(document.data.get("backbones")) or {}).values():
        own = mapping((mapping(entry) or {}).get("train")) or {}
        if key.startswith("train."):
            own.pop(key.split(".")[1], None)


def _read(path: Path, above: tuple[Path, ...]) -> Document:
    """A suite file, completed by what it extends, by what that extends, and so on."""
    document = read(path)
    if not isinstance(document.data, dict):
        message = f"{document.source}:1:1: a suite is a mapping; `bench schema` describes it"
        raise SuiteError(message)
    named = [axis for axis in AXES if mapping(document.data.get(axis)) is None]
    _spread(document)
    base = (mapping(document.data) or {}).get("extends")
    if not isinstance(base, str):
        return document
    place = document.where(("extends",))
    try:
        near = [path.parent / base, path.parent / f"{base}.yaml"]
        there = find(next((p for p in near if _is_file(p)), Path(base)))
        if there.resolve() in (*above, path.resolve()):
            message = f"`{base}` extends this suite"
            raise SuiteError(message)
        below = _read(there, (*above, path.resolve()))
    except SuiteError as error:
        message = f"{place}: extends: {error}"
        raise SuiteError(message) from None
    folders = below.data.get("plugins", [])
    if folders := [folders] if isinstance(folders, str) else items(folders):
        below.data["plugins"] = [str((there.parent / str(f)).resolve()) for f in folders]
    _rebase(below, there.parent)
    _choose_data(document, below)
    for axis in (axis for axis in named if axis in document.data):
        _narrow(below, axis, set(mapping(document.data[axis]) or {}))
    document.inherit(below)
    return document


def _rebase(below: Document, home: Path) -> None:
    """Ledgers beside the suite that is extended are found from wherever it is extended."""
    said = below.data.get("published")
    names = [said] if isinstance(said, str) else items(said)
    if names and home.resolve() != Path(str(files("suites"))).resolve():
        found = [ledger_file(str(name), home / "published") for name in names]
        below.data["published"] = [
            str(path.with_suffix("").resolve()) if path else name
            for path, name in zip(found, names, strict=True)
        ]


def _choose_data(document: Document, below: Document) -> None:
    """One data set, not one more: where this suite names one, what it extends names none."""
    if "data" in document.data:
        below.data.pop("data", None)
        below.places = {p: at for p, at in below.places.items() if p[:1] != ("data",)}
    theirs = mapping(below.data.get("backbones")) or {}
    for label, entry in (mapping(document.data.get("backbones")) or {}).items():
        if "data" in (mapping(entry) or {}):
            (mapping(theirs.get(label)) or {}).pop("data", None)


def _narrow(below: Document, axis: str, chosen: set[str]) -> None:
    """A list of names leaves of a suite that is extended only those, and what it says of them."""
    said = below.data
    for place in ((axis,), ("published", "acc"), ("tune", axis)) if chosen else ():
        node: Any = said
        for key in place[:-1]:
            node = mapping(node.get(key)) or {}
        labels = mapping(node.get(place[-1])) or {}
        for label in [x for x in labels if x.partition("(")[0] not in {*chosen, "none"}]:
            del labels[label]
    if chosen:
        _narrow_rules(said, axis.removesuffix("s"), chosen)


def _narrow_rules(said: dict[str, Any], field: str, chosen: set[str]) -> None:
    """Includes, excludes and the baseline that speak of what is left."""
    for rules in ("include", "exclude"):
        if rules in said:
            said[rules] = [r for r in items(said[rules]) if _about(r, field, chosen)]
    for rule in (r for r in items(said.get("exclude")) if items(r.get(field))):
        rule[field] = [x for x in rule[field] if str(x).partition("(")[0] in chosen or "*" in x]
    if field == "estimator" and str(said.get("baseline")).partition("(")[0] not in chosen:
        said.pop("baseline", None)


def _about(rule: Any, field: str, chosen: set[str]) -> bool:
    """Does a rule speak of what is left?"""
    value: Any = (mapping(rule) or {}).get(field)
    names = [str(x).partition("(")[0] for x in (items(value) or [value])]
    return value in (None, "none") or any(name in chosen or "*" in name for name in names)


def without(document: Document, wrong: list[Problem]) -> Suite | None:
    """The suite less its wrong parts, for checks without them; None if those are its axes."""
    bad = {problem.path[0] for problem in wrong if problem.path}
    if bad & {"estimators", "backbones"}:
        return None
    stand_ins = {"seeds": [0], "train": {"epochs": 1}, "data": {}}
    sound = {k: v for k, v in document.data.items() if k not in bad}
    try:
        return Suite.model_validate(stand_ins | sound)
    except ValidationError:
        return None


def find(path: Path) -> Path:
    """
    The suite on disk, else the one of that name shipped with the package.

    Raises:
        SuiteError: neither is there.
    """
    shipped = Path(str(files("suites")))
    bare = path.parent in {Path(), Path("suites")}  # only a name, not a wrong path
    others = [shipped / path.name, shipped / f"{path.name}.yaml"] if bare else []
    for candidate in (path, *others):
        if _is_file(candidate):
            return candidate
    names = sorted(p.stem for p in shipped.glob("*.yaml"))
    message = f"no suite at `{path}`{suggest(path.stem, names)}; `bench list suites` names them"
    raise SuiteError(message)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def question(path: Path) -> list[str]:
    """The lines of the comment that heads a suite, the editor's aside: what it asks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return [line.lstrip("# ") for line in head if "yaml-language-server" not in line]


def name_of(path: Path, overrides: Iterable[str]) -> str:
    """What a suite's results are called: its file's name, and its overrides."""
    words = sorted(overrides)
    if not words:
        return path.stem
    text = re.sub(r"[^\w.=+-]", "_", ",".join(words))
    if len(text) > 60:
        text = hashlib.sha256(",".join(words).encode()).hexdigest()[:12]
    return f"{path.stem}@{text}"


def digest(document: Document) -> str:
    """Of what the file and the overrides say, comments left aside."""
    return hashlib.sha256(repr(document.data).encode()).hexdigest()[:16]


def problems(error: ValidationError, path: Path_, model: type[BaseModel]) -> list[Problem]:
    """What pydantic found, in the words and places of a suite's reader."""
    return [_problem(detail, path, model) for detail in error.errors(include_url=False)]


def misuse(name: str, error: ValidationError, model: type[BaseModel]) -> UsageError:
    """The same about parameters on a command line, one line each."""
    found = problems(error, (), model)
    where = (f"{dotted(p.path)}: " if p.path else "" for p in found)
    return UsageError(
        "\n".join(f"{name}: {w}{p.message}" for w, p in zip(where, found, strict=True))
    )


def _problem(detail: ErrorDetails, path: Path_, model: type[BaseModel]) -> Problem:
    where = (*path, *detail["loc"])
    got, kind = detail["input"], detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = _fields(model, detail["loc"][:-1])
        return Problem(where, f"unknown key{suggest(str(detail['loc'][-1]), known)}")
    if kind == "missing":
        return Problem(where, "required, and not there")
    if kind == "literal_error":
        expected = str(context["expected"]).replace("'", "`")
        choices = re.findall(r"`([^`]*)`", expected)
        hint = suggest(str(got), choices) if "did you" in suggest(str(got), choices) else ""
        return Problem(where, f"must be {expected}, got {_show(got)}{hint}")
    if kind == "value_error":
        return Problem(where, str(context["error"]))
    text = detail["msg"].replace("Input should be ", "must be ")
    return Problem(where, f"{text[:1].lower()}{text[1:]}, got {_show(got)}")


def _show(value: Any) -> str:
    text = f"`{' '.join(value.split())}`" if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Field names of the model that stands at `loc` inside `model`; none if none stands there."""
    for key in (key for key in loc if isinstance(key, str)):
        words = re.findall(r"\w+", str(model.model_fields[key].annotation))
        nested = [m for m in Frozen.__subclasses__() if m.__name__ in words]
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)


def _spread(document: Document) -> None:
    """Let `ste`, `[ste, ede]` and `{ste: }` all mean a mapping of names to parameters."""
    for axis in ("estimators", "backbones", "data"):
        if axis in document.data:
            document.data[axis] = _axis(document, document.data[axis], (axis,))
    for entry in (mapping(document.data.get("estimators")) or {}).values():
        for role in [r for r in ("W", "A") if isinstance((mapping(entry) or {}).get(r), str)]:
            entry[role] = {"plugin": entry[role]}
    for label, entry in (mapping(document.data.get("backbones")) or {}).items():
        if mapping(entry) and "data" in entry:
            entry["data"] = _axis(document, entry["data"], ("backbones", label, "data"))


def _axis(document: Document, value: Any, path: Path_) -> Any:
    names = [value] if isinstance(value, str) else items(value)
    if names and all(isinstance(name, str) for name in names):
        for index, name in enumerate(names):
            place = document.places.get((*path, index))
            document.places |= {(*path, name): place} if place else {}
        value = dict.fromkeys(names)
    entries = mapping(value)
    return value if entries is None else {k: _entry(v) for k, v in entries.items()}


def _entry(value: Any) -> Any:
    """`{}` for nothing, `{plugin: x}` for the mere name x."""
    return {} if value is None else {"plugin": value} if isinstance(value, str) else value
