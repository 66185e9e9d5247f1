"""
`machines.yaml`: profiles by name, found near the suite, read strictly.

A profile is taken from the nearest file that has its name: beside the suite, in the working
folder, in the user's configuration folder. What is nearer was written for less. BENCH_MACHINES
names the one file that is read instead of these.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.base.files import is_file, real_path
from bench.base.plain_data import KeyPath, as_mapping
from bench.base.text import suggest
from bench.base.user_folders import config_folder
from bench.base.validation import problems
from bench.base.yaml_document import Document, Problem, parse_settings, read
from bench.errors import SuiteError, UsageError
from bench.fleet.profile import ENGINES, KEYS, Profile

FILE = "machines.yaml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
EXAMPLE = "slurm:partition=gpu,time=12h"
EVERY = ("engine", "extends")  # keys of any profile


@dataclass(frozen=True)
class Definition:
    """A profile, and where it is defined: `file:line:column`, or nothing for an engine's name."""

    profile: Profile
    place: str = ""


def load(name: str, suite: Path | None = None) -> Profile:
    """
    The profile that `--on` names.

    Args:
        name: a profile, an engine for its defaults, and keys after a colon that go before those of
            either: `slurm:partition=gpu,time=12h`.
        suite: whose folder is looked into first.

    Raises:
        UsageError: no such profile, or a key after the colon that is wrong.
        SuiteError: a file that is wrong, a line for each problem.
    """
    return find(name, suite).profile


def find(name: str, suite: Path | None = None) -> Definition:
    """The same, and where it is defined; raises as `load` does."""
    bare, colon, text = name.partition(":")
    entries = _engines() if bare in ENGINES else _entries(suite)
    if bare not in entries:
        files = ", ".join(f"`{path}`" for path in _files(suite)) or f"no {FILE} found"
        message = (
            f"--on `{bare}`: no such profile{suggest(bare, [*entries, *ENGINES])} "
            f"({files}; `bench machines list` shows all)"
        )
        raise UsageError(message)
    whole = _completed(entries[bare], bare, entries)
    if colon:
        settings = parse_settings(re.split(r",(?=\s*\w+=)", text), EXAMPLE)
        if "extends" in settings:
            message = f"--on `{name}`: {bare}.extends: stands in a file only"
            raise UsageError(message)
        here = f"--on `{name}`"
        own = Document(here, {bare: settings}, {(bare, key): here for key in settings})
        whole = own.completed_by(whole.data, whole.places)
    return Definition(_profile(whole, bare, name), entries[bare].places.get((bare,), ""))


def names(suite: Path | None = None) -> list[str]:
    """What `--on` may name: profiles, sound or not, and engines; raises as `profiles` does."""
    return [*_entries(suite), *ENGINES]


def profiles(suite: Path | None = None) -> dict[str, Definition]:
    """
    All profiles that can be named from here, those of nearer files first.

    Raises:
        SuiteError: a file that is wrong, a line for each problem.
    """
    entries = _entries(suite)
    wrong: dict[str, None] = {}
    found: dict[str, Definition] = {}
    for name, entry in entries.items():
        try:
            profile = _profile(_completed(entry, name, entries), name, name)
            found[name] = Definition(profile, entry.where((name,)))
        except SuiteError as error:
            wrong |= dict.fromkeys(str(error).splitlines())
    if wrong:
        raise SuiteError("\n".join(wrong))
    return found


def make_schema() -> dict[str, Any]:
    """The JSON Schema of the file, by which editors complete keys and mark wrong ones."""
    entry = Profile.model_json_schema()
    fields = entry["properties"]
    del fields["name"]
    fields["extends"] = {"type": "string", "description": "The profile that says the rest."}
    time = {"type": "string", "pattern": r"^(\d+(\.\d+)?\s*[smhd]\s*)+$", "examples": ["12h"]}
    fields["time"], fields["grace"] = time, time | {"default": "2m"}
    for key in ("setup", "exclude"):
        fields[key] = {"anyOf": [{"type": "string"}, fields[key]], "default": []}
    del entry["required"]
    entry["anyOf"] = [{"required": ["engine"]}, {"required": ["extends"]}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Profiles of signbench",
        "type": "object",
        "patternProperties": {f"^{NAME.pattern}$": entry},
        "additionalProperties": False,
    }


def _files(suite: Path | None) -> list[Path]:
    """
    The files that are there, the nearest first.

    Raises:
        UsageError: BENCH_MACHINES names none.
    """
    if named := os.environ.get("BENCH_MACHINES"):
        if not is_file(Path(named)):
            message = f"BENCH_MACHINES: no file `{named}`"
            raise UsageError(message)
        return [Path(named)]
    beside = [suite.parent] if suite else []
    folders = [*beside, Path()]
    with suppress(RuntimeError):  # a user without a home
        folders.append(config_folder())
    paths = [folder / FILE for folder in folders]
    return [*{real_path(path): path for path in reversed(paths) if is_file(path)}.values()][::-1]


def _read(path: Path) -> Document:
    """Read a file whose top is a mapping of names to profiles."""
    document = read(path)
    entries = as_mapping(document.data)
    if entries is None:
        message = f"{document.source}:1:1: expected names of profiles, each with its keys"
        raise SuiteError(message)
    wrong = [Problem((name,), problem) for name in entries if (problem := _misnamed(name))]
    wrong += [
        Problem((name,), "expected the keys of a profile, as in engine: slurm")
        for name, entry in entries.items()
        if as_mapping(entry) is None
    ]
    if wrong:
        raise SuiteError(document.report(wrong))
    return document


def _misnamed(name: Any) -> str:
    """What is wrong with a profile's name, or nothing."""
    if name in ENGINES:
        return "an engine is called so; give the profile a name of its own"
    if isinstance(name, str) and NAME.fullmatch(name):
        return ""
    return "a name is letters, digits, `_`, `.` and `-`, at most 64, and begins with one of them"


def _engines() -> dict[str, Document]:
    """The engines as profiles that ask for nothing."""
    return {engine: Document("", {engine: {"engine": engine}}, {}) for engine in ENGINES}


def _entries(suite: Path | None) -> dict[str, Document]:
    """What is written of each profile, as a document of its own."""
    entries: dict[str, Document] = {}
    for document in map(_read, _files(suite)):
        for name, entry in document.data.items():
            places = {path: at for path, at in document.places.items() if path[:1] == (name,)}
            entries.setdefault(name, Document(document.source, {name: entry}, places))
    return entries


def _completed(
    entry: Document, name: str, entries: Mapping[str, Document], above: tuple[str, ...] = ()
) -> Document:
    """
    Complete a profile by the one that it extends, and that by its own.

    Args:
        above: the profiles that extend this one, which must not come again.

    Raises:
        SuiteError: it extends what is not there, or itself.
    """
    base = entry.data[name].get("extends")
    if base is None:
        return entry
    seen = (*above, name)
    if base in seen:
        problem = f"in a circle: {' > '.join([*seen[seen.index(base) :], base])}"
    elif not isinstance(base, str) or base not in entries:
        others = [other for other in entries if other not in seen]
        problem = f"no profile `{base}`{suggest(str(base), others)}"
    else:
        whole = _completed(entries[base], base, entries, seen)
        return entry.completed_by({name: whole.data[base]}, _renamed(whole.places, name))
    raise SuiteError(entry.report([Problem((name, "extends"), problem)]))


def _renamed(places: Mapping[KeyPath, str], name: str) -> dict[KeyPath, str]:
    """The places of one profile's keys, as those of another."""
    return {(name, *path[1:]): place for path, place in places.items() if len(path) > 1}


def _profile(entry: Document, name: str, asked: str) -> Profile:
    """
    Validate a profile that is to be called as it was asked for.

    Raises:
        SuiteError: it is wrong, a line for each problem with its place.
    """
    written = {key: value for key, value in entry.data[name].items() if key != "extends"}
    wrong = [*_wrong_keys(written)]
    sound = {k: v for k, v in written.items() if k not in {p.path[0] for p in wrong}}
    try:
        profile = Profile.model_validate(
            sound | {"name": asked}, by_alias=True, by_name=False, context={"written": True}
        )
    except ValidationError as error:
        wrong += problems(error, (), Profile)
    else:
        if not wrong:
            return profile
    raise SuiteError(entry.report(Problem((name, *p.path), p.message) for p in wrong))


def _wrong_keys(written: Mapping[str, Any]) -> Iterator[Problem]:
    """Say which keys there are not, or not for the engine."""
    known = {*EVERY, *(key for keys in KEYS.values() for key in keys)}
    engine = next((e for e in ENGINES if e == written.get("engine")), None)
    for key in written:
        if key not in known:
            yield Problem((key,), f"unknown key{suggest(str(key), sorted(known))}")
        elif engine and key not in {*EVERY, *KEYS[engine]}:
            others = " and ".join(e for e, keys in KEYS.items() if key in keys)
            yield Problem((key,), f"{engine} has no such key, {others} has")
